"""The ledger of a tree that several processes change."""

from __future__ import annotations

from twisted.internet.task import deferLater
from zope.interface import implementer

from ftpservice.concurrency.table_section import LockedRecord
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.ledgers.leased_room import LeasedRoom, room_left, used
from ftpservice.storage.quota.ledgers.ledger import Holding, ILedger, QuotaLimits
from ftpservice.storage.quota.ledgers.tree_record import (
    CREDIT_FILES,
    CREDIT_SIZE,
    FILES,
    HELD_FILES,
    HELD_SIZE,
    HOLDING,
    PARTIALS,
    POLL_SECONDS,
    SIZE,
    TURNS,
    TreeRecord,
    UnlockedReading,
    add_settled,
)

__all__ = ["SharedLedger"]


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
        self.room = LeasedRoom(record)
        """What a node of a cluster may add."""
        self.is_cut_off = False
        """Whether this process cannot ask its cluster any more, and adds nothing."""

    def add(self, size: int, files: int, partials: int = 0) -> None:
        """Record a change of what is settled."""
        self.record.write(lambda record: add_settled(record, size, files, partials))

    def hold(self, change: Holding) -> None:
        """Record that uploads hold more, or less."""
        self.record.write(lambda record: _hold(record, change))

    def try_hold(
        self,
        change: Holding,
        size_limit: int | None,
        files_limit: int | None,
        is_turn: bool = False,
    ) -> bool:
        """Record that an upload holds more, if limits are kept then; raises `Busy`."""
        limits = QuotaLimits(size_limit, files_limit)
        size, files = change.size - change.credit_size, change.files - change.credit_files

        def step(record: LockedRecord) -> bool:
            size_left, files_left = self._left(record, limits)
            if size_left is not None and size > size_left:
                return False
            if files_left is not None and files > files_left:
                return False
            if is_turn:
                record.add(TURNS, 1)
            _hold(record, change)
            return True

        return self.record.run(step)

    def settle(self, change: Holding, size: int, files: int) -> None:
        """Record that uploads hold less, and that more is settled, or the reverse."""

        def step(record: LockedRecord) -> None:
            _hold(record, change)
            add_settled(record, size, files, 0)

        self.record.write(step)

    def used(self) -> tuple[int, int]:
        """Return the bytes and files in use, without files that will be replaced."""
        try:
            return self.record.run(used)
        except Busy:
            return self.size - self.credit_size, self.files - self.credit_files

    def left(self, limits: QuotaLimits) -> tuple[int | None, int | None]:
        """Return what may still be held, in a cluster without another answer; raises `Busy`."""
        if self.record.is_leased:
            return self.record.run(lambda record: self._left(record, limits))
        return limits.left(*self.used())

    def _left(self, record: LockedRecord, limits: QuotaLimits) -> tuple[int | None, int | None]:
        if not self.record.is_leased:
            return limits.left(*used(record))
        size, files = room_left(record, limits)
        if self.is_cut_off:
            return None if size is None else min(0, size), None if files is None else min(0, files)
        return size, files

    def left_between_turns(self, limits: QuotaLimits) -> tuple[int | None, int | None] | None:
        """Return what may still be held, None during a turn of any process; raises `Busy`."""

        def step(record: LockedRecord) -> tuple[int | None, int | None] | None:
            if record.total(TURNS):
                return None
            return self._left(record, limits)

        return self.record.run(step)

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
