"""Uploads from a Twisted producer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from ftpservice_client.errors import NetworkError
from ftpservice_client.interfaces import UploadSource

__all__ = ["ProducerSource"]

MAX_BUFFERED_BYTES = 256 * 1024


@implementer(IConsumer)
class ProducerSource(UploadSource):
    """The consumer of a producer; buffers a limited number of bytes.

    ``producer`` is used from the first read on, unless another one registers itself before.
    """

    is_restartable = False

    def __init__(self, producer: Any, *, streaming: bool) -> None:
        self._producer = producer
        self._streaming = streaming
        self._pieces: list[bytes] = []
        self._buffered_size = 0
        self._ended = self._begun = self._closed = False
        self._waiting: Deferred[None] | None = None

    async def open(self) -> None:
        """Set the ``consumer`` of the producer, if it has such an attribute."""
        begin = getattr(self._producer, "beginProducing", None) or getattr(
            self._producer, "startProducing", None
        )
        if begin is not None:
            ended = begin(self)
            if isinstance(ended, Deferred):
                ended.addBoth(self._over)

    def _over(self, _result: object) -> None:
        self.unregisterProducer()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Use this producer from now on."""
        self._producer, self._streaming = producer, streaming

    def unregisterProducer(self) -> None:
        """Record the end of the data."""
        self._ended = True
        self._wake()

    def write(self, data: bytes) -> None:
        """Buffer a piece."""
        if self._closed:
            return
        self._pieces.append(data)
        self._buffered_size += len(data)
        if self._streaming and self._buffered_size >= MAX_BUFFERED_BYTES:
            self._producer.pauseProducing()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def read(self, offset: int, size: int) -> bytes:  # noqa: ARG002 - not seekable
        """Return the next bytes; raises `NetworkError` after `close`."""
        while not self._pieces and not self._ended and not self._closed:
            waiting: Deferred[None] = Deferred()
            self._waiting = waiting
            self._producer.resumeProducing()
            if not waiting.called:
                await waiting
        if self._closed:
            raise NetworkError("the upload has ended")
        buffered = b"".join(self._pieces)
        data, rest = buffered[:size], buffered[size:]
        self._pieces, self._buffered_size = [rest] if rest else [], len(rest)
        return data

    def close(self) -> None:
        """Stop the producer, unless it has ended."""
        if not self._closed:
            self._closed = True
            self._wake()
            if not self._ended:
                self._producer.stopProducing()
