"""The bytes of a part until it is stored: in memory, or in a file if there are too many.

All transfers of a source share an allowance of memory. What an upload needs beyond it, and parts
larger than `MAX_MEMORY_PART`, are in temporary files, which have no names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from threading import Lock
from typing import IO

__all__ = ["MemoryAllowance", "PartBuffer", "appended_part_size", "part_size"]

FIRST_PART_SIZE = 8 << 20
PARTS_OF_A_SIZE = 1000
"""Parts before the size doubles: 10,000 parts hold eight TiB."""
APPENDED_OF_A_SIZE = 450
MAX_APPENDED_SIZE = 4 << 30
"""The same for what follows copied parts, which have the other 5,000 numbers: five TiB, too."""
MAX_MEMORY_PART = 16 << 20
PIECE_SIZE = 1 << 20
SMALL_PIECE = 64 << 10


def part_size(number: int) -> int:
    """Return the size of a part, by its number (from one)."""
    return FIRST_PART_SIZE << ((number - 1) // PARTS_OF_A_SIZE)


def appended_part_size(count: int) -> int:
    """Return the size of a part of an append, after ``count`` others."""
    return min(FIRST_PART_SIZE << (count // APPENDED_OF_A_SIZE), MAX_APPENDED_SIZE)


class MemoryAllowance:
    """Bytes that may be in memory, shared by the transfers of a source."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = Lock()

    def take(self, count: int) -> bool:
        """Take ``count`` bytes; False, and nothing is taken, if there are not so many."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
            return True

    def give_back(self, count: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._left += count


class PartBuffer:
    """Bytes that arrived: the first ones in memory, then, if it has to be, in a file."""

    def __init__(self, allowance: MemoryAllowance, directory: str) -> None:
        self._allowance = allowance
        self._directory = directory or None
        self._pieces: list[bytes | bytearray] = []
        self._in_memory = 0
        self._file: IO[bytes] | None = None
        self.size = 0

    @property
    def is_in_memory(self) -> bool:
        """Whether nothing is in a file."""
        return self._file is None

    def add(self, data: bytes) -> bool:
        """Add bytes in memory; False, and nothing is added, if they have to go to the file."""
        if self._file is not None or self._in_memory + len(data) > MAX_MEMORY_PART:
            return False
        if not self._allowance.take(len(data)):
            return False
        last = self._pieces[-1] if self._pieces else b""
        if len(data) >= SMALL_PIECE:
            self._pieces.append(data)
        elif isinstance(last, bytearray) and len(last) < PIECE_SIZE:
            last += data  # a million small objects would take far more memory than counted
        else:
            self._pieces.append(bytearray(data))
        self._in_memory += len(data)
        self.size += len(data)
        return True

    def spool(self, data: bytes) -> None:
        """Add bytes to the file; blocks, and raises `OSError`."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 (see `close`)
        self._file.seek(0, 2)
        self._file.write(data)
        self.size += len(data)

    def pieces(self) -> Iterator[bytes | bytearray]:
        """Yield the bytes; those of the file block."""
        yield from self._pieces
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(PIECE_SIZE):
                yield piece

    def read(self, offset: int, size: int) -> bytes:
        """Return some bytes; those of the file block."""
        if offset >= self._in_memory:
            if self._file is None:
                return b""
            self._file.seek(offset - self._in_memory)
            return self._file.read(size)
        position = 0
        for piece in self._pieces:
            if offset < position + len(piece):
                start = offset - position
                return bytes(piece[start : start + size])
            position += len(piece)
        return b""

    def all_bytes(self) -> bytes:
        """Return all bytes; of a small part only."""
        return b"".join(self.pieces())

    def close(self) -> None:
        """Give memory and file back; does nothing the second time."""
        self._allowance.give_back(self._in_memory)
        self._in_memory = self.size = 0
        self._pieces = []
        if self._file is not None:
            self._file.close()
            self._file = None
