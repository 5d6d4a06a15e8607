"""Producers of Twisted's as what an upload reads from."""

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
    """Consumes what a producer produces, until it unregisters itself; keeps little of it.

    One that registers itself (``registerProducer`` is called on this by the producer's side) need
    not be given here: the producer that is given is registered when reading begins.
    """

    is_restartable = False

    def __init__(self, producer: Any, *, streaming: bool) -> None:
        self._producer = producer
        self._streaming = streaming
        self._pieces: list[bytes] = []
        self._kept = 0
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
        """Take bytes from this producer from now on."""
        self._producer, self._streaming = producer, streaming

    def unregisterProducer(self) -> None:
        """Learn that there is no more."""
        self._ended = True
        self._wake()

    def write(self, data: bytes) -> None:
        """Keep a piece."""
        if self._closed:
            return
        self._pieces.append(data)
        self._kept += len(data)
        if self._streaming and self._kept >= MAX_BUFFERED_BYTES:
            self._producer.pauseProducing()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def read(self, offset: int, size: int) -> bytes:  # noqa: ARG002 - it cannot be sought
        """Return what has been produced since; raises `NetworkError` if it was closed."""
        while not self._pieces and not self._ended and not self._closed:
            waiting: Deferred[None] = Deferred()
            self._waiting = waiting
            self._producer.resumeProducing()
            if not waiting.called:
                await waiting
        if self._closed:
            raise NetworkError("the upload has ended")
        whole = b"".join(self._pieces)
        data, rest = whole[:size], whole[size:]
        self._pieces, self._kept = [rest] if rest else [], len(rest)
        return data

    def close(self) -> None:
        """Have a producer that has not ended stop."""
        if not self._closed:
            self._closed = True
            self._wake()
            if not self._ended:
                self._producer.stopProducing()
