"""A TCP transport in memory that checks how it is used."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpservice.stream.connection import StreamConnection

BUFFER_BYTES = 65536


class MemoryTransport:
    """Buffers what is written until `drain`; the test acts as kernel and peer."""

    def __init__(self, protocol: StreamConnection) -> None:
        self.protocol = protocol
        self.buffered = bytearray()
        self.sent = bytearray()
        self.receiving = True
        self.producer: IPushProducer | None = None
        self.half_closing = self.half_closed = self.closed = self.aborted = False

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 40000)

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        assert not self.half_closing
        self.buffered += data
        if len(self.buffered) > BUFFER_BYTES and self.producer is not None:
            self.producer.pauseProducing()

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        assert streaming
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.receiving = False

    def resumeProducing(self) -> None:
        assert not self.closed
        self.receiving = True

    def loseWriteConnection(self) -> None:
        self.half_closing = True

    def loseConnection(self) -> None:
        if not self.closed:
            assert self.half_closed
            self._close(ConnectionDone())

    def abortConnection(self) -> None:
        if not self.closed:
            self.aborted = True
            self._close(ConnectionAborted())

    def drain(self) -> None:
        """Send the buffer."""
        self.sent += self.buffered
        self.buffered.clear()
        if self.half_closing and not self.half_closed:
            self.half_closed = True
            self.protocol.writeConnectionLost()
        elif self.producer is not None:
            self.producer.resumeProducing()

    def deliver(self, data: bytes) -> None:
        """Deliver bytes of the peer."""
        assert self.receiving
        self.protocol.dataReceived(data)

    def deliver_fin(self) -> None:
        """Deliver the peer's FIN."""
        assert self.receiving
        self.receiving = False
        self.protocol.readConnectionLost()

    def break_down(self) -> None:
        """Deliver an RST."""
        self._close(ConnectionLost())

    def _close(self, reason: Exception) -> None:
        self.closed = True
        if self.producer is not None:
            self.producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))


def connected(
    clock: Clock, stall_timeout: float = 60.0
) -> tuple[StreamConnection, MemoryTransport]:
    """Return a connection and the transport below it."""
    connection = StreamConnection(clock, stall_timeout)
    transport = MemoryTransport(connection)
    connection.makeConnection(transport)  # type: ignore[arg-type]
    return connection, transport


def start(coroutine) -> Deferred:
    """Start a coroutine."""
    return Deferred.fromCoroutine(coroutine)


def outcome(deferred: Deferred):
    """Return the result of a Deferred that has fired, or raise its error."""
    results: list = []
    deferred.addBoth(results.append)
    assert results, "the Deferred has not fired"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


def is_pending(deferred: Deferred) -> bool:
    """Return whether a Deferred has no result yet."""
    return not deferred.called or isinstance(deferred.result, Deferred)
