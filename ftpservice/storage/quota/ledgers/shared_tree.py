"""The ledger and the counts of a tree that several processes change, in their shared table.

What is settled, and what the last count found, are values: one number for all. What uploads under
way hold, and what is in progress, are fields with a column for each process. Of a process that has
ended, the changes may be done in part, and its interrupted uploads may have left partial ones. So
what it held stays in use, but the sums are in doubt: whoever would be refused counts first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.table_lock import TableError, TableFull
from ftpservice.concurrency.table_section import LockedRecord, TableSection
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.ledgers.count_state import ICountState
from ftpservice.storage.quota.ledgers.ledger import Holding, ILedger
from ftpservice.storage.quota_interfaces import TreeUsage
from ftpservice.wire.paths import ROOT

__all__ = [
    "POLL_SECONDS",
    "QUOTA_RECORD",
    "SharedCounts",
    "SharedLedger",
    "TreeRecord",
    "end_process",
    "forget_tree",
]

log = Logger("ftpservice.quota")

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

T = TypeVar("T")
Step = Callable[[LockedRecord], T]
"""What is done with the numbers while nobody else changes them; raises nothing of its own."""


class TreeRecord:
    """The numbers of one tree. What cannot be written at once is written in order, soon."""

    def __init__(self, section: TableSection, key: bytes, clock: IReactorTime) -> None:
        self._section = section
        self._key = key
        self.clock = clock
        self._late: list[Step[object]] = []

    def total(self, field: int) -> int:
        """Return a sum over all processes; it may have changed since."""
        return self._section.total(self._key, field)

    def value(self, index: int) -> int:
        """Return a value; it may have changed since."""
        return self._section.value(self._key, index)

    def run(self, step: Step[T]) -> T:
        """Do a step; raises `Busy` if the numbers cannot be had, and then nothing was done."""
        try:
            with self._section.lock(self._key) as record:
                while self._late:
                    self._late[0](record)
                    del self._late[0]
                return step(record)
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


@implementer(ILedger)
class SharedLedger:
    """What a tree takes up, by what all processes have changed."""

    size = UnlockedReading(lambda record: record.value(SIZE) + record.total(HELD_SIZE))
    files = UnlockedReading(lambda record: record.value(FILES) + record.total(HELD_FILES))
    held_size = UnlockedReading(lambda record: record.total(HELD_SIZE))
    held_files = UnlockedReading(lambda record: record.total(HELD_FILES))
    credit_size = UnlockedReading(lambda record: record.total(CREDIT_SIZE))
    credit_files = UnlockedReading(lambda record: record.total(CREDIT_FILES))
    partials = UnlockedReading(lambda record: record.value(PARTIALS))
    has_turns = UnlockedReading(lambda record: record.total(TURNS) > 0)

    def __init__(self, record: TreeRecord) -> None:
        self.record = record

    def add(self, size: int, files: int, partials: int = 0) -> None:
        """Record a change of what is settled."""
        self.record.write(lambda record: _add(record, size, files, partials))

    def hold(self, change: Holding) -> None:
        """Record that uploads hold more, or less."""
        self.record.write(lambda record: _hold(record, change))

    def try_hold(self, change: Holding, size_limit: int | None, files_limit: int | None) -> bool:
        """Record that an upload holds more, if limits are kept then; raises `Busy`."""

        def step(record: LockedRecord) -> bool:
            if size_limit is not None:
                used = _used_size(record) + change.size - change.credit_size
                if used > size_limit:
                    return False
            if files_limit is not None:
                used = _used_files(record) + change.files - change.credit_files
                if used > files_limit:
                    return False
            _hold(record, change)
            return True

        return self.record.run(step)

    def settle(self, change: Holding, size: int, files: int) -> None:
        """Record that uploads hold less, and that more is settled, or the reverse."""

        def step(record: LockedRecord) -> None:
            _hold(record, change)
            _add(record, size, files, 0)

        self.record.write(step)

    def used(self) -> tuple[int, int]:
        """Return the bytes and files in use, without files that will be replaced."""
        try:
            return self.record.run(lambda record: (_used_size(record), _used_files(record)))
        except Busy:
            return self.size - self.credit_size, self.files - self.credit_files

    def begin_turn(self) -> None:
        """Record that a thread may use less than its upload holds."""
        self.record.write(lambda record: record.add(TURNS, 1))

    def end_turn(self) -> None:
        """Record that the thread has given back what it has not used."""
        self.record.write(lambda record: record.add(TURNS, -1))

    async def turn_ended(self) -> None:
        """Wait for a moment."""
        await deferLater(self.record.clock, POLL_SECONDS)


def _hold(record: LockedRecord, change: Holding) -> None:
    for field, amount in zip(HOLDING, change, strict=True):
        if amount:
            record.add(field, amount)


def _add(record: LockedRecord, size: int, files: int, partials: int) -> None:
    for index, amount in ((SIZE, size), (FILES, files), (PARTIALS, partials)):
        if amount:
            record.set_value(index, max(0, record.value(index) + amount))


def _used_size(record: LockedRecord) -> int:
    return record.value(SIZE) + record.total(HELD_SIZE) - record.total(CREDIT_SIZE)


def _used_files(record: LockedRecord) -> int:
    return record.value(FILES) + record.total(HELD_FILES) - record.total(CREDIT_FILES)


def _increase(record: LockedRecord, *indexes: int) -> None:
    for index in indexes:
        record.set_value(index, record.value(index) + 1)


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
                _increase(record, GENERATION)
                record.add(CHANGES, -1)

        self.record.write(step)

    def begin_count(self) -> bool:
        """Begin a count; False if a process counts already. Raises `Busy`."""

        def step(record: LockedRecord) -> bool:
            if record.total(COUNTING):
                return False
            record.add(COUNTING, 1)
            _increase(record, BEGUN)
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
            _increase(record, ENDED)

        self.record.write(step)

    def void(self) -> None:
        """Record that the sums are not known: uploads wait for a count."""
        self.record.write(lambda record: record.set_value(IS_COUNTED, 0))

    def disturb(self) -> None:
        """Make the count in progress invalid."""
        self.record.write(lambda record: _increase(record, GENERATION))

    def doubt(self) -> None:
        """Record that the sums may be wrong: the next refusal counts first."""
        self.record.write(lambda record: record.set_value(IS_IN_DOUBT, 1))

    def use(self, is_used: bool) -> None:
        """Record whether sessions of this process use the tree."""
        if is_used != self._is_used:
            self._is_used = is_used
            self.record.write(lambda record: record.add(USERS, is_used - record.own(USERS)))


def forget_tree(record: TreeRecord) -> bool:
    """Clear the numbers of a tree; False if a process uses it. Raises `Busy`."""

    def step(numbers: LockedRecord) -> bool:
        if any(numbers.total(field) for field in range(QUOTA_RECORD.fields)):
            return False
        for index in range(QUOTA_RECORD.values):
            if numbers.value(index):
                numbers.set_value(index, 0)
        return True

    return record.run(step)


def end_process(record: TreeRecord, column: int) -> bool:
    """Settle what a process held that has ended, before its column is cleared.

    Returns whether the sums are in doubt now.
    """

    def step(numbers: LockedRecord) -> bool:
        if not numbers.exists:
            return False
        held_size, held_files = (numbers.columns(field)[column] for field in HOLDING[:2])
        if numbers.columns(COUNTING)[column]:
            _increase(numbers, ENDED)
        if not any(numbers.columns(field)[column] for field in (*HOLDING, CHANGES)):
            return False
        for index in (IS_IN_DOUBT, GENERATION, PARTIALS):
            _increase(numbers, index)
        _add(numbers, held_size, held_files, held_files)
        return True

    return record.run(step)
