"""What is uploaded: files, bytes, whatever can be read or produces."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from twisted.internet.interfaces import IPullProducer, IPushProducer

from ftpservice.linux import is_cached
from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice.wire.digests import Hasher, new_hasher
from ftpservice_client.errors import Unsupported
from ftpservice_client.interfaces import UploadSource
from ftpservice_client.local.files import OpenFile, local_errors
from ftpservice_client.local.producer_source import ProducerSource
from ftpservice_client.local.threads import ThreadRunner

__all__ = ["Readable", "source_for"]

Readable = Path | bytes | bytearray | memoryview | BinaryIO | IPushProducer | IPullProducer
"""What can be uploaded."""

T = TypeVar("T")


class BytesSource(UploadSource):
    """Bytes in memory."""

    def __init__(self, threads: ThreadRunner, data: bytes) -> None:
        self._threads = threads
        self._data = data
        self.size = len(data)

    async def read(self, offset: int, size: int) -> bytes:
        """Return a piece."""
        return self._data[offset : offset + size]

    async def digest(self, algorithm: str) -> str:
        """Return the digest."""

        def digest() -> str:
            found = new_hasher(algorithm)
            found.update(self._data)
            return found.hexdigest()

        return await self._threads.call(digest)


class PathSource(UploadSource):
    """A file of the operating system."""

    def __init__(self, threads: ThreadRunner, path: Path) -> None:
        self._threads = threads
        self._path = path
        self._file: OpenFile | None = None
        self._cached_to = 0
        self._small: bytes | None = None

    async def open(self) -> None:
        """Open it, or read it if it is small; raises `LocalFileError`."""
        found = _open_if_cached(self._path)
        if found is None:
            found = await self._threads.call(_open_or_read, self._path, undo=_close_opened)
        opened, self._small = found
        self.size = opened.size
        if self._small is None:
            self._file = opened
            self.file = self

    @property
    def _open(self) -> OpenFile:
        assert self._file is not None
        return self._file

    async def read(self, offset: int, size: int) -> bytes:
        """Return a piece of what it had when it was opened."""
        assert self.size is not None
        if self._small is not None:
            return self._small[offset : offset + size]
        return await self._threads.call(
            self._open.read, offset, max(0, min(size, self.size - offset))
        )

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._open.descriptor

    def is_cached(self, offset: int, size: int) -> bool:
        """Tell whether a stretch is in memory, or was brought there."""
        assert self.size is not None
        size = min(size, self.size - offset)
        return offset + size <= self._cached_to or is_cached(self.fileno(), offset, size)

    async def cache(self, offset: int, size: int) -> None:
        """Bring a stretch into memory."""
        await self._threads.call(self._open.cache, offset, size)
        self._cached_to = offset + size

    async def exclusively(self, function: Callable[[int], T]) -> T:
        """Call a function with the descriptor, in a thread."""
        return await self._threads.call(self._open.use, function)

    async def digest(self, algorithm: str) -> str:
        """Return the digest of the file."""
        if self._small is not None:
            found = new_hasher(algorithm)
            found.update(self._small)
            return found.hexdigest()
        return await self._threads.call(self._open.digest, algorithm)

    def close(self) -> None:
        """Let go of it."""
        opened, self._file = self._file, None
        if opened is not None:
            self._threads.let_go(opened.close)


def _open_if_cached(path: Path) -> tuple[OpenFile, bytes | None] | None:
    """Do what `_open_or_read` does if that needs no disk; does not block."""
    file = OpenFile.at_once(path)
    if file is None or file.size > SMALL_FILE_SIZE:
        return None if file is None else (file, None)
    try:
        if is_cached(file.descriptor, 0, file.size):
            return file, file.read(0, file.size)
    finally:
        file.close()
    return None


def _open_or_read(path: Path) -> tuple[OpenFile, bytes | None]:
    """Return an open file and, closed then, what is in a small one."""
    file = OpenFile.reading(path)
    if file.size > SMALL_FILE_SIZE:
        return file, None
    try:
        return file, file.read(0, file.size)
    finally:
        file.close()


def _close_opened(looked_at: tuple[OpenFile, bytes | None]) -> None:
    looked_at[0].close()


class FileSource(UploadSource):
    """A binary file that somebody has opened; it is read from where it stands, and left open."""

    def __init__(self, threads: ThreadRunner, file: BinaryIO) -> None:
        self._threads = threads
        self._own = file
        self._start = self._at = 0

    async def open(self) -> None:
        """Find out how large it is."""
        await self._threads.call(self._measure)

    def _measure(self) -> None:
        with local_errors("the file"):
            self.is_restartable = self._own.seekable()
            if self.is_restartable:
                self._start = self._own.tell()
                self.size = max(0, self._own.seek(0, os.SEEK_END) - self._start)
                self._own.seek(self._start)

    async def read(self, offset: int, size: int) -> bytes:
        """Return a piece; where it cannot be sought, the next one."""
        return await self._threads.call(self._read, offset, size)

    def _read(self, offset: int, size: int) -> bytes:
        with local_errors("the file"):
            if self.is_restartable and offset != self._at:
                self._own.seek(self._start + offset)
            elif offset != self._at:
                raise io.UnsupportedOperation("cannot be read again")
            data = self._own.read(size) or b""
            self._at = offset + len(data)
            return data

    async def digest(self, algorithm: str) -> str:
        """Return the digest from where it stood to its end."""
        if not self.is_restartable:
            raise Unsupported("what cannot be read again has no digest")
        return await self._threads.call(self._digest, new_hasher(algorithm))

    def _digest(self, found: Hasher) -> str:
        offset = 0
        while data := self._read(offset, 1 << 20):
            found.update(data)
            offset += len(data)
        return found.hexdigest()


def source_for(threads: ThreadRunner, source: Readable) -> UploadSource:
    """Return what reads it; raises `TypeError` for what cannot be uploaded."""
    if isinstance(source, (str, os.PathLike)):
        return PathSource(threads, Path(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return BytesSource(threads, bytes(source))
    if IPushProducer.providedBy(source):
        return ProducerSource(source, streaming=True)
    if IPullProducer.providedBy(source):
        return ProducerSource(source, streaming=False)
    if callable(getattr(source, "read", None)):
        return FileSource(threads, source)
    raise TypeError(f"{type(source).__name__} cannot be uploaded")
