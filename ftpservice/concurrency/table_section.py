"""The numbers of one kind of keys in a shared table, and the lock under which they change."""

from __future__ import annotations

import mmap
import struct
from functools import lru_cache
from hashlib import blake2b

from ftpservice.concurrency.table_layout import BUCKET_SLOTS, RecordLayout, TableLayout
from ftpservice.concurrency.table_lock import TableBusy, TableFull, acquire
from ftpservice.linux import lock_byte, unlock_byte

__all__ = ["LockedRecord", "TableSection"]

MAX_KNOWN_KEYS = 1024
"""Keys whose places are remembered by a process, half a KiB each with its digest."""
WORD = 8
TAGS = struct.Struct(f"{BUCKET_SLOTS}q")
NESTED = "this process has another key locked"


class _Place:
    """Where a key is: a bucket, the halves of its tag, and the slot where it was last."""

    __slots__ = ("first_slot", "high", "low", "mark", "slot", "tags")

    def __init__(self, digest: bytes, buckets: int, first_mark: int) -> None:
        low, high, spread = struct.unpack("qqQ", digest)
        self.low: int = low | 1  # 0 is the tag of a free slot
        self.high: int = high
        bucket: int = spread % buckets
        self.first_slot = bucket * BUCKET_SLOTS
        self.mark = first_mark + bucket
        """The word of the bucket's mark, and the byte of its lock."""
        self.tags = first_mark + buckets + bucket * 2 * BUCKET_SLOTS
        """The word where the tags of the bucket begin."""
        self.slot = 0


class TableSection:
    """The slots of one kind of keys.

    It has, in words: a mark for each bucket that was ever used; for each bucket, the lower halves
    of the tags of its slots, then the higher halves; for each slot, a row: the columns of each
    field, then the values.
    """

    def __init__(
        self,
        memory: mmap.mmap,
        descriptor: int,
        layout: TableLayout,
        record: RecordLayout,
        column: int,
    ) -> None:
        self.memory = memory
        self.descriptor = descriptor
        self.cells = memoryview(memory).cast("q")
        self.record = record
        self.column = column
        """The column that is written."""
        self.columns = layout.columns
        self.values = record.fields * layout.columns
        """Where the values of a row begin."""
        self.is_locked = False
        """Whether this process has a key locked."""
        self.sums = struct.Struct(f"{layout.columns}q")
        self.all_values = struct.Struct(f"{record.values}q")
        self._secret = layout.secret
        self.width = record.row_words(layout.columns)
        self.marks = layout.first_word(record.name)
        self.rows = self.marks + record.buckets * (1 + BUCKET_SLOTS * 2)
        self._blank = bytes(self.width * WORD)
        self._known: dict[bytes, _Place] = {}

    def lock(self, key: bytes) -> LockedRecord:
        """Return the numbers of a key, to be entered (``with``), which takes its lock.

        That raises `TableBusy`, at once if this process has another key of the section locked:
        the garbage collector may end a forgotten coroutine, which gives something back, anywhere.
        """
        return LockedRecord(self, self._place(key))

    def total(self, key: bytes, field: int) -> int:
        """Return the sum of a field without a lock; it may have changed since."""
        return sum(self.columns_of(key, field))

    @property
    def used_slots(self) -> int:
        """The number of slots that keys have."""
        count, tags = 0, self.marks + self.record.buckets
        for bucket in range(self.record.buckets):
            if self.cells[self.marks + bucket]:
                begin = tags + bucket * BUCKET_SLOTS * 2
                count += BUCKET_SLOTS - self.cells[begin : begin + BUCKET_SLOTS].tolist().count(0)
        return count

    def exists(self, key: bytes) -> bool:
        """Return whether a key has a slot, without a lock."""
        return self.find(self._place(key)) != 0

    def columns_of(self, key: bytes, field: int) -> tuple[int, ...]:
        """Return a field of each process without a lock; empty if the key has no slot."""
        row, begin = self.find(self._place(key)), field * self.columns
        return self.sums.unpack_from(self.memory, (row + begin) * WORD) if row else ()

    def value(self, key: bytes, index: int) -> int:
        """Return a value without a lock; it may have changed since."""
        row = self.find(self._place(key))
        return self.cells[row + self.values + index] if row else 0

    def add_below(self, key: bytes, field: int, amount: int, limit: int) -> bool:
        """Add to a field without a lock, if that is certain not to exceed a limit (0: none).

        Certain is it where this process holds something of the key, so that its slot stays, and
        the sum is so far below the limit that all processes may add at the same time. It is added
        before that is checked, so a sum that somebody else reads later has it.
        """
        row = self.find(self._place(key))
        cell = row + field * self.columns + self.column
        if not row or self.cells[cell] <= 0:
            return False
        if limit <= 0:
            self.cells[cell] += amount
            return True
        most, begin = limit - amount * self.columns, (row + field * self.columns) * WORD
        if sum(self.sums.unpack_from(self.memory, begin)) + amount > most:
            return False
        self.cells[cell] += amount
        if sum(self.sums.unpack_from(self.memory, begin)) <= most:
            return True
        self.cells[cell] -= amount
        return False

    def claim(self, key: bytes, field: int) -> bool:
        """Set a field to 1, unless a process has set it; raises `TableError`."""
        if self.is_locked:
            raise TableBusy(NESTED)
        place = self._place(key)
        acquire(self.descriptor, place.mark)
        self.is_locked = True
        try:
            row = self.find(place)
            begin = row + field * self.columns
            if row and any(self.sums.unpack_from(self.memory, begin * WORD)):
                return False
            if not row:
                begin = self.allocate(place) + field * self.columns
            self.cells[begin + self.column] = 1
            return True
        finally:
            self.is_locked = False
            unlock_byte(self.descriptor, place.mark)

    def give_back(self, key: bytes, field: int, amount: int = 1) -> None:
        """Subtract from a field what this process has added before; never fails or waits."""
        place = self._place(key)
        row = self.find(place)  # it stays there as long as this process holds something in it
        if not row:
            return
        cell = row + field * self.columns + self.column
        if self.cells[cell] > amount:  # it is no blank afterwards
            self.cells[cell] -= amount
            return
        has_lock = not self.is_locked and lock_byte(self.descriptor, place.mark)
        self.cells[cell] -= amount
        if has_lock:
            self.is_locked = True
            try:
                self.free_if_blank(row, place.tags + place.slot)
            finally:
                self.is_locked = False
                unlock_byte(self.descriptor, place.mark)

    def _place(self, key: bytes) -> _Place:
        place = self._known.get(key)
        if place is None:
            digest = _digest(self._secret, key)
            if len(self._known) >= MAX_KNOWN_KEYS:
                self._known.clear()
            place = self._known[key] = _Place(digest, self.record.buckets, self.marks)
        return place

    def find(self, place: _Place) -> int:
        """Return the word where the row of a key begins; 0 if it has none."""
        cells, tags, slot = self.cells, place.tags, place.slot
        if cells[tags + slot] != place.low or cells[tags + BUCKET_SLOTS + slot] != place.high:
            if not cells[place.mark]:  # the bucket was never used
                return 0
            lows, slot = TAGS.unpack_from(self.memory, tags * WORD), -1
            while slot < 0 or cells[tags + BUCKET_SLOTS + slot] != place.high:
                try:
                    slot = lows.index(place.low, slot + 1)
                except ValueError:
                    return 0
            place.slot = slot
        return self.rows + (place.first_slot + slot) * self.width

    def allocate(self, place: _Place) -> int:
        """Return the row of a key that has none, with its lock held; raises `TableFull`."""
        cells, tags = self.cells, place.tags
        try:
            slot = TAGS.unpack_from(self.memory, tags * WORD).index(0)
        except ValueError:
            slot = self._reclaim(place)
        cells[place.mark] = 1
        cells[tags + BUCKET_SLOTS + slot] = place.high
        cells[tags + slot] = place.low
        place.slot = slot
        return self.rows + (place.first_slot + slot) * self.width

    def free_if_blank(self, row: int, tag: int) -> None:
        """Free a slot, whose tag is in the word ``tag``, if all its numbers are 0."""
        begin = row * WORD
        if self.memory[begin : begin + len(self._blank)] == self._blank:
            self.cells[tag] = 0

    def _reclaim(self, place: _Place) -> int:
        """Return a slot of a full bucket that is blank, or that of the oldest key."""
        cells, width = self.cells, self.width
        begin = self.rows + place.first_slot * width
        rows = range(begin, begin + BUCKET_SLOTS * width, width)
        for slot, row in enumerate(rows):
            if not any(cells[row : row + width]):
                return slot
        oldest = self.record.oldest
        if oldest is not None:
            ages = [cells[row + self.values + oldest] for row in rows]
            for slot in sorted(range(BUCKET_SLOTS), key=ages.__getitem__):
                row = rows[slot]
                if not any(cells[row : row + self.values]):
                    self.memory[row * WORD : (row + width) * WORD] = self._blank
                    return slot
        raise TableFull(f"no room for another key in {self.record.name}")


@lru_cache(MAX_KNOWN_KEYS)
def _digest(secret: bytes, key: bytes) -> bytes:
    """Return what says where a key is: sections have the same keys."""
    return blake2b(key, digest_size=24, key=secret).digest()


class LockedRecord:
    """The numbers of one key while its lock is held; the key gets a slot with its first number.

    If all its numbers are 0 at the end, the slot is free again.
    """

    __slots__ = ("_place", "_row", "_section")

    def __init__(self, section: TableSection, place: _Place) -> None:
        self._section = section
        self._place = place
        self._row = 0

    def __enter__(self) -> LockedRecord:
        section, place = self._section, self._place
        if section.is_locked:
            raise TableBusy(NESTED)
        if not lock_byte(section.descriptor, place.mark):
            acquire(section.descriptor, place.mark)
        section.is_locked = True
        try:
            self._row = section.find(place)
        except BaseException:
            section.is_locked = False
            unlock_byte(section.descriptor, place.mark)
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        section, place = self._section, self._place
        try:
            if self._row:
                section.free_if_blank(self._row, place.tags + place.slot)
        finally:
            section.is_locked = False
            unlock_byte(section.descriptor, place.mark)

    @property
    def exists(self) -> bool:
        """Whether the key has a slot."""
        return self._row != 0

    def total(self, field: int) -> int:
        """Return the sum of a field over all processes."""
        return sum(self.columns(field))

    def columns(self, field: int) -> tuple[int, ...]:
        """Return a field of each process; empty if the key has no slot."""
        if not self._row:
            return ()
        section = self._section
        begin = (self._row + field * section.columns) * WORD
        return section.sums.unpack_from(section.memory, begin)

    def own(self, field: int) -> int:
        """Return a field of this process."""
        section = self._section
        cell = self._row + field * section.columns + section.column
        return section.cells[cell] if self._row else 0

    def add(self, field: int, amount: int) -> None:
        """Add to a field of this process; raises `TableFull`."""
        section = self._section
        if not self._row:
            self._row = section.allocate(self._place)
        section.cells[self._row + field * section.columns + section.column] += amount

    def values(self) -> tuple[int, ...]:
        """Return all values; empty if the key has no slot."""
        section = self._section
        if not self._row:
            return ()
        begin = (self._row + section.values) * WORD
        return section.all_values.unpack_from(section.memory, begin)

    def set_values(self, *numbers: int) -> None:
        """Change all values, one after the other; raises `TableFull`."""
        section = self._section
        if not self._row:
            self._row = section.allocate(self._place)
        begin = (self._row + section.values) * WORD
        section.all_values.pack_into(section.memory, begin, *numbers)

    def value(self, index: int) -> int:
        """Return a value."""
        section = self._section
        return section.cells[self._row + section.values + index] if self._row else 0

    def set_value(self, index: int, number: int) -> None:
        """Change a value; raises `TableFull`."""
        section = self._section
        if not self._row:
            self._row = section.allocate(self._place)
        section.cells[self._row + section.values + index] = number
