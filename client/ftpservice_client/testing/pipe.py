"""A connection in memory: two transports, each of which delivers to the protocol of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice_client.testing.faults import Fault

__all__ = ["MemoryPipe", "MemoryTransport", "PipeAddresses"]

HIGH_WATER_BYTES = 64 * 1024
"""Unsent bytes at which a producer is paused."""
DELIVERY_SIZE = 16 * 1024
"""Bytes delivered at a time."""


@dataclass(frozen=True, slots=True)
class PipeAddresses:
    """The addresses of both sides."""

    client: IPv4Address
    server: IPv4Address


class MemoryPipe:
    """Delivers bytes in both directions, within its fault."""

    def __init__(self, clock: Any, ends: PipeAddresses, fault: Fault) -> None:
        self.clock = clock
        self.fault = fault
        self.byte_count = 0
        """Bytes delivered so far, in both directions."""
        self.is_over = False
        self._client = MemoryTransport(self, ends.client, ends.server)
        self._server = MemoryTransport(self, ends.server, ends.client)
        self._client.other, self._server.other = self._server, self._client
        self._server.is_server_side = True
        self._loses = bool(fault.lost_reply)

    def join(self, client: Any, server: Any) -> None:
        """Connect both protocols to their transports, the server first."""
        self._server.protocol, self._client.protocol = server, client
        server.makeConnection(self._server)
        client.makeConnection(self._client)

    def deliverable(self, size: int) -> int:
        """Return how many of ``size`` bytes may be delivered."""
        limit = self.fault.limit
        return size if limit is None else max(0, min(size, limit - self.byte_count))

    def filtered(self, data: bytes, from_server: bool) -> bytes:
        """Count bytes; return those that are not dropped."""
        self.byte_count += len(data)
        if not from_server or not self._loses:
            return data
        lines = data.splitlines(keepends=True)
        for index, line in enumerate(lines):
            if self.fault.loses(line):
                self._loses = False
                del lines[index]
                break
        return b"".join(lines)

    def apply_end(self) -> None:
        """End the connection as the fault requires, when no more bytes may be delivered."""
        if self.is_over or self.fault.stall_after == self.fault.limit:
            return
        self.is_over = True
        if self.fault.reset_after == self.fault.limit:
            for side in (self._client, self._server):
                side.lose(ConnectionLost())
        else:
            for side in (self._client, self._server):
                side.receive_eof()


@implementer(ITCPTransport)
class MemoryTransport:
    """One side of a connection; delivers what is written to the protocol of the other side."""

    other: MemoryTransport
    protocol: Any = None
    is_server_side = False
    disconnecting = False

    def __init__(self, pipe: MemoryPipe, own: IPv4Address, peer: IPv4Address) -> None:
        self._pipe = pipe
        self._own, self._peer = own, peer
        self._unsent = bytearray()
        self._paused = self._lost = False
        self._ending = self._ended = self._received_eof = False
        self._producer: Any = None
        self._streaming = self._held = False
        self._call: Any = None

    def write(self, data: bytes) -> None:
        """Send."""
        if self._lost or self._ending or not data:
            return
        self._unsent += data
        if self._producer is not None and len(self._unsent) >= HIGH_WATER_BYTES and not self._held:
            self._held = True
            if self._streaming:
                self._producer.pauseProducing()
        self._schedule_delivery()

    def writeSequence(self, data: Any) -> None:
        """Send."""
        self.write(b"".join(data))

    def _schedule_delivery(self, seconds: float = 0.0) -> None:
        if self._call is None and not self._lost:
            self._call = self._pipe.clock.callLater(seconds, self._deliver)

    def _deliver(self) -> None:
        """Deliver some bytes, unless the other side has paused."""
        self._call = None
        other, pipe = self.other, self._pipe
        if self._lost or other._lost or other._paused:
            return
        count = pipe.deliverable(min(len(self._unsent), DELIVERY_SIZE))
        if count:
            data = bytes(self._unsent[:count])
            del self._unsent[:count]
            arrived = pipe.filtered(data, self.is_server_side)
            if arrived:
                other.protocol.dataReceived(arrived)
        if self._unsent or (self._ending and not self._ended):
            self._continue_delivery(count)
        self._resume_producer()

    def _continue_delivery(self, count: int) -> None:
        if not self._pipe.deliverable(1):
            self._pipe.apply_end()
        elif self._unsent:
            rate = self._pipe.fault.rate
            self._schedule_delivery(count / rate if rate else 0.0)
        else:
            self._finish()

    def _resume_producer(self) -> None:
        if self._held and len(self._unsent) < HIGH_WATER_BYTES and self._producer is not None:
            self._held = False
            self._producer.resumeProducing()

    def _finish(self) -> None:
        """Signal the end of this side (FIN) to the other side."""
        self._ended = True
        half = IHalfCloseableProtocol(self.protocol, None)
        if half is not None and not self._lost:
            half.writeConnectionLost()
        self.other.receive_eof()
        if self.disconnecting:
            self.lose(ConnectionDone())

    def receive_eof(self) -> None:
        """Handle the end of the other side."""
        if self._received_eof or self._lost:
            return
        self._received_eof = True
        half = IHalfCloseableProtocol(self.protocol, None)
        if half is not None:
            half.readConnectionLost()
        else:
            self.lose(ConnectionDone())
            self.other.receive_eof()

    def lose(self, reason: Exception) -> None:
        """Close this side and notify its protocol."""
        if self._lost:
            return
        self._lost = self.disconnecting = True
        if self._call is not None and self._call.active():
            self._call.cancel()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))

    def loseConnection(self) -> None:
        """Send the unsent bytes, then close."""
        self.disconnecting = True
        if self._ended:
            self._pipe.clock.callLater(0, self.lose, ConnectionDone())
        else:
            self.loseWriteConnection()

    def loseWriteConnection(self) -> None:
        """Send the unsent bytes, then half-close."""
        self._ending = True
        self._schedule_delivery()

    def abortConnection(self) -> None:
        """Reset the connection."""
        if not self._lost:
            self._pipe.is_over = True
            self._pipe.clock.callLater(0, self.lose, ConnectionAborted())
            self._pipe.clock.callLater(0, self.other.lose, ConnectionLost())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause this producer while too many bytes are unsent."""
        self._producer, self._streaming = producer, streaming
        if self._lost:
            producer.stopProducing()
        elif not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Stop receiving for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Receive again."""
        self._paused = False
        if self.other._unsent or (self.other._ending and not self.other._ended):
            self.other._schedule_delivery()

    def stopProducing(self) -> None:
        """Close the connection."""
        self.loseConnection()

    def getHost(self) -> IPv4Address:
        """Return the address of this side."""
        return self._own

    def getPeer(self) -> IPv4Address:
        """Return the address of the other side."""
        return self._peer

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Do nothing."""

    def getTcpNoDelay(self) -> bool:
        """Return True: nothing is delayed."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Do nothing."""

    def getTcpKeepAlive(self) -> bool:
        """Return False."""
        return False
