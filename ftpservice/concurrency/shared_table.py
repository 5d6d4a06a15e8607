"""Numbers by key in memory that several processes of a machine map: what they count together.

A table has sections, a section has slots, and a slot has the numbers of one key (`RecordLayout`):

- *Fields*: each process writes in its own column only. What counts is the sum over the columns. The
  column of a process that has died is cleared (`SharedTable.clear_column`), which gives back what
  it held; fields that are *settled* are added to the column of the process that clears it.
- *Values*: one number for all processes, which survives them.

Rules:

- A key is read and changed together under a lock (`TableSection.lock`), so limits are exact. The
  lock is one of an open file description, on one byte for each bucket of slots: the kernel releases
  it when its process is killed. It is held for microseconds, never across an ``await``, and waited
  for at most `LOCK_SECONDS` (`TableBusy`). Each process opens the memory anew for locks of its own.
- Numbers are 64-bit words, each of which is written as a whole. A process that is killed between
  two of them leaves those that it has written, so write the cautious one first.
- Keys are hashed with a secret key, to 128 bits: clients cannot choose keys that collide. A key has
  its place in one bucket. A slot whose numbers are all 0 is free. In a bucket without a free slot
  an old key is forgotten if the section allows that; otherwise `TableFull` is raised, and nothing
  is changed.
- It is used in one thread of a process, which has one key of a section locked at a time
  (otherwise: `TableBusy`, at once).
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterable

from ftpservice.concurrency.table_clearing import clear_column
from ftpservice.concurrency.table_layout import HEADER_WORDS, RecordLayout, TableLayout
from ftpservice.concurrency.table_lock import TableFull, acquire
from ftpservice.concurrency.table_section import TableSection
from ftpservice.linux import unlock_byte

__all__ = ["SharedTable"]

WORD = 8


class SharedTable:
    """The mapping of one process; ``column`` is the one that it writes in.

    ``descriptor`` is inherited by the processes that are to `attach`.
    """

    def __init__(self, descriptor: int, column: int) -> None:
        self.descriptor = descriptor
        self.column = column
        self._memory = mmap.mmap(descriptor, 0)
        try:
            self.layout = TableLayout.of_header(self._memory[: HEADER_WORDS * WORD])
            if not 0 <= column < self.layout.columns:
                raise ValueError(f"the table has no column {column}")
        except BaseException:
            self._memory.close()
            raise
        self._cells = memoryview(self._memory).cast("q")
        self._sections: dict[str, TableSection] = {}

    @classmethod
    def create(cls, records: Iterable[RecordLayout], columns: int) -> SharedTable:
        """Return a new table with these sections, and claim its column 0."""
        layout = TableLayout.new(records, columns)
        made = os.memfd_create("ftpservice", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(made, layout.words * WORD)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(made, fcntl.F_ADD_SEALS, seals)
            os.pwrite(made, layout.header(), 0)
            table = cls.attach(made, 0)
        finally:
            os.close(made)
        table.claim_column()
        return table

    @classmethod
    def attach(cls, descriptor: int, column: int) -> SharedTable:
        """Return the mapping of a table for this process; ``descriptor`` remains the caller's.

        Raises `ValueError` if that is no table, or has no such column.
        """
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
        try:
            return cls(own, column)
        except BaseException:
            os.close(own)
            raise

    def close(self) -> None:
        """Unmap the memory; the column stays claimed."""
        for section in self._sections.values():
            section.descriptor = -1  # a late call locks nothing in another file
            section.cells.release()
        self._cells.release()
        self._memory.close()
        os.close(self.descriptor)
        self.descriptor = -1

    def section(self, name: str) -> TableSection:
        """Return a section; raises `KeyError`."""
        section = self._sections.get(name)
        if section is None:
            record = next((one for one in self.layout.records if one.name == name), None)
            if record is None:
                raise KeyError(name)
            section = self._sections[name] = TableSection(
                self._memory, self.descriptor, self.layout, record, self.column
            )
        return section

    def claim_column(self) -> int:
        """Return a column for a process that is about to start; raises `TableFull`."""
        acquire(self.descriptor, 0)
        try:
            states = self._cells[2 : 2 + self.layout.columns].tolist()
            if 0 not in states:
                raise TableFull("every column belongs to a process")
            column = states.index(0)
            self._cells[2 + column] = 1
            return column
        finally:
            unlock_byte(self.descriptor, 0)

    @property
    def claimed_columns(self) -> frozenset[int]:
        """The columns that belong to processes."""
        states = self._cells[2 : 2 + self.layout.columns].tolist()
        return frozenset(column for column, state in enumerate(states) if state)

    def clear_column(self, column: int) -> None:
        """Give back what a process held that has ended, and its column.

        Buckets that another process has locked are cleared as well, but their slots stay occupied
        until somebody needs them.
        """
        if column == self.column:
            raise ValueError("a process does not clear its own column")
        for record in self.layout.records:
            clear_column(self.section(record.name), column)
        self._cells[2 + column] = 0
