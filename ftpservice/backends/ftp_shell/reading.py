"""A file of an `IFTPShell` read piece by piece.

An `IReadFile` pushes the whole file into a consumer, once. `PullConsumer` is that consumer: it lets
a pull producer go on only when somebody reads, pauses a push producer while enough lies ready, and
holds what a file without a producer writes all at once (nothing can hold that back). The file can
only be read forward; what lies before the offset asked for is thrown away as it comes.
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
"""Bytes lying ready at which a push producer is paused."""

log = Logger()


@implementer(IConsumer)
class PullConsumer:
    """Where a shell's file pours its bytes."""

    def __init__(self) -> None:
        self.ready = bytearray()
        self.ended = False
        self.failure: Failure | None = None
        self._skip = 0
        self._producer: IPushProducer | IPullProducer | None = None
        self._streaming = False
        self._paused = False
        self._stirred = False
        self._waiting: Deferred[None] | None = None

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Take the producer; one that comes after the end is stopped."""
        self._producer = cast("IPushProducer | IPullProducer", producer)
        self._streaming, self._paused = streaming, False
        if self.ended:
            self._stop_producer()
        self._wake()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """Take bytes; after the end they are lost on purpose."""
        if self.ended:
            return
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        self.ready += data[skipped:]
        if self._streaming and self._producer is not None and len(self.ready) >= PAUSE_AT_BYTES:
            self._paused = True
            cast(IPushProducer, self._producer).pauseProducing()
        self._wake()

    def end(self, failure: Failure | None) -> None:
        """Note that the file is done, or how it failed."""
        if not self.ended:
            self.ended, self.failure = True, failure
            self._wake()

    def skip(self, count: int) -> None:
        """Throw ``count`` bytes away, those lying ready first."""
        there = min(count, len(self.ready))
        del self.ready[:there]
        self._skip += count - there

    async def more(self) -> None:
        """Wait until bytes lie ready or the file has ended."""
        while not (self.ready or self.ended):
            self._stirred = False
            self._resume_producer()
            # Waiting only where nothing came from within resumeProducing keeps a pull producer
            # from being resumed inside its own write, ever deeper.
            if not self._stirred:
                self._waiting = Deferred()
                await self._waiting

    def stop(self) -> None:
        """End from our side: no more is wanted."""
        self.ended = True
        self.ready.clear()
        self._stop_producer()
        self._wake()

    def _wake(self) -> None:
        self._stirred = True
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
    """A shell's file, from its beginning to its end."""

    def __init__(self, path: VirtualPath, file: IReadFile, entry: Entry) -> None:
        self.entry = entry
        self._path = path
        self._file = file
        self._tap = PullConsumer()
        self._sending: Deferred[object] | None = None
        self._position = 0
        self._closed = False

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes; raises `NotSupported` for going back."""
        if self._closed:
            raise Unavailable(self._path, "read after close")
        if offset < self._position:
            raise NotSupported(self._path, "this shell's files are read forward only")
        self._start()
        self._tap.skip(offset - self._position)
        self._position = offset
        await self._tap.more()
        data = bytes(self._tap.ready[:size])
        if not data:
            self._check_end()
        self._tap.skip(len(data))
        self._position += len(data)
        return data

    def close(self) -> None:
        """Stop the file where it is.

        One that nobody read is begun and stopped: `IReadFile` has no other way to be let go.
        """
        if self._closed:
            return
        self._closed = True
        self._tap.stop()
        self._start()
        if self._sending is not None and not self._sending.called:
            self._sending.cancel()

    def _start(self) -> None:
        if self._sending is None:
            self._sending = maybeDeferred(self._file.send, self._tap)
            self._sending.addCallbacks(lambda _: self._tap.end(None), self._tap.end)

    def _check_end(self) -> None:
        if self._closed:
            raise Unavailable(self._path, "closed while it was read")
        failure = self._tap.failure
        error = None if failure is None else failure.value
        if error is not None:
            raise storage_error_for(error, self._path) from error
