"""What a tree takes up: the arithmetic of quotas, without files and without waiting.

A ledger belongs to the tree below one directory. It holds two sums in one number: what is on the
disk and settled, and what uploads under way hold. An upload holds bytes *before* they are written,
so uploads at the same time cannot exceed a limit together. What an upload holds becomes settled
when it ends, with the size that it has then.

An upload that replaces a file needs room for the difference only. The *credit* of an upload is the
size of the file that it will replace; the file itself is freed when the new one is published.

Each method is one step: no other change of the ledger comes in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface, implementer

__all__ = ["NO_LIMITS", "Holding", "ILedger", "Place", "QuotaLedger", "QuotaLimits"]

Place = tuple[object, ...]
"""Where a name is: the object that trees have in common if they can overlap, then the names."""


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """The quota of an account; None for no limit."""

    size: int | None = None
    """Bytes."""
    files: int | None = None
    """Files, directories, links and partial uploads."""

    def left(self, size: int, files: int) -> tuple[int | None, int | None]:
        """Return what is left of the limits, negative if exceeded; None for no limit."""
        return (
            None if self.size is None else self.size - size,
            None if self.files is None else self.files - files,
        )


NO_LIMITS = QuotaLimits()


class Holding(NamedTuple):
    """What an upload holds in a ledger, or by how much that changes."""

    size: int
    files: int
    credit_size: int
    """Of the file that it will replace, what makes room for its bytes."""
    credit_files: int


class ILedger(Interface):
    """The usage of one tree."""

    size = Attribute("Bytes, settled and held.")
    files = Attribute("Files, settled and held; the root itself does not count.")
    held_size = Attribute("Bytes that uploads under way hold.")
    held_files = Attribute("Files that uploads under way hold.")
    credit_size = Attribute("Bytes that uploads under way will free by replacing files.")
    credit_files = Attribute("Files that uploads under way will free.")
    partials = Attribute("Kept partial uploads; 0 is certain, any other number is a hint.")
    has_turns = Attribute("Whether a thread may give something back within a moment.")

    def add(size: int, files: int, partials: int = 0) -> None:
        """Record a change of what is settled.

        It is never less than nothing: files that other programs have added since the last count
        may be deleted.
        """

    def hold(change: Holding) -> None:
        """Record that uploads hold more, or less."""

    def try_hold(
        change: Holding, size_limit: int | None, files_limit: int | None, is_turn: bool = False
    ) -> bool:
        """Record that an upload holds more, if limits are kept then; tell whether they are.

        ``is_turn``: with that a turn begins (`begin_turn`). Raises `Busy`, and then nothing has
        changed.
        """

    def settle(change: Holding, size: int, files: int) -> None:
        """Record that uploads hold less, and that more is settled, or the reverse."""

    def used() -> tuple[int, int]:
        """Return the bytes and files in use, without files that will be replaced."""

    def left(limits: QuotaLimits) -> tuple[int | None, int | None]:
        """Return what may still be held, negative if limits are exceeded; None for no limit."""

    def left_between_turns(limits: QuotaLimits) -> tuple[int | None, int | None] | None:
        """Return what `left` does, None during a turn; both as of one moment. Raises `Busy`.

        What is too little during a turn may be enough right after it.
        """

    def begin_turn() -> None:
        """Record that a thread may use less than its upload holds."""

    def end_turn() -> None:
        """Wake the callers that wait for the space that the thread has not used."""

    async def turn_ended() -> None:
        """Wait until one of the threads has ended its turn, or for a moment."""


@implementer(ILedger)
class QuotaLedger:
    """The ledger of a tree that only this process changes."""

    def __init__(self) -> None:
        self.size = self.files = 0
        self.held_size = self.held_files = 0
        self.credit_size = self.credit_files = 0
        self.partials = 0
        self._turns = 0
        self._waiting: list[Deferred[None]] = []

    def add(self, size: int, files: int, partials: int = 0) -> None:
        """Record a change of what is settled."""
        self.size = max(self.held_size, self.size + size)
        self.files = max(self.held_files, self.files + files)
        self.partials = max(0, self.partials + partials)

    def hold(self, change: Holding) -> None:
        """Record that uploads hold more, or less."""
        size, files, credit_size, credit_files = change
        self.size += size
        self.files += files
        self.held_size += size
        self.held_files += files
        self.credit_size += credit_size
        self.credit_files += credit_files

    def try_hold(
        self,
        change: Holding,
        size_limit: int | None,
        files_limit: int | None,
        is_turn: bool = False,
    ) -> bool:
        """Record that an upload holds more, if limits are kept then; tell whether they are."""
        if size_limit is not None:
            used = self.size + change.size - self.credit_size - change.credit_size
            if used > size_limit:
                return False
        if files_limit is not None:
            used = self.files + change.files - self.credit_files - change.credit_files
            if used > files_limit:
                return False
        self.hold(change)
        self._turns += is_turn
        return True

    def settle(self, change: Holding, size: int, files: int) -> None:
        """Record that uploads hold less, and that more is settled, or the reverse."""
        self.hold(change)
        self.add(size, files)

    def counted(self, size: int, files: int, partials: int) -> None:
        """Record what a count of the tree found, without the uploads under way."""
        self.size, self.files = size + self.held_size, files + self.held_files
        self.partials = partials

    def used(self) -> tuple[int, int]:
        """Return the bytes and files in use, without files that will be replaced."""
        return self.size - self.credit_size, self.files - self.credit_files

    def left(self, limits: QuotaLimits) -> tuple[int | None, int | None]:
        """Return what may still be held, negative if limits are exceeded; None for no limit."""
        return limits.left(*self.used())

    def left_between_turns(self, limits: QuotaLimits) -> tuple[int | None, int | None] | None:
        """Return what may still be held; None during a turn."""
        return None if self._turns > 0 else self.left(limits)

    def begin_turn(self) -> None:
        """Record that a thread may use less than its upload holds."""
        self._turns += 1

    def end_turn(self) -> None:
        """Wake the callers that wait for the space that the thread has not used."""
        self._turns -= 1
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.called:  # else its call was cancelled
                waiter.callback(None)

    @property
    def has_turns(self) -> bool:
        """Whether a thread may give something back within a moment."""
        return self._turns > 0

    async def turn_ended(self) -> None:
        """Wait until one of the threads has ended its turn."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        await waiter
