"""What downloads write to: paths, memory, open files, Twisted consumers."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice.stream.splice import RunWithDescriptor, Turn, TurnResult
from ftpservice.wire.digests import new_hasher
from ftpservice_client.errors import LocalFileError, NetworkError
from ftpservice_client.interfaces import OVERLAP_SIZE, DownloadTarget
from ftpservice_client.local.files import PartFile, local_errors

__all__ = ["PathTarget", "Writable", "target_for"]


Writable = Path | BinaryIO | IConsumer | None
"""What a download can be written to."""


class MemoryTarget(DownloadTarget):
    """Bytes in memory, up to a limit."""

    is_restartable = True

    def __init__(self, pool: BlockingRunner, limit: int) -> None:
        self._pool = pool
        self._limit = limit
        self._pieces: list[bytes] = []

    async def write(self, data: bytes) -> None:
        """Keep a piece; raises `LocalFileError` if the limit is exceeded."""
        self.written += len(data)
        if self.written > self._limit:
            raise LocalFileError(f"the file has more than {self._limit} bytes (memory_limit)")
        self._pieces.append(data)

    async def tail(self) -> bytes:
        """Return the last bytes."""
        found = b""
        for piece in reversed(self._pieces):
            found = piece[-OVERLAP_SIZE:] + found
            if len(found) >= OVERLAP_SIZE:
                break
        return found[-OVERLAP_SIZE:]

    async def restart(self) -> None:
        """Drop everything."""
        self._pieces, self.written = [], 0

    async def digest(self, algorithm: str) -> str:
        """Return the digest."""

        def digest() -> str:
            found = new_hasher(algorithm)
            for piece in self._pieces:
                found.update(piece)
            return found.hexdigest()

        return await self._pool.run(digest)

    async def commit(self) -> bytes:
        """Return all bytes."""
        return b"".join(self._pieces)


class PathTarget(DownloadTarget):
    """A local file; a small one takes a single call in a thread, when all bytes are there.

    ``prepare`` is called in a thread before the file is created. With ``modified`` (seconds since
    the epoch) the complete file gets that modification time. ``small_pool`` is for that single call
    for a small file, if it is not for ``pool``.
    """

    is_restartable = True

    def __init__(  # noqa: PLR0913 - options are keywords
        self,
        pool: BlockingRunner,
        path: Path,
        *,
        small_pool: BlockingRunner | None = None,
        resume: bool = False,
        prepare: Callable[[], object] | None = None,
        modified: float | None = None,
    ) -> None:
        self._pool = pool
        self._small_pool = small_pool or pool
        self._path = path
        self._resume = resume
        self._prepare = prepare
        self._time_to_set = modified
        self._part: PartFile | None = None
        self._small = b""

    async def open(self) -> None:
        """With ``resume`` open what an earlier download left; otherwise do nothing yet."""
        if self._resume:
            self._part = opened = await self._pool.run(
                PartFile.resume, self._path, dispose=PartFile.keep_for_resume
            )
            self.written = opened.size
            self.modified = opened.modified if self.written else None

    @property
    def with_descriptor(self) -> RunWithDescriptor:
        """Call a function that writes to the file, in a thread."""
        return self._with_descriptor

    async def _opened_part(self) -> PartFile:
        """Return the part file; create it if necessary, with the bytes kept so far."""
        if self._part is None:
            begin = partial(_begin_part, self._path, self._small, self._prepare)
            self._part = await self._pool.run(begin, dispose=PartFile.discard)
            self._small = b""
        return self._part

    async def write(self, data: bytes) -> None:
        """Append a piece."""
        if self._part is None and len(self._small) + len(data) <= SMALL_FILE_SIZE:
            self._small += data
            self.written = len(self._small)
            return
        part = await self._opened_part()
        await self._pool.run(part.write, data)
        self.written = part.size

    async def _with_descriptor(self, turn: Turn) -> tuple[int, TurnResult]:
        part = await self._opened_part()
        try:
            return await self._pool.run(part.append_with_descriptor, turn)
        finally:
            if self._part is not None:
                self.written = self._part.size

    async def tail(self) -> bytes:
        """Read the last bytes."""
        if self._part is None:
            return self._small[-OVERLAP_SIZE:]
        size = min(OVERLAP_SIZE, self.written)
        return await self._pool.run(self._part.read, self.written - size, size)

    async def truncate(self, size: int) -> None:
        """Shorten the part file."""
        part = await self._opened_part()
        await self._pool.run(part.truncate, size)
        self.written = part.size

    async def restart(self) -> None:
        """Drop everything."""
        if self._part is not None:
            await self._pool.run(self._part.truncate, 0)
        self._small, self.written = b"", 0

    async def digest(self, algorithm: str) -> str:
        """Return the digest of the part file."""
        part = await self._opened_part()
        return await self._pool.run(part.digest, algorithm)

    async def commit(self) -> None:
        """Replace the file at the path."""
        if self._part is None:
            await self._small_pool.run(
                _write_file, self._path, self._small, self._prepare, self._time_to_set
            )
        else:
            await self._pool.run(_commit_part, self._part, self._path, self._time_to_set)
            self._part = None

    def abandon(self) -> None:
        """Delete the part file or, with ``resume``, keep it for the next download."""
        part, self._part = self._part, None
        if part is not None:
            run_unattended(self._pool, part.keep_for_resume if self._resume else part.discard)


def _begin_part(path: Path, data: bytes, prepare: Callable[[], object] | None) -> PartFile:
    if prepare is not None:
        prepare()
    part = PartFile.create(path)
    try:
        part.write(data)
    except BaseException:
        part.discard()
        raise
    return part


def _write_file(
    path: Path, data: bytes, prepare: Callable[[], object] | None, modified: float | None
) -> None:
    part = _begin_part(path, data, prepare)
    try:
        _commit_part(part, path, modified)
    finally:
        part.discard()


def _commit_part(part: PartFile, path: Path, modified: float | None) -> None:
    part.commit()
    if modified is not None:
        os.utime(path, (modified, modified))


class PassThroughTarget(DownloadTarget):
    """Passes the bytes on; keeps the last ones, to compare them after an interruption."""

    _last = b""

    async def tail(self) -> bytes:
        """Return the last bytes that were passed on."""
        return self._last

    def _passed(self, data: bytes) -> None:
        self.written += len(data)
        self._last = (self._last + data if len(data) < OVERLAP_SIZE else data)[-OVERLAP_SIZE:]


class FileTarget(PassThroughTarget):
    """A binary file that the caller has opened; written to at its position, and not closed."""

    def __init__(self, pool: BlockingRunner, file: BinaryIO) -> None:
        self._pool = pool
        self._file = file

    async def write(self, data: bytes) -> None:
        """Write a piece."""
        await self._pool.run(self._write, data)
        self._passed(data)

    def _write(self, data: bytes) -> None:
        with local_errors("the file"):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or len(view) :]


@implementer(IPushProducer)
class ConsumerTarget(PassThroughTarget):
    """A Twisted consumer, which may pause the download."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._paused: Deferred[None] | None = None
        self._stopped = self._registered = False

    async def open(self) -> None:
        """Register as its producer."""
        self._consumer.registerProducer(self, True)
        self._registered = True

    async def write(self, data: bytes) -> None:
        """Pass a piece on; raises `NetworkError` after `stopProducing`."""
        if self._stopped:
            raise NetworkError("the consumer stopped the download")
        self._consumer.write(data)
        self._passed(data)
        while self._paused is not None:
            await self._paused
        if self._stopped:
            raise NetworkError("the consumer stopped the download")

    def pauseProducing(self) -> None:
        """Pause the download."""
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:
        """Continue the download."""
        paused, self._paused = self._paused, None
        if paused is not None and not paused.called:
            paused.callback(None)

    def stopProducing(self) -> None:
        """End the download."""
        self._stopped = True
        self.resumeProducing()

    async def commit(self) -> None:
        """Unregister."""
        self.abandon()

    def abandon(self) -> None:
        """Unregister."""
        if self._registered:
            self._registered = False
            self._consumer.unregisterProducer()


def target_for(pool: BlockingRunner, to: Writable, *, resume: bool, limit: int) -> DownloadTarget:
    """Return the target for what a caller passes as ``to``; raises `TypeError`."""
    if to is None:
        return MemoryTarget(pool, limit)
    if isinstance(to, (str, os.PathLike)):
        return PathTarget(pool, Path(to), resume=resume)
    if IConsumer.providedBy(to):
        return ConsumerTarget(to)
    if callable(getattr(to, "write", None)):
        return FileTarget(pool, to)
    raise TypeError(f"cannot download to {type(to).__name__}")
