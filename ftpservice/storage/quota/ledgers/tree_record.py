"""The numbers of a tree that several processes change, in their shared table.

What is settled, and what the last count found, are values: one number for all. What uploads under
way hold, and what is in progress, are fields with a column for each process. Of a process that has
ended, the changes may be done in part, and its interrupted uploads may have left partial ones. So
what it held stays in use, but the sums are in doubt: whoever would be refused counts first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.table_lock import TableBusy, TableError
from ftpservice.concurrency.table_section import LockedRecord, TableSection
from ftpservice.storage.errors import Busy
from ftpservice.wire.paths import ROOT

__all__ = [
    "LEASED_QUOTA_RECORD",
    "POLL_SECONDS",
    "QUOTA_RECORD",
    "RecordLocked",
    "TreeRecord",
    "UnlockedReading",
    "add_settled",
    "end_process",
    "forget_tree",
    "increase",
]

POLL_SECONDS = 0.02
"""How often a process looks whether another one has ended what it waits for."""

# Fields
HOLDING = HELD_SIZE, HELD_FILES, CREDIT_SIZE, CREDIT_FILES = 0, 1, 2, 3
CHANGES, TURNS, COUNTING, EXCLUSIVE, USERS = range(4, 9)
# Values
SIZE, FILES, PARTIALS, GENERATION, IS_COUNTED, IS_IN_DOUBT, COUNTED_AT, TOOK = range(8)
BEGUN, ENDED = 8, 9
QUOTA_RECORD = RecordLayout("quotas", fields=9, values=10, slots=1 << 16)
MICROSECONDS = 1_000_000
# Further values in a cluster (`leased_room`)
SHIFT_SIZE, SHIFT_FILES, CEILING_SIZE, CEILING_FILES, OTHERS_SIZE, OTHERS_FILES = range(10, 16)
LEASED_QUOTA_RECORD = RecordLayout("quotas", fields=9, values=16, slots=1 << 16)

T = TypeVar("T")
Step = Callable[[LockedRecord], T]
"""What is done with the numbers while nobody else changes them; raises nothing of its own."""


class RecordLocked(Busy):
    """Another process keeps the numbers locked: the same call may succeed in a moment."""


class TreeRecord:
    """The numbers of one tree. What cannot be written at once is written in order, soon."""

    def __init__(self, section: TableSection, key: bytes, clock: IReactorTime) -> None:
        self._section = section
        self._key = key
        self.clock = clock
        self.is_leased = section.record.values > QUOTA_RECORD.values
        """Whether the nodes of a cluster have the tree in common."""
        self._late: list[Step[object]] = []

    def total(self, field: int) -> int:
        """Return a sum over all processes; it may have changed since."""
        return self._section.total(self._key, field)

    def value(self, index: int) -> int:
        """Return a value; it may have changed since."""
        return self._section.value(self._key, index)

    def of_process(self, field: int, column: int) -> int:
        """Return a field of one process; it may have changed since."""
        columns = self._section.columns_of(self._key, field)
        return columns[column] if columns else 0

    def run(self, step: Step[T]) -> T:
        """Do a step; raises `Busy` if the numbers cannot be had, and then nothing was done.

        It is a `RecordLocked` if another process has them.
        """
        try:
            with self._section.lock(self._key) as record:
                while self._late:
                    self._late[0](record)
                    del self._late[0]
                return step(record)
        except TableBusy as error:
            raise RecordLocked(ROOT, str(error)) from error
        except TableError as error:
            raise Busy(ROOT, str(error)) from error

    def write(self, step: Step[object]) -> None:
        """Do a step, now or soon."""
        try:
            self.run(step)
        except Busy:
            if not self._late:
                self.clock.callLater(POLL_SECONDS, self._write_late)
            self._late.append(step)

    def _write_late(self) -> None:
        try:
            self.run(bool)
        except Busy:
            self.clock.callLater(POLL_SECONDS, self._write_late)


class UnlockedReading(Generic[T]):
    """An attribute that is read from ``record`` without its lock; it may have changed since."""

    def __init__(self, read: Callable[[TreeRecord], T]) -> None:
        self._read = read

    def __get__(self, owner: _HasRecord, _kind: object = None) -> T:
        return self._read(owner.record)


class _HasRecord(Protocol):
    record: TreeRecord


def add_settled(record: LockedRecord, size: int, files: int, partials: int) -> None:
    """Change what is settled, which is never less than nothing."""
    for index, amount in ((SIZE, size), (FILES, files), (PARTIALS, partials)):
        if amount:
            record.set_value(index, max(0, record.value(index) + amount))


def increase(record: LockedRecord, *indexes: int) -> None:
    """Count one more in these values."""
    for index in indexes:
        record.set_value(index, record.value(index) + 1)


def forget_tree(record: TreeRecord) -> bool:
    """Clear the numbers of a tree; False if a process uses it. Raises `Busy`."""

    def step(numbers: LockedRecord) -> bool:
        if any(numbers.total(field) for field in range(QUOTA_RECORD.fields)):
            return False
        for index, number in enumerate(numbers.values()):
            if number:
                numbers.set_value(index, 0)
        return True

    return record.run(step)


def end_process(record: TreeRecord, column: int) -> bool:
    """Settle what a process held that has ended, before its column is cleared.

    Returns whether the sums are in doubt. Nobody writes in the column any more, so it is read
    without the lock; what was held is settled soon if another process has that.
    """
    held = [record.of_process(field, column) for field in HOLDING[:2]]
    was_counting = record.of_process(COUNTING, column) > 0
    is_doubtful = any(record.of_process(field, column) for field in (*HOLDING, CHANGES))

    def step(numbers: LockedRecord) -> None:
        if was_counting:
            increase(numbers, ENDED)
        if is_doubtful:
            for index in (IS_IN_DOUBT, GENERATION, PARTIALS):
                increase(numbers, index)
            add_settled(numbers, held[0], held[1], held[1])

    if was_counting or is_doubtful:
        record.write(step)
    return is_doubtful
