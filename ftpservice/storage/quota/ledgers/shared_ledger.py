"""The ledger of a tree that several processes change."""

from __future__ import annotations

from twisted.internet.task import deferLater
from zope.interface import implementer

from ftpservice.concurrency.table_section import LockedRecord
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.ledgers.ledger import Holding, ILedger
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

        def step(record: LockedRecord) -> bool:
            if size_limit is not None:
                used = _used_size(record) + change.size - change.credit_size
                if used > size_limit:
                    return False
            if files_limit is not None:
                used = _used_files(record) + change.files - change.credit_files
                if used > files_limit:
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


def _used_size(record: LockedRecord) -> int:
    return record.value(SIZE) + record.total(HELD_SIZE) - record.total(CREDIT_SIZE)


def _used_files(record: LockedRecord) -> int:
    return record.value(FILES) + record.total(HELD_FILES) - record.total(CREDIT_FILES)
