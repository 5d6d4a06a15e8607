"""A bounded queue of records on the disk, which survives the end of the process.

- A record is a line: the CRC-32 of its text in eight hex digits, a space, the text (no line end).
  It has one row, or several with `ROW_SEPARATOR` between them.
- Records are appended to the last of several files (segments). What has been delivered is
  remembered in memory; a segment is removed when all of it was delivered. So after a kill the
  records of a segment may be delivered again, and whoever takes them has to know their ids.
- A record that was written when the process ended is in the page cache of the kernel, and survives
  a kill of the process. ``is_durable`` syncs every batch, so that it survives a loss of power, too;
  without it the kernel writes within about 30 s, and a segment is synced at its end.
- A damaged record (a torn line at the end of a segment, a flipped bit) is skipped, and its rows
  are counted, as far as they can be seen.

One thread appends, another one takes; `lock` protects what both use, never while the disk works.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

__all__ = ["ROW_SEPARATOR", "Spool", "SpoolBatch", "SpoolFull"]

ROW_SEPARATOR = ",\t"
"""Between two rows of a record, which are JSON: there is no tab within them."""

SEGMENT_BYTES = 4 * 1024 * 1024
SEGMENTS = 4
"""At least so many fit into a spool: only a whole segment is removed."""
READ_BYTES = 1024 * 1024
SEGMENT_NAME = re.compile(r"([0-9]{12})\.spool")
PRIVATE_MODE = 0o600
CRC_DIGITS = 8


class SpoolFull(Exception):
    """The spool has its maximum size."""


@dataclass
class SpoolSegment:
    """One file of the spool."""

    path: Path
    size: int = 0
    """Bytes that are written completely."""
    delivered: int = 0
    """Bytes that were delivered."""
    is_sealed: bool = True


@dataclass(frozen=True)
class SpoolBatch:
    """Records that were taken from the spool."""

    records: Sequence[str]
    damaged: int
    """Rows of the records that were skipped."""
    segment: SpoolSegment
    end: int
    """The position after the last of them."""

    @property
    def rows(self) -> int:
        """The number of rows in the records."""
        return sum(record.count(ROW_SEPARATOR) + 1 for record in self.records)


class Spool:
    """The spool in a directory, which must exist; at most ``max_bytes`` large."""

    def __init__(self, directory: Path, max_bytes: int, is_durable: bool = False) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max_bytes // SEGMENTS)
        self._is_durable = is_durable
        self._segments: list[SpoolSegment] = []
        self._file: int | None = None
        self._next_number = 1
        self.lock = Lock()
        self._find_segments()

    def _find_segments(self) -> None:
        for path in sorted(self._directory.iterdir()):
            match = SEGMENT_NAME.fullmatch(path.name)
            if match is not None and path.is_file() and not path.is_symlink():
                self._next_number = int(match[1]) + 1
                size = path.stat().st_size
                if size:
                    self._segments.append(SpoolSegment(path, size))
                else:
                    path.unlink()

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        with self.lock:
            return sum(segment.size for segment in self._segments)

    @property
    def waiting(self) -> int:
        """Bytes that are not delivered."""
        with self.lock:
            return sum(segment.size - segment.delivered for segment in self._segments)

    def append(self, records: Sequence[str]) -> None:
        """Append all records (blocks), or none; raises `SpoolFull` and `OSError`."""
        data = b"".join(map(_line, records))
        if self.size + len(data) > self._max_bytes and not self.waiting:
            self.seal()  # removes the last segment, which was delivered
        if self.size + len(data) > self._max_bytes:
            raise SpoolFull(f"the spool has its maximum size of {self._max_bytes} bytes")
        segment = self._segment_for(len(data))
        assert self._file is not None
        try:
            _write(self._file, data)
            if self._is_durable:
                os.fdatasync(self._file)
        except OSError:
            self._take_back(segment)
            raise
        with self.lock:
            segment.size += len(data)

    def _segment_for(self, size: int) -> SpoolSegment:
        """Return the segment that is written, or a new one."""
        with self.lock:
            last = self._segments[-1] if self._segments else None
        if last is not None and not last.is_sealed:
            if last.size + size <= self._segment_bytes or not last.size:
                return last
            self.seal()
        path = self._directory / f"{self._next_number:012}.spool"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(path, flags, PRIVATE_MODE)
        self._next_number += 1
        segment = SpoolSegment(path, is_sealed=False)
        with self.lock:
            self._segments.append(segment)
        return segment

    def _take_back(self, segment: SpoolSegment) -> None:
        """Remove what was written of a batch; if that fails, too, nothing follows it."""
        assert self._file is not None
        try:
            os.ftruncate(self._file, segment.size)
        except OSError:
            with suppress(OSError):
                self.seal()

    def seal(self) -> None:
        """End the segment that is written, if there is one, and sync it (blocks)."""
        file, self._file = self._file, None
        if file is None:
            return
        with self.lock:
            segment = self._segments[-1]
        try:
            os.fsync(file)
        finally:
            os.close(file)
            with self.lock:
                segment.is_sealed = True
                is_delivered = segment.delivered >= segment.size
            if is_delivered:
                self._remove(segment)

    def take(self, most: int) -> SpoolBatch | None:
        """Return at most ``most`` records that were not delivered (blocks), the oldest first.

        None: there are none. The same are returned until `deliver` is called. Raises `OSError`.
        """
        while True:
            with self.lock:
                waiting = [one for one in self._segments if one.delivered < one.size]
                if not waiting:
                    return None
                segment = waiting[0]
                begin, end = segment.delivered, segment.size
            with open(segment.path, "rb") as file:
                file.seek(begin)
                data = file.read(min(READ_BYTES, end - begin))
                if b"\n" not in data and begin + len(data) < end:  # one record, very long
                    data += file.readline(end - begin - len(data))
            batch = _batch(segment, begin, data, most)
            if batch.end > begin:
                return batch
            # A torn line at the end of a segment: it is skipped alone.
            return SpoolBatch((), _rows(data), segment, begin + len(data) if data else end)

    def deliver(self, batch: SpoolBatch) -> None:
        """Forget the records of a batch (blocks): they were delivered."""
        segment = batch.segment
        with self.lock:
            segment.delivered = batch.end
            is_over = segment.is_sealed and segment.delivered >= segment.size
        if is_over:
            self._remove(segment)

    def _remove(self, segment: SpoolSegment) -> None:
        with self.lock:
            if segment in self._segments:
                self._segments.remove(segment)
        segment.path.unlink(missing_ok=True)


def _line(record: str) -> bytes:
    text = record.encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _batch(segment: SpoolSegment, begin: int, data: bytes, most: int) -> SpoolBatch:
    """Return the complete lines at the start of ``data``."""
    records: list[str] = []
    damaged, end = 0, begin
    for line in data.split(b"\n", most)[:most]:
        if end + len(line) >= begin + len(data):
            break  # it has no end
        end += len(line) + 1
        text = line[CRC_DIGITS + 1 :]
        if line[: CRC_DIGITS + 1] == b"%08x " % zlib.crc32(text):
            records.append(text.decode())
        else:
            damaged += _rows(line)
    return SpoolBatch(records, damaged, segment, end)


def _rows(line: bytes) -> int:
    return line.count(ROW_SEPARATOR.encode()) + 1
