"""What the processes of a service tell each other about ledgers: lines in memory that all map.

Each process has its own book of the same trees. It must know a tree before it changes something in
it, and before anybody counts it. So what is new is appended to this log, and each process reads on
before each change; while it has something in progress, also a few times a second.

- An entry is there when the word `END` is behind it: one store, so a killed process leaves none in
  part. Who appends has the lock, which the kernel releases at the end of a process.
- A process tells how much it has read, and how many changes and uploads it has in progress. A
  process with none has nothing to do with what it has not read: it reads on before it begins one.
- When the log has grown, all that holds is appended once more, and the lines before are given back
  to the system. A process that had not read those begins with what holds.
- Names are locked in this file as well, far behind its end (`SharedNames`).
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ftpservice.concurrency.table_lock import acquire
from ftpservice.linux import punch_hole, unlock_byte

__all__ = ["ProcessActivity", "QuotaLog"]

HEADER_BYTES = 8192
END, START = 0, 1
"""Words of the header: where the next entry goes, and where those begin that hold."""
PROCESSES = 16
"""Word where the processes begin; each has `ACTIVE` and `READ`."""
ACTIVE, READ = 0, 1
MAX_PROCESSES = 256
MIN_LONG_BYTES = 1 << 20
LOCK_BYTE = 0


class ProcessActivity:
    """What each of ``columns`` processes has in progress, and up to where it has read.

    ``words`` begin with two for each; the process in ``column`` writes its own only.
    """

    def __init__(self, words: memoryview, column: int, columns: int) -> None:
        self._words = words
        self._own = 2 * column
        self._columns = columns
        self._active = words[self._own + ACTIVE] = 0

    def begin(self) -> None:
        """Record that something is in progress, before reading on."""
        self._active += 1
        self._words[self._own + ACTIVE] = self._active

    def end(self) -> None:
        """Record the end of what `begin` began."""
        self._active -= 1
        self._words[self._own + ACTIVE] = self._active

    def has_read(self, position: int) -> None:
        """Record up to where this process has read."""
        self._words[self._own + READ] = position

    @property
    def is_active(self) -> bool:
        """Whether this process has something in progress."""
        return self._active > 0

    @property
    def others_are_active(self) -> bool:
        """Whether other processes have something in progress."""
        return any(active for active, _ in self._others())

    def is_read_by_all(self, position: int) -> bool:
        """Tell whether the other processes that have something in progress have read so far."""
        return all(not active or read >= position for active, read in self._others())

    def _others(self) -> Iterator[tuple[int, int]]:
        words = self._words
        for process in range(0, 2 * self._columns, 2):
            if process != self._own:
                yield words[process + ACTIVE], words[process + READ]

    def release(self) -> None:
        """Record nothing any more."""
        self._words.release()

    def clear(self, column: int) -> None:
        """Record that a process has ended."""
        self._words[2 * column + ACTIVE] = 0


class QuotaLog:
    """The log as one of ``columns`` processes sees it; ``descriptor`` is inherited by others."""

    def __init__(self, descriptor: int, column: int, columns: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, HEADER_BYTES)
        self._words = memoryview(self._memory).cast("q")
        processes = self._words[PROCESSES : PROCESSES + 2 * columns]
        self.activity = ProcessActivity(processes, column, columns)
        self.position = self._words[START]
        """Up to where it was read."""
        self.activity.has_read(self.position)
        self._longest = MIN_LONG_BYTES

    @classmethod
    def create(cls, columns: int) -> QuotaLog:
        """Return a new log, for the process with column 0."""
        made = os.memfd_create("ftpservice-quotas", os.MFD_CLOEXEC)
        try:
            begin = HEADER_BYTES.to_bytes(8, sys.byteorder)
            os.ftruncate(made, HEADER_BYTES)
            os.pwrite(made, 2 * begin, 0)
            return cls.attach(made, 0, columns)
        finally:
            os.close(made)

    @classmethod
    def attach(cls, descriptor: int, column: int, columns: int) -> QuotaLog:
        """Return the log of a descriptor, which remains the caller's; raises `ValueError`."""
        if not 0 <= column < columns <= MAX_PROCESSES:
            raise ValueError(f"there is no process {column} of {columns}")
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
        try:
            return cls(own, column, columns)
        except BaseException:
            os.close(own)
            raise

    def close(self) -> None:
        """Unmap the memory, and release all locks."""
        self.activity.release()
        self._words.release()
        self._memory.close()
        os.close(self.descriptor)

    @property
    def has_news(self) -> bool:
        """Whether there is something to read."""
        return self._words[END] != self.position

    def news(self) -> Iterator[Any]:
        """Yield the entries that were not read yet; they count as read after the last one."""
        while (end := self._words[END]) != self.position:
            position = max(self.position, self._words[START])
            text = os.pread(self.descriptor, end - position, position)
            if self._words[START] > position:  # it may have been given back meanwhile
                continue
            yield from map(json.loads, text.splitlines())
            self.position = end
            self.activity.has_read(end)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from appending; raises `TableBusy`."""
        acquire(self.descriptor, LOCK_BYTE)
        try:
            yield
        finally:
            unlock_byte(self.descriptor, LOCK_BYTE)

    @property
    def end_position(self) -> int:
        """The end of the last entry."""
        return self._words[END]

    def append(self, *entries: Sequence[Any]) -> None:
        """Append entries, with the lock held."""
        text = b"".join(json.dumps(one).encode() + b"\n" for one in entries)
        end = self._words[END]
        os.pwrite(self.descriptor, text, end)
        self._words[END] = end + len(text)

    def shorten(self, everything: Callable[[], Iterable[Sequence[Any]]]) -> None:
        """If the log has become long, append all that holds, and forget what was before.

        Called with the lock held and everything read. Nothing is forgotten that a process with
        something in progress has not read.
        """
        end = self._words[END]
        if end - self._words[START] < self._longest or not self.activity.is_read_by_all(end):
            return
        self.append(*everything())
        self._longest = MIN_LONG_BYTES + 2 * (self._words[END] - end)
        self._words[START] = end
        with suppress(OSError):
            punch_hole(self.descriptor, HEADER_BYTES, end - HEADER_BYTES)
