"""A file of an `IFTPShell`, read in pieces.

An `IReadFile` sends the whole file to a consumer, once. `PullConsumer` is that consumer. It resumes
a pull producer only for a read, pauses a push producer while enough bytes are buffered, and buffers
everything that a file without a producer writes at once, because nothing can pause that. The file
can only be read forward; bytes before the requested offset are discarded as they arrive.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IConsumer, IPullProducer, IPushProducer
from twisted.logger import Logger
from twisted.protocols.ftp import IReadFile
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.backends.ftp_shell.errors import storage_error_for
from ftpservice.storage.errors import NotSupported, Unavailable
from ftpservice.storage.interfaces import IReading
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["ShellReading"]

PAUSE_AT_BYTES = 1 << 18
"""Buffered bytes at which a push producer is paused."""

log = Logger()


@implementer(IConsumer)
class PullConsumer:
    """Receives and buffers the bytes of a shell's file."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.ended = False
        self.failure: Failure | None = None
        self._skip = 0
        self._producer: IPushProducer | IPullProducer | None = None
        self._streaming = False
        self._paused = False
        self._was_woken = False
        self._waiting: Deferred[None] | None = None

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Take the producer; after the end, stop it."""
        self._producer = cast("IPushProducer | IPullProducer", producer)
        self._streaming, self._paused = streaming, False
        if self.ended:
            self._stop_producer()
        self._wake()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """Buffer bytes; after the end they are discarded."""
        if self.ended:
            return
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        self.buffer += data[skipped:]
        if self._streaming and self._producer is not None and len(self.buffer) >= PAUSE_AT_BYTES:
            self._paused = True
            cast(IPushProducer, self._producer).pauseProducing()
        self._wake()

    def end(self, failure: Failure | None) -> None:
        """Note the end of the file, or its failure."""
        if not self.ended:
            self.ended, self.failure = True, failure
            self._wake()

    def skip(self, count: int) -> None:
        """Discard ``count`` bytes, buffered ones first."""
        there = min(count, len(self.buffer))
        del self.buffer[:there]
        self._skip += count - there

    async def more(self) -> None:
        """Wait until bytes are buffered or the file has ended."""
        while not (self.buffer or self.ended):
            self._was_woken = False
            self._resume_producer()
            # A pull producer may write from within resumeProducing. Waiting in that case too
            # would resume it inside its own write, recursively.
            if not self._was_woken:
                self._waiting = Deferred()
                await self._waiting

    def stop(self) -> None:
        """End the file early and stop the producer."""
        self.ended = True
        self.buffer.clear()
        self._stop_producer()
        self._wake()

    def _wake(self) -> None:
        self._was_woken = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def _resume_producer(self) -> None:
        if self._producer is not None and (self._paused or not self._streaming):
            self._paused = False
            self._producer.resumeProducing()

    def _stop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with log.failureHandler("stopping a shell's producer"):
                producer.stopProducing()


@implementer(IReading)
class ShellReading:
    """A shell's file, read from its beginning to its end."""

    def __init__(self, path: VirtualPath, file: IReadFile, entry: Entry) -> None:
        self.entry = entry
        self._path = path
        self._file = file
        self._consumer = PullConsumer()
        self._sending: Deferred[object] | None = None
        self._position = 0
        self._closed = False

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes; raises `NotSupported` for an offset before the last one."""
        if self._closed:
            raise Unavailable(self._path, "read after close")
        if offset < self._position:
            raise NotSupported(self._path, "the files of this shell can only be read forward")
        self._start()
        self._consumer.skip(offset - self._position)
        self._position = offset
        await self._consumer.more()
        data = bytes(self._consumer.buffer[:size])
        if not data:
            self._check_end()
        self._consumer.skip(len(data))
        self._position += len(data)
        return data

    def close(self) -> None:
        """Stop the file.

        One that was never read is started and stopped: `IReadFile` has no other way to close.
        """
        if self._closed:
            return
        self._closed = True
        self._consumer.stop()
        self._start()
        if self._sending is not None and not self._sending.called:
            self._sending.cancel()

    def _start(self) -> None:
        if self._sending is None:
            self._sending = maybeDeferred(self._file.send, self._consumer)
            self._sending.addCallbacks(lambda _: self._consumer.end(None), self._consumer.end)

    def _check_end(self) -> None:
        if self._closed:
            raise Unavailable(self._path, "closed while it was read")
        failure = self._consumer.failure
        error = None if failure is None else failure.value
        if error is not None:
            raise storage_error_for(error, self._path) from error
