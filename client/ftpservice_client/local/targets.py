"""Where downloads go: files, memory, whatever writes or consumes."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice.stream.splice import RunExclusively, Turn, TurnResult
from ftpservice.wire.digests import new_hasher
from ftpservice_client.errors import LocalFileError, NetworkError
from ftpservice_client.interfaces import OVERLAP_SIZE, DownloadTarget
from ftpservice_client.local.files import PartFile, local_errors
from ftpservice_client.local.threads import ThreadRunner

__all__ = ["Writable", "target_for"]


Writable = Path | BinaryIO | IConsumer | None
"""Where a download can go."""


class MemoryTarget(DownloadTarget):
    """Keeps it all, up to a limit."""

    is_restartable = True

    def __init__(self, threads: ThreadRunner, limit: int) -> None:
        self._threads = threads
        self._limit = limit
        self._pieces: list[bytes] = []

    async def write(self, data: bytes) -> None:
        """Keep a piece; raises `LocalFileError` when it is too much."""
        self.written += len(data)
        if self.written > self._limit:
            raise LocalFileError(f"more than {self._limit} bytes to be kept in memory")
        self._pieces.append(data)

    async def tail(self) -> bytes:
        """Return the end of it."""
        found = b""
        for piece in reversed(self._pieces):
            found = piece[-OVERLAP_SIZE:] + found
            if len(found) >= OVERLAP_SIZE:
                break
        return found[-OVERLAP_SIZE:]

    async def restart(self) -> None:
        """Forget it."""
        self._pieces, self.written = [], 0

    async def digest(self, algorithm: str) -> str:
        """Return the digest."""

        def digest() -> str:
            found = new_hasher(algorithm)
            for piece in self._pieces:
                found.update(piece)
            return found.hexdigest()

        return await self._threads.call(digest)

    async def commit(self) -> bytes:
        """Return it all."""
        return b"".join(self._pieces)


class PathTarget(DownloadTarget):
    """A file; small ones are made when all is there, by one thread in one go."""

    is_restartable = True

    def __init__(self, threads: ThreadRunner, path: Path, resume: bool) -> None:
        self._threads = threads
        self._path = path
        self._resume = resume
        self._file: PartFile | None = None
        self._small = b""

    async def open(self) -> None:
        """Find what is left of an earlier download; a new one has no part before it needs one."""
        if self._resume:
            self._file = opened = await self._threads.call(
                PartFile.resume, self._path, undo=PartFile.keep
            )
            self.written = opened.size
            self.modified = opened.modified if self.written else None

    @property
    def exclusively(self) -> RunExclusively:
        """Have a thread receive into the part."""
        return self._exclusively

    async def _part(self) -> PartFile:
        """Return the part, made now if there is none, with what was kept."""
        if self._file is None:
            begin = partial(_begin_part, self._path, self._small)
            self._file = await self._threads.call(begin, undo=PartFile.discard)
            self._small = b""
        return self._file

    async def write(self, data: bytes) -> None:
        """Add a piece."""
        if self._file is None and len(self._small) + len(data) <= SMALL_FILE_SIZE:
            self._small += data
            self.written = len(self._small)
            return
        part = await self._part()
        await self._threads.call(part.write, data)
        self.written = part.size

    async def _exclusively(self, turn: Turn) -> tuple[int, TurnResult]:
        part = await self._part()
        try:
            return await self._threads.call(part.turn, turn)
        finally:
            if self._file is not None:
                self.written = self._file.size

    async def tail(self) -> bytes:
        """Read the end of it."""
        if self._file is None:
            return self._small[-OVERLAP_SIZE:]
        size = min(OVERLAP_SIZE, self.written)
        return await self._threads.call(self._file.read, self.written - size, size)

    async def truncate(self, size: int) -> None:
        """Cut the end of the part off."""
        part = await self._part()
        await self._threads.call(part.truncate, size)
        self.written = part.size

    async def restart(self) -> None:
        """Begin again."""
        if self._file is not None:
            await self._threads.call(self._file.truncate, 0)
        self._small, self.written = b"", 0

    async def digest(self, algorithm: str) -> str:
        """Return the digest of what is there."""
        part = await self._part()
        return await self._threads.call(part.digest, algorithm)

    async def commit(self) -> None:
        """Become the file."""
        if self._file is None:
            await self._threads.call(_write_whole, self._path, self._small)
        else:
            await self._threads.call(self._file.commit)
            self._file = None

    def abandon(self) -> None:
        """Go away, or stay to be gone on with."""
        part, self._file = self._file, None
        if part is not None:
            self._threads.let_go(part.keep if self._resume else part.discard)


def _begin_part(path: Path, data: bytes) -> PartFile:
    part = PartFile.create(path)
    try:
        part.write(data)
    except BaseException:
        part.discard()
        raise
    return part


def _write_whole(path: Path, data: bytes) -> None:
    part = _begin_part(path, data)
    try:
        part.commit()
    finally:
        part.discard()


class PassThroughTarget(DownloadTarget):
    """Passes everything on; keeps the end of it, to compare it with what comes after a cut."""

    _last = b""

    async def tail(self) -> bytes:
        """Return the end of what was passed on."""
        return self._last

    def _passed(self, data: bytes) -> None:
        self.written += len(data)
        self._last = (self._last + data if len(data) < OVERLAP_SIZE else data)[-OVERLAP_SIZE:]


class FileTarget(PassThroughTarget):
    """A binary file that somebody has opened; it is written to where it stands, and left open."""

    def __init__(self, threads: ThreadRunner, file: BinaryIO) -> None:
        self._threads = threads
        self._own = file

    async def write(self, data: bytes) -> None:
        """Write a piece."""
        await self._threads.call(self._write, data)
        self._passed(data)

    def _write(self, data: bytes) -> None:
        with local_errors("the file"):
            view = memoryview(data)
            while view:
                view = view[self._own.write(view) or len(view) :]


@implementer(IPushProducer)
class ConsumerTarget(PassThroughTarget):
    """A consumer of Twisted's; held back when it says so."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._paused: Deferred[None] | None = None
        self._stopped = self._registered = False

    async def open(self) -> None:
        """Register as its producer."""
        self._consumer.registerProducer(self, True)
        self._registered = True

    async def write(self, data: bytes) -> None:
        """Pass a piece on; raises `NetworkError` when no more is wanted."""
        if self._stopped:
            raise NetworkError("the consumer wants no more")
        self._consumer.write(data)
        self._passed(data)
        while self._paused is not None:
            await self._paused
        if self._stopped:
            raise NetworkError("the consumer wants no more")

    def pauseProducing(self) -> None:
        """Hold back."""
        if self._paused is None:
            self._paused = Deferred()

    def resumeProducing(self) -> None:
        """Go on."""
        paused, self._paused = self._paused, None
        if paused is not None and not paused.called:
            paused.callback(None)

    def stopProducing(self) -> None:
        """Stop."""
        self._stopped = True
        self.resumeProducing()

    async def commit(self) -> None:
        """Say that it is whole: there is no more."""
        self.abandon()

    def abandon(self) -> None:
        """Produce no more."""
        if self._registered:
            self._registered = False
            self._consumer.unregisterProducer()


def target_for(threads: ThreadRunner, to: Writable, *, resume: bool, limit: int) -> DownloadTarget:
    """Return what writes to it; raises `TypeError` for what nothing can be written to."""
    if to is None:
        return MemoryTarget(threads, limit)
    if isinstance(to, (str, os.PathLike)):
        return PathTarget(threads, Path(to), resume)
    if IConsumer.providedBy(to):
        return ConsumerTarget(to)
    if callable(getattr(to, "write", None)):
        return FileTarget(threads, to)
    raise TypeError(f"nothing can be downloaded to {type(to).__name__}")
