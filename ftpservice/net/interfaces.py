"""The interfaces between a stream connection and its transport."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.python.failure import Failure

__all__ = ["StreamProtocol", "StreamTransport"]


class StreamProtocol(Protocol):
    """What an `AcceptedTransport` calls: `IProtocol` and one method more."""

    def dataReceived(self, data: bytes) -> object:
        """Take received bytes."""

    def last_data_received(self, data: bytes) -> object:
        """Take received bytes after which the connection has ended; that is reported next."""

    def connectionLost(self, reason: Failure) -> None:
        """Handle the close of the transport."""


class StreamTransport(Protocol):
    """A stream with back-pressure both ways, half-close and abort.

    The methods are those of `ITCPTransport`, `IPushProducer` and `IConsumer`; every TCP transport
    of Twisted has them.
    """

    def write(self, data: bytes) -> None:
        """Send, or buffer until it can be sent."""

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Pause ``producer`` while the buffer is full, then resume it."""

    def unregisterProducer(self) -> None:
        """Stop pausing and resuming the producer."""

    def pauseProducing(self) -> None:
        """Stop receiving."""

    def resumeProducing(self) -> None:
        """Receive again."""

    def loseWriteConnection(self) -> None:
        """Send the buffer, then a FIN."""

    def loseConnection(self) -> None:
        """Send the buffer, then close."""

    def abortConnection(self) -> None:
        """Send an RST and close, at once."""

    def getPeer(self) -> IAddress:
        """Return the address of the far end."""
