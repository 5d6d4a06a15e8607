"""When a tree was counted, and whether a count is valid.

A count is valid only if no change was in progress or ended while the tree was read.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface, implementer

from ftpservice.storage.quota.ledgers.ledger import QuotaLedger
from ftpservice.storage.quota_interfaces import TreeUsage

__all__ = ["CountState", "ICountState"]


class ICountState(Interface):
    """The counts of one tree, and the changes that disturb them."""

    is_counted = Attribute("Whether the sums of the ledger are those of the tree.")
    is_counting = Attribute("Whether a count is in progress.")
    is_exclusive = Attribute("Whether changes have to wait for a count.")
    changes = Attribute("Changes in progress; a count of the tree is invalid meanwhile.")
    begun = Attribute("How many counts have begun.")
    ended = Attribute("How many of them have ended.")
    is_in_doubt = Attribute("Whether the sums may be wrong; a refusal needs another count.")
    counted_at = Attribute("Seconds of the clock at the last count.")
    took = Attribute("Seconds that the last count took.")
    is_used_elsewhere = Attribute("Whether another process has sessions that use the tree.")
    announced_at = Attribute("Where in the announcements the last one of the tree ends.")
    is_announced = Attribute("Whether all processes know what the tree contains.")
    poll_seconds = Attribute("How often to look at what other processes do; None without any.")

    def begin_change() -> bool:
        """Begin a change, unless changes have to wait; tell whether it has begun."""

    def join_change() -> None:
        """Record a change that was in progress before the tree had a ledger."""

    def end_change() -> None:
        """Record the end of a change."""

    def begin_count() -> bool:
        """Begin a count; False if another process counts. Raises `Busy` if it cannot."""

    def mark() -> int | None:
        """Return what `accept` takes, before the tree is read; None during a change."""

    def accept(mark: int | None, found: TreeUsage, seconds: tuple[float, float]) -> bool:
        """Set the sums to what was found, if that is valid; tell whether it is.

        ``seconds``: those of the clock at the beginning and at the end.
        """

    def exclude() -> None:
        """Make changes wait until the count ends."""

    def end_count() -> None:
        """Record the end of a count, whether it succeeded or not."""

    def void() -> None:
        """Record that the sums are not known: uploads wait for a count."""

    def disturb() -> None:
        """Make the count in progress invalid."""

    def doubt() -> None:
        """Record that the sums may be wrong: the next refusal counts first."""

    def use(is_used: bool) -> None:
        """Record whether sessions of this process use the tree."""


@implementer(ICountState)
class CountState:
    """The counts of a tree that only this process changes."""

    is_used_elsewhere = False
    announced_at = 0
    is_announced = True
    poll_seconds: float | None = None

    def __init__(self, ledger: QuotaLedger, now: float) -> None:
        self.is_counted = self.is_counting = self.is_exclusive = self.is_in_doubt = False
        self.changes = 0
        self.begun = self.ended = 0
        self.counted_at = now
        self.took = 0.0
        self._ledger = ledger
        self._generation = 0

    def begin_change(self) -> bool:
        """Begin a change, unless changes have to wait; tell whether it has begun."""
        if self.is_exclusive:
            return False
        self.changes += 1
        return True

    def join_change(self) -> None:
        """Record a change that was in progress before the tree had a ledger."""
        self.changes += 1

    def end_change(self) -> None:
        """Record the end of a change."""
        self.changes -= 1
        self._generation += 1

    def begin_count(self) -> bool:
        """Begin a count."""
        self.begun += 1
        self.is_counting = True
        return True

    def mark(self) -> int | None:
        """Return what `accept` takes, before the tree is read; None during a change."""
        return None if self.changes else self._generation

    def accept(self, mark: int | None, found: TreeUsage, seconds: tuple[float, float]) -> bool:
        """Set the sums to what was found, if that is valid; tell whether it is."""
        if mark is None or mark != self.mark():
            return False
        self._ledger.counted(*found)
        self.is_counted, self.is_in_doubt = True, False
        self.counted_at, self.took = seconds[1], seconds[1] - seconds[0]
        return True

    def exclude(self) -> None:
        """Make changes wait until the count ends."""
        self.is_exclusive = True

    def end_count(self) -> None:
        """Record the end of a count, whether it succeeded or not."""
        self.is_exclusive = self.is_counting = False
        self.ended += 1

    def void(self) -> None:
        """Record that the sums are not known: uploads wait for a count."""
        self.is_counted = False

    def disturb(self) -> None:
        """Make the count in progress invalid."""
        self._generation += 1

    def doubt(self) -> None:
        """Record that the sums may be wrong: the next refusal counts first."""
        self.is_in_doubt = True

    def use(self, is_used: bool) -> None:
        """Nothing else is told."""
