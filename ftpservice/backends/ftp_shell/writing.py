"""A file of an `IFTPShell` being written.

An `IFTPShell` has no transactions: written bytes are visible at once, and a replaced file is gone
when the upload begins. Two things are done nevertheless: `IWriteFile.close`, which marks a file as
complete, is called only at the commit; and an interrupted upload removes its new file, if the shell
permits it.
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
    """The producer registered with a shell's consumer, which pauses and resumes writes by it."""

    def __init__(self) -> None:
        self.stopped = False
        self._paused = False
        self._waiting: Deferred[None] | None = None

    async def wait(self) -> None:
        """Wait while the consumer has paused writes."""
        while self._paused and not self.stopped:
            self._waiting = Deferred()
            await self._waiting

    def pauseProducing(self) -> None:
        """Pause writes."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Resume writes."""
        self._paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """End all writes."""
        self.stopped = True
        self.resumeProducing()


@dataclass(frozen=True)
class UploadCallbacks:
    """What to do with a shell's file at the end of its upload."""

    facts: Callable[[int], Awaitable[Entry]]
    """Return the entry of the complete file; takes the number of bytes written."""
    undo: Callable[[], Awaitable[None]]
    """Remove a new file; raises nothing."""


@implementer(IWriting)
class ShellWriting:
    """A file that a shell receives."""

    offset = 0

    def __init__(
        self, path: VirtualPath, request: WriteRequest, file: IWriteFile, callbacks: UploadCallbacks
    ) -> None:
        self.path = path
        self._request = request
        self._file = file
        self._callbacks = callbacks
        self._consumer: IConsumer | None = None
        self._producer = BackpressureProducer()
        self._written = 0
        self._ended = False

    async def open(self) -> None:
        """Get the consumer for the bytes; has to be called once, before the other methods."""
        try:
            receive = self._file.receive
            self._consumer = await call_shell(self.path, receive, late=close_consumer)
            await call_shell(self.path, self._consumer.registerProducer, self._producer, True)
        except BaseException:
            await self.abandon()
            raise

    async def write(self, data: bytes) -> None:
        """Pass bytes to the shell, as soon as it takes some."""
        self._require_open()
        await self._producer.wait()
        self._require_open()
        if self._consumer is not None:
            await call_shell(self.path, self._consumer.write, data)
        self._written += len(data)

    async def commit(self) -> Entry:
        """Inform the shell that the file is complete."""
        self._require_open()
        try:
            self._request.check_announced(self._written, self.path)
        except BadOffset:
            await self.abandon()
            raise
        self._ended = True
        try:
            if self._consumer is not None:
                await call_shell(self.path, self._consumer.unregisterProducer)
            await call_shell(self.path, self._file.close)
            return await self._callbacks.facts(self._written)
        except BaseException:
            await self._callbacks.undo()
            raise

    async def abandon(self) -> None:
        """End the upload without telling the shell that the file is complete."""
        if self._ended:
            return
        self._ended = True
        self._producer.stopProducing()
        if self._consumer is not None:
            close_consumer(self._consumer)
        await self._callbacks.undo()

    def _require_open(self) -> None:
        if self._ended or self._producer.stopped:
            raise Unavailable(self.path, "the transaction is over")


def close_consumer(consumer: IConsumer) -> None:
    """End the input of a consumer; Twisted's closes its file then."""
    with log.failureHandler("ending an upload into a shell"):
        consumer.unregisterProducer()


def dispose(
    path: VirtualPath, request: WriteRequest, file: IWriteFile, callbacks: UploadCallbacks
) -> None:
    """Close a file that was opened after its upload had ended."""

    async def close() -> None:
        with suppress(StorageError):
            writing = ShellWriting(path, request, file, callbacks)
            await writing.open()
            await writing.abandon()

    Deferred.fromCoroutine(close())
