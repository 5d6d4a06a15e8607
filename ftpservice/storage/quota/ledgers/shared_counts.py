"""The counts of a tree that several processes change."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.concurrency.table_lock import TableFull
from ftpservice.concurrency.table_section import LockedRecord
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.ledgers.count_state import ICountState
from ftpservice.storage.quota.ledgers.leased_room import shifted, used
from ftpservice.storage.quota.ledgers.tree_record import (
    BEGUN,
    CHANGES,
    COUNTED_AT,
    COUNTING,
    ENDED,
    EXCLUSIVE,
    FILES,
    GENERATION,
    IS_COUNTED,
    IS_IN_DOUBT,
    MICROSECONDS,
    PARTIALS,
    POLL_SECONDS,
    SIZE,
    TOOK,
    USERS,
    TreeRecord,
    UnlockedReading,
    increase,
)
from ftpservice.storage.quota_interfaces import TreeUsage

__all__ = ["SharedCounts"]

log = Logger("ftpservice.quota")


@implementer(ICountState)
class SharedCounts:
    """The counts of a tree by whichever process, and the changes of all.

    ``is_read`` tells whether all processes have read what was announced up to a position.
    """

    poll_seconds: float | None = POLL_SECONDS
    is_counted = UnlockedReading(lambda record: record.value(IS_COUNTED) > 0)
    is_counting = UnlockedReading(lambda record: record.total(COUNTING) > 0)
    is_exclusive = UnlockedReading(lambda record: record.total(EXCLUSIVE) > 0)
    changes = UnlockedReading(lambda record: record.total(CHANGES))
    begun = UnlockedReading(lambda record: record.value(BEGUN))
    ended = UnlockedReading(lambda record: record.value(ENDED))
    is_in_doubt = UnlockedReading(lambda record: record.value(IS_IN_DOUBT) > 0)
    counted_at = UnlockedReading(lambda record: record.value(COUNTED_AT) / MICROSECONDS)
    took = UnlockedReading(lambda record: record.value(TOOK) / MICROSECONDS)

    def __init__(self, record: TreeRecord, is_read: Callable[[int], bool]) -> None:
        self.record = record
        self.announced_at = 0
        """The position behind what was last announced of the tree."""
        self.shift = (0, 0)
        """In a cluster, the shift (`leased_room`) with which the last count was accepted."""
        self._is_read = is_read
        self._is_used = self._was_full = False

    @property
    def is_announced(self) -> bool:
        """Whether all processes know what the tree contains."""
        if self.announced_at and self._is_read(self.announced_at):
            self.announced_at = 0
        return not self.announced_at

    @property
    def is_used_elsewhere(self) -> bool:
        """Whether another process has sessions that use the tree."""
        return self.record.total(USERS) > self._is_used

    def begin_change(self) -> bool:
        """Begin a change, unless changes have to wait; tell whether it has begun."""

        def step(record: LockedRecord) -> bool:
            if record.total(EXCLUSIVE):
                return False
            record.add(CHANGES, 1)
            return True

        try:
            return self.record.run(step)
        except Busy as error:  # without room for the tree in the table there is no count either
            return isinstance(error.__cause__, TableFull)

    def join_change(self) -> None:
        """Record a change that was in progress before this process knew the tree."""
        self.record.write(lambda record: record.add(CHANGES, 1))

    def end_change(self) -> None:
        """Record the end of a change."""

        def step(record: LockedRecord) -> None:
            if record.own(CHANGES):
                increase(record, GENERATION)
                record.add(CHANGES, -1)

        self.record.write(step)

    def begin_count(self) -> bool:
        """Begin a count; False if a process counts already. Raises `Busy`."""

        def step(record: LockedRecord) -> bool:
            if record.total(COUNTING):
                return False
            record.add(COUNTING, 1)
            increase(record, BEGUN)
            return True

        try:
            return self.record.run(step)
        except Busy as error:
            if isinstance(error.__cause__, TableFull) and not self._was_full:
                log.error("too many accounts with a quota are in use at a time")
                self._was_full = True
            raise

    def mark(self) -> int | None:
        """Return what `accept` takes, before the tree is read; None during a change."""
        try:
            return self.record.run(
                lambda record: None if record.total(CHANGES) else record.value(GENERATION)
            )
        except Busy:
            return None

    def accept(self, mark: int | None, found: TreeUsage, seconds: tuple[float, float]) -> bool:
        """Set the sums to what was found, if that is valid; tell whether it is."""

        def step(record: LockedRecord) -> bool:
            if mark is None or record.total(CHANGES) or record.value(GENERATION) != mark:
                return False
            before = used(record)
            at, took = seconds[1], seconds[1] - seconds[0]
            numbers = {
                SIZE: found.size,
                FILES: found.files,
                PARTIALS: found.partials,
                COUNTED_AT: int(at * MICROSECONDS),
                TOOK: int(took * MICROSECONDS),
                IS_IN_DOUBT: 0,
                IS_COUNTED: 1,
            }
            for index, number in numbers.items():
                record.set_value(index, number)
            if self.record.is_leased:
                self.shift = shifted(record, before)
            return True

        try:
            return self.record.run(step)
        except Busy:
            return False

    def exclude(self) -> None:
        """Make changes wait until the count ends."""
        self.record.write(lambda record: record.add(EXCLUSIVE, 1 - record.own(EXCLUSIVE)))

    def end_count(self) -> None:
        """Record the end of a count, whether it succeeded or not."""

        def step(record: LockedRecord) -> None:
            record.add(EXCLUSIVE, -record.own(EXCLUSIVE))
            record.add(COUNTING, -record.own(COUNTING))
            increase(record, ENDED)

        self.record.write(step)

    def void(self) -> None:
        """Record that the sums are not known: uploads wait for a count."""
        self.record.write(lambda record: record.set_value(IS_COUNTED, 0))

    def disturb(self) -> None:
        """Make the count in progress invalid."""
        self.record.write(lambda record: increase(record, GENERATION))

    def doubt(self) -> None:
        """Record that the sums may be wrong: the next refusal counts first."""
        self.record.write(lambda record: record.set_value(IS_IN_DOUBT, 1))

    def use(self, is_used: bool) -> None:
        """Record whether sessions of this process use the tree."""
        if is_used != self._is_used:
            self._is_used = is_used
            self.record.write(lambda record: record.add(USERS, is_used - record.own(USERS)))
