"""One connection in memory: two transports, each of which delivers to the other one's protocol."""

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
"""Bytes on their way that make a producer pause."""
DELIVERY_SIZE = 16 * 1024
"""Bytes that arrive at a time."""


@dataclass(frozen=True, slots=True)
class PipeAddresses:
    """The addresses of both sides."""

    client: IPv4Address
    server: IPv4Address


class MemoryPipe:
    """Carries bytes both ways, as well as its fault lets it."""

    def __init__(self, clock: Any, ends: PipeAddresses, fault: Fault) -> None:
        self.clock = clock
        self.fault = fault
        self.byte_count = 0
        """Bytes so far, both ways."""
        self.is_over = False
        self._client = MemoryTransport(self, ends.client, ends.server)
        self._server = MemoryTransport(self, ends.server, ends.client)
        self._client.other, self._server.other = self._server, self._client
        self._server.is_server_side = True
        self._loses = bool(fault.lost_reply)

    def join(self, client: Any, server: Any) -> None:
        """Give both their transports, the server first."""
        self._server.protocol, self._client.protocol = server, client
        server.makeConnection(self._server)
        client.makeConnection(self._client)

    def left(self, wanted: int) -> int:
        """Return how many more bytes may arrive, at most so many."""
        limit = self.fault.limit
        return wanted if limit is None else max(0, min(wanted, limit - self.byte_count))

    def passed(self, data: bytes, from_server: bool) -> bytes:
        """Count bytes, and return what arrives of them."""
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

    def exhausted(self) -> None:
        """Do what comes when no more bytes may arrive."""
        if self.is_over or self.fault.stall_after == self.fault.limit:
            return
        self.is_over = True
        if self.fault.cut_after == self.fault.limit:
            for side in (self._client, self._server):
                side.lose(ConnectionLost())
        else:
            for side in (self._client, self._server):
                side.receive_eof()


@implementer(ITCPTransport)
class MemoryTransport:
    """One side; what it is given goes to the protocol of the other."""

    other: MemoryTransport
    protocol: Any = None
    is_server_side = False
    disconnecting = False

    def __init__(self, pipe: MemoryPipe, own: IPv4Address, peer: IPv4Address) -> None:
        self._pipe = pipe
        self._own, self._peer = own, peer
        self._unsent = bytearray()
        self._paused = self._lost = False
        self._ending = self._ended = self._heard_end = False
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
        self._carry()

    def writeSequence(self, data: Any) -> None:
        """Send."""
        self.write(b"".join(data))

    def _carry(self, seconds: float = 0.0) -> None:
        if self._call is None and not self._lost:
            self._call = self._pipe.clock.callLater(seconds, self._deliver)

    def _deliver(self) -> None:
        """Have a piece arrive, if the other side takes it."""
        self._call = None
        other, pipe = self.other, self._pipe
        if self._lost or other._lost or other._paused:
            return
        count = pipe.left(min(len(self._unsent), DELIVERY_SIZE))
        if count:
            data = bytes(self._unsent[:count])
            del self._unsent[:count]
            arrived = pipe.passed(data, self.is_server_side)
            if arrived:
                other.protocol.dataReceived(arrived)
        if self._unsent or (self._ending and not self._ended):
            self._go_on(count)
        self._release()

    def _go_on(self, count: int) -> None:
        if not self._pipe.left(1):
            self._pipe.exhausted()
        elif self._unsent:
            rate = self._pipe.fault.rate
            self._carry(count / rate if rate else 0.0)
        else:
            self._finish()

    def _release(self) -> None:
        if self._held and len(self._unsent) < HIGH_WATER_BYTES and self._producer is not None:
            self._held = False
            self._producer.resumeProducing()

    def _finish(self) -> None:
        """Have the other side see our end."""
        self._ended = True
        half = IHalfCloseableProtocol(self.protocol, None)
        if half is not None and not self._lost:
            half.writeConnectionLost()
        self.other.receive_eof()
        if self.disconnecting:
            self.lose(ConnectionDone())

    def receive_eof(self) -> None:
        """Learn that the other side sends no more."""
        if self._heard_end or self._lost:
            return
        self._heard_end = True
        half = IHalfCloseableProtocol(self.protocol, None)
        if half is not None:
            half.readConnectionLost()
        else:
            self.lose(ConnectionDone())
            self.other.receive_eof()

    def lose(self, reason: Exception) -> None:
        """Be gone."""
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
        """Send what is kept, then close."""
        self.disconnecting = True
        if self._ended:
            self._pipe.clock.callLater(0, self.lose, ConnectionDone())
        else:
            self.loseWriteConnection()

    def loseWriteConnection(self) -> None:
        """Send what is kept, then end this side."""
        self._ending = True
        self._carry()

    def abortConnection(self) -> None:
        """Break it off."""
        if not self._lost:
            self._pipe.is_over = True
            self._pipe.clock.callLater(0, self.lose, ConnectionAborted())
            self._pipe.clock.callLater(0, self.other.lose, ConnectionLost())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Hold this one back."""
        self._producer, self._streaming = producer, streaming
        if self._lost:
            producer.stopProducing()
        elif not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Apply no back-pressure."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Take no more for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Take more."""
        self._paused = False
        if self.other._unsent or (self.other._ending and not self.other._ended):
            self.other._carry()

    def stopProducing(self) -> None:
        """Take no more at all."""
        self.loseConnection()

    def getHost(self) -> IPv4Address:
        """Return the address of this side."""
        return self._own

    def getPeer(self) -> IPv4Address:
        """Return the address of the other side."""
        return self._peer

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing to set."""

    def getTcpNoDelay(self) -> bool:
        """Nothing is delayed here."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing to set."""

    def getTcpKeepAlive(self) -> bool:
        """Nothing is kept."""
        return False
