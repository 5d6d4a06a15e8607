"""What a node of a cluster may add to a tree that other nodes change, too.

The use of a tree is that of all nodes, as of the last answer of the cluster's database, and what
this node has changed since. Three numbers more, of bytes and of files, are in the record of a tree:

- *Shift*: the use is the shift and the *own change*, which is the sum of all that this node has
  added and removed since it began. A count of the tree, and an answer of the database, change the
  shift; they leave the own change as it is.
- *Ceiling*: how far the own change may grow. It is what the database has reserved for this node.
- *Others*: what is reserved for other nodes, which is not used yet.
"""

from __future__ import annotations

from typing import NamedTuple

from ftpservice.concurrency.table_section import LockedRecord
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.ledgers.tree_record import (
    CEILING_FILES,
    CEILING_SIZE,
    CHANGES,
    COUNTED_AT,
    CREDIT_FILES,
    CREDIT_SIZE,
    EXCLUSIVE,
    FILES,
    GENERATION,
    HELD_FILES,
    HELD_SIZE,
    IS_COUNTED,
    IS_IN_DOUBT,
    MICROSECONDS,
    OTHERS_FILES,
    OTHERS_SIZE,
    SHIFT_FILES,
    SHIFT_SIZE,
    SIZE,
    TreeRecord,
    add_settled,
)

__all__ = ["LeasedRoom", "NodeUse", "room_left", "shifted", "used"]


class NodeUse(NamedTuple):
    """What a node has of a tree, at one moment."""

    size: int
    """Its own change, of bytes."""
    files: int
    held_size: int
    """What its uploads hold, less what they will replace."""
    held_files: int
    room_size: int
    """What it may still add; negative if it has added more."""
    room_files: int
    changes: int
    """Changes in progress."""
    generation: int
    """Changes that have ended, by a number that only grows."""


class LeasedRoom:
    """The numbers of a tree that only its cluster needs. Each method raises `Busy`."""

    def __init__(self, record: TreeRecord) -> None:
        self._record = record

    def use(self) -> NodeUse:
        """Return what this node has."""
        return self._record.run(_use)

    def set(
        self, shift: tuple[int, int], ceiling: tuple[int, int], others: tuple[int, int]
    ) -> None:
        """Use an answer of the database."""

        def step(record: LockedRecord) -> None:
            size, files = used(record)
            own_size, own_files = _own_change(record)
            shift_to(record, shift[0] + own_size - size, shift[1] + own_files - files)
            for index, number in zip(CEILING, ceiling, strict=True):
                record.set_value(index, number)
            for index, number in zip(OTHERS, others, strict=True):
                record.set_value(index, number)

        self._record.run(step)

    def give_up(self) -> NodeUse:
        """Add nothing more without another answer; return what this node has then."""

        def step(record: LockedRecord) -> NodeUse:
            for index, own in zip(CEILING, _own_change(record), strict=True):
                record.set_value(index, min(own, record.value(index)))
            return _use(record)

        return self._record.run(step)

    def include(self) -> None:
        """Have changes wait no more for the count of another node."""
        self._record.write(lambda record: record.add(EXCLUSIVE, -record.own(EXCLUSIVE)))

    def known(self, age: float) -> None:
        """Record that another node has counted the tree, so many seconds ago."""
        at = int((self._record.clock.seconds() - age) * MICROSECONDS)

        def step(record: LockedRecord) -> None:
            for index, number in ((COUNTED_AT, at), (IS_COUNTED, 1), (IS_IN_DOUBT, 0)):
                record.set_value(index, number)

        self._record.write(step)


CEILING = (CEILING_SIZE, CEILING_FILES)
OTHERS = (OTHERS_SIZE, OTHERS_FILES)


def used(record: LockedRecord) -> tuple[int, int]:
    """Return the bytes and files in use, without files that will be replaced."""
    return (
        record.value(SIZE) + record.total(HELD_SIZE) - record.total(CREDIT_SIZE),
        record.value(FILES) + record.total(HELD_FILES) - record.total(CREDIT_FILES),
    )


def _own_change(record: LockedRecord) -> tuple[int, int]:
    size, files = used(record)
    return size - record.value(SHIFT_SIZE), files - record.value(SHIFT_FILES)


def _use(record: LockedRecord) -> NodeUse:
    size, files = _own_change(record)
    return NodeUse(
        size,
        files,
        record.total(HELD_SIZE) - record.total(CREDIT_SIZE),
        record.total(HELD_FILES) - record.total(CREDIT_FILES),
        record.value(CEILING_SIZE) - size,
        record.value(CEILING_FILES) - files,
        record.total(CHANGES),
        record.value(GENERATION),
    )


def shift_to(record: LockedRecord, size: int, files: int) -> None:
    """Change the use, and not the own change, as far as it is not less than nothing."""
    before = used(record)
    add_settled(record, size, files, 0)
    shifted(record, before)


def shifted(record: LockedRecord, before: tuple[int, int]) -> tuple[int, int]:
    """Have the use be another one than ``before`` with the same own change; return the shift."""
    size, files = used(record)
    record.set_value(SHIFT_SIZE, record.value(SHIFT_SIZE) + size - before[0])
    record.set_value(SHIFT_FILES, record.value(SHIFT_FILES) + files - before[1])
    return record.value(SHIFT_SIZE), record.value(SHIFT_FILES)


def room_left(record: LockedRecord, limits: QuotaLimits) -> tuple[int | None, int | None]:
    """Return what may still be added without another answer; None for no limit."""
    use, left = _use(record), limits.left(*used(record))
    size, files = left
    return (
        None if size is None else min(size - record.value(OTHERS_SIZE), use.room_size),
        None if files is None else min(files - record.value(OTHERS_FILES), use.room_files),
    )
