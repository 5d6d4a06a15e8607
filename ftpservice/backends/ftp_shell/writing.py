"""A file of an `IFTPShell` being written.

An `IFTPShell` knows no transactions: what is written is seen at once, and a file that is replaced
is gone when the upload begins. What can be kept of our promises is kept: `IWriteFile.close`, by
which a shell learns that a file is whole, is called at commit only; and an upload that is cut takes
its new file away again, where the shell lets it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.logger import Logger
from twisted.protocols.ftp import IWriteFile
from zope.interface import implementer

from ftpservice.backends.ftp_shell.errors import call_shell
from ftpservice.storage.errors import BadOffset, StorageError, Unavailable
from ftpservice.storage.interfaces import IWriting, WriteRequest
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["ShellWriting", "UploadCallbacks", "dispose"]

log = Logger()


@implementer(IPushProducer)
class BackpressureProducer:
    """The producer that a shell's consumer is given, to hold us back with."""

    def __init__(self) -> None:
        self.stopped = False
        self._paused = False
        self._waiting: Deferred[None] | None = None

    async def wait(self) -> None:
        """Wait while the consumer wants nothing."""
        while self._paused and not self.stopped:
            self._waiting = Deferred()
            await self._waiting

    def pauseProducing(self) -> None:
        """Hold writes back."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Let writes go on."""
        self._paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """Refuse all further writes."""
        self.stopped = True
        self.resumeProducing()


@dataclass(frozen=True)
class UploadCallbacks:
    """What to do with a shell's file when its upload is over."""

    facts: Callable[[int], Awaitable[Entry]]
    """Return the facts of the finished file, of which so many bytes were written."""
    undo: Callable[[], Awaitable[None]]
    """Take a new file away again; raises nothing."""


@implementer(IWriting)
class ShellWriting:
    """A file that a shell receives."""

    offset = 0

    def __init__(
        self, path: VirtualPath, request: WriteRequest, file: IWriteFile, ends: UploadCallbacks
    ) -> None:
        self.path = path
        self._request = request
        self._file = file
        self._ends = ends
        self._consumer: IConsumer | None = None
        self._valve = BackpressureProducer()
        self._written = 0
        self._ended = False

    async def open(self) -> None:
        """Get the consumer that takes the bytes; to be called once, before anything else."""
        try:
            receive = self._file.receive
            self._consumer = await call_shell(self.path, receive, late=close_consumer)
            await call_shell(self.path, self._consumer.registerProducer, self._valve, True)
        except BaseException:
            await self.abandon()
            raise

    async def write(self, data: bytes) -> None:
        """Hand bytes to the shell, as soon as it wants some."""
        self._check_open()
        await self._valve.wait()
        self._check_open()
        if self._consumer is not None:
            await call_shell(self.path, self._consumer.write, data)
        self._written += len(data)

    async def commit(self) -> Entry:
        """Tell the shell that the file is whole."""
        self._check_open()
        if self._request.announced not in (None, self._written):
            await self.abandon()
            raise BadOffset(self.path, f"{self._written} bytes are not what was announced")
        self._ended = True
        try:
            if self._consumer is not None:
                await call_shell(self.path, self._consumer.unregisterProducer)
            await call_shell(self.path, self._file.close)
            return await self._ends.facts(self._written)
        except BaseException:
            await self._ends.undo()
            raise

    async def abandon(self) -> None:
        """Let the file go without a word that it is whole."""
        if self._ended:
            return
        self._ended = True
        self._valve.stopProducing()
        if self._consumer is not None:
            close_consumer(self._consumer)
        await self._ends.undo()

    def _check_open(self) -> None:
        if self._ended or self._valve.stopped:
            raise Unavailable(self.path, "the transaction is over")


def close_consumer(consumer: IConsumer) -> None:
    """End what a consumer was to receive; for Twisted's, this closes its file."""
    with log.failureHandler("ending an upload into a shell"):
        consumer.unregisterProducer()


def dispose(
    path: VirtualPath, request: WriteRequest, file: IWriteFile, ends: UploadCallbacks
) -> None:
    """Let go of a file that was opened for an upload that is over by now."""

    async def close() -> None:
        with suppress(StorageError):
            writing = ShellWriting(path, request, file, ends)
            await writing.open()
            await writing.abandon()

    Deferred.fromCoroutine(close())
