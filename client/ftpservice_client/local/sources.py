"""What uploads read from: paths, bytes, open files, Twisted producers."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from twisted.internet.interfaces import IPullProducer, IPushProducer

from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.linux import is_cached
from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice.wire.digests import Hasher, new_hasher
from ftpservice_client.errors import Unsupported
from ftpservice_client.interfaces import UploadSource
from ftpservice_client.local.files import OpenFile, local_errors
from ftpservice_client.local.producer_source import ProducerSource

__all__ = ["Readable", "source_for"]

Readable = Path | bytes | bytearray | memoryview | BinaryIO | IPushProducer | IPullProducer
"""What can be uploaded."""

T = TypeVar("T")
DIGEST_READ_SIZE = 1 << 20


class BytesSource(UploadSource):
    """Bytes in memory."""

    def __init__(self, pool: BlockingRunner, data: bytes) -> None:
        self._pool = pool
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

        return await self._pool.run(digest)


class PathSource(UploadSource):
    """A local file."""

    def __init__(self, pool: BlockingRunner, path: Path) -> None:
        self._pool = pool
        self._path = path
        self._opened: OpenFile | None = None
        self._cached_to = 0
        self._small: bytes | None = None
        """The content of a small file, which is closed then."""

    async def open(self) -> None:
        """Open the file, or read it if it is small; raises `LocalFileError`."""
        found = _read_if_cached(self._path)
        if found is None:
            found = await self._pool.run(_open_or_read, self._path, dispose=_close_opened)
        opened, self._small = found
        self.size = opened.size
        if self._small is None:
            self._opened = opened
            self.file = self

    @property
    def _open(self) -> OpenFile:
        assert self._opened is not None
        return self._opened

    async def read(self, offset: int, size: int) -> bytes:
        """Return a piece of the bytes that the file had when it was opened."""
        if self._small is not None:
            return self._small[offset : offset + size]
        assert self.size is not None
        return await self._pool.run(self._open.read, offset, max(0, min(size, self.size - offset)))

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._open.descriptor

    def is_cached(self, offset: int, size: int) -> bool:
        """Return whether a range is in the page cache, or was read into it by `cache`."""
        assert self.size is not None
        size = min(size, self.size - offset)
        return offset + size <= self._cached_to or is_cached(self.fileno(), offset, size)

    async def cache(self, offset: int, size: int) -> None:
        """Read a range into the page cache."""
        await self._pool.run(self._open.cache, offset, size)
        self._cached_to = offset + size

    async def with_descriptor(self, function: Callable[[int], T]) -> T:
        """Call a function with the descriptor, in a thread."""
        return await self._pool.run(self._open.use, function)

    async def digest(self, algorithm: str) -> str:
        """Return the digest of the file."""
        if self._small is not None:
            found = new_hasher(algorithm)
            found.update(self._small)
            return found.hexdigest()
        return await self._pool.run(self._open.digest, algorithm)

    def close(self) -> None:
        """Close the file."""
        opened, self._opened = self._opened, None
        if opened is not None:
            run_unattended(self._pool, opened.close)


def _read_if_cached(path: Path) -> tuple[OpenFile, bytes | None] | None:
    """Do what `_open_or_read` does if that needs no disk access; does not block."""
    file = OpenFile.open_if_cached(path)
    if file is None or file.size > SMALL_FILE_SIZE:
        return None if file is None else (file, None)
    try:
        if is_cached(file.descriptor, 0, file.size):
            return file, file.read(0, file.size)
    finally:
        file.close()
    return None


def _open_or_read(path: Path) -> tuple[OpenFile, bytes | None]:
    """Return an open file or, of a small one, the closed file and its content."""
    file = OpenFile.reading(path)
    if file.size > SMALL_FILE_SIZE:
        return file, None
    try:
        return file, file.read(0, file.size)
    finally:
        file.close()


def _close_opened(opened: tuple[OpenFile, bytes | None]) -> None:
    opened[0].close()


class FileSource(UploadSource):
    """A binary file that the caller has opened; read from its position, and not closed."""

    def __init__(self, pool: BlockingRunner, file: BinaryIO) -> None:
        self._pool = pool
        self._file = file
        self._start = self._at = 0

    async def open(self) -> None:
        """Determine the size, if the file is seekable."""
        await self._pool.run(self._measure)

    def _measure(self) -> None:
        with local_errors("the file"):
            self.is_restartable = self._file.seekable()
            if self.is_restartable:
                self._start = self._file.tell()
                self.size = max(0, self._file.seek(0, os.SEEK_END) - self._start)
                self._file.seek(self._start)

    async def read(self, offset: int, size: int) -> bytes:
        """Return a piece; of a file that is not seekable, the next one."""
        return await self._pool.run(self._read, offset, size)

    def _read(self, offset: int, size: int) -> bytes:
        with local_errors("the file"):
            if self.is_restartable and offset != self._at:
                self._file.seek(self._start + offset)
            elif offset != self._at:
                raise io.UnsupportedOperation("not seekable")
            data = self._file.read(size) or b""
            self._at = offset + len(data)
            return data

    async def digest(self, algorithm: str) -> str:
        """Return the digest of the bytes from the first position to the end."""
        if not self.is_restartable:
            raise Unsupported("a source that cannot be read twice has no digest")
        return await self._pool.run(self._digest, new_hasher(algorithm))

    def _digest(self, found: Hasher) -> str:
        offset = 0
        while data := self._read(offset, DIGEST_READ_SIZE):
            found.update(data)
            offset += len(data)
        return found.hexdigest()


def source_for(pool: BlockingRunner, source: Readable) -> UploadSource:
    """Return the source for what a caller uploads; raises `TypeError`."""
    if isinstance(source, (str, os.PathLike)):
        return PathSource(pool, Path(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return BytesSource(pool, bytes(source))
    if IPushProducer.providedBy(source):
        return ProducerSource(source, streaming=True)
    if IPullProducer.providedBy(source):
        return ProducerSource(source, streaming=False)
    if callable(getattr(source, "read", None)):
        return FileSource(pool, source)
    raise TypeError(f"cannot upload {type(source).__name__}")
