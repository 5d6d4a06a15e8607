"""What a connection asks of its transport; every TCP transport of Twisted's has it."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IAddress, IPushProducer

__all__ = ["StreamTransport"]


class StreamTransport(Protocol):
    """A stream with back-pressure both ways, half-close and abort.

    The methods are those of `ITCPTransport`, `IPushProducer` and `IConsumer`.
    """

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """Tell ``producer`` to pause while much is kept, and to resume."""

    def unregisterProducer(self) -> None:
        """Tell the producer no more."""

    def pauseProducing(self) -> None:
        """Receive no more for now."""

    def resumeProducing(self) -> None:
        """Receive again."""

    def loseWriteConnection(self) -> None:
        """Send what is kept, then a FIN."""

    def loseConnection(self) -> None:
        """Send what is kept, then close."""

    def abortConnection(self) -> None:
        """Send an RST and close, at once."""

    def getPeer(self) -> IAddress:
        """Return the address of the far end."""
