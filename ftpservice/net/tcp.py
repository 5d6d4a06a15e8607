"""Twisted's TCP transport for sockets that are already connected, with fewer calls to the reactor.

Many data connections carry one small file and never have to wait. The reactor watches such a socket
only while something is waited for, and a request that changes nothing costs nothing.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import main
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

__all__ = ["OnDemandTransport", "twisted_address"]


class OnDemandTransport(Connection):
    """A connected socket; nothing is read before `resumeProducing`."""

    has_socket_options = False
    """Whether TCP_NODELAY and SO_KEEPALIVE are set, inherited from the listening socket."""
    has_duplicate = False
    """Whether a thread may hold a second descriptor: then `close` alone sends no FIN."""
    has_read_fin = False
    """Whether the peer's FIN was read from the socket: then no error preceded it."""
    connected = 1
    socket: Any
    reactor: Any
    _reading = _writing = False

    def watch(self, reading: bool, writing: bool) -> None:
        """Let the reactor watch the socket for input, for room to send, for both or neither."""
        if reading is not self._reading:
            self._reading = reading
            (self.reactor.addReader if reading else self.reactor.removeReader)(self)
        if writing is not self._writing:
            self._writing = writing
            (self.reactor.addWriter if writing else self.reactor.removeWriter)(self)

    def startReading(self) -> None:
        """Watch for input."""
        self.watch(True, self._writing)

    def stopReading(self) -> None:
        """Stop watching for input."""
        if self._reading:
            self.watch(False, self._writing)

    def startWriting(self) -> None:
        """Watch for room to send."""
        self.watch(self._reading, True)

    def stopWriting(self) -> None:
        """Stop watching for room to send."""
        if self._writing:
            self.watch(self._reading, False)

    def read_available(self) -> None:
        """Receive what has arrived, FIN included, without waiting for the reactor."""
        reason = self.doRead()
        if reason is main.CONNECTION_DONE:
            self.readConnectionLost(Failure(reason))
        elif reason is not None:
            self.connectionLost(Failure(reason))

    def close_after_peer(self) -> bool:
        """Close, after the peer's FIN was read; returns False if the buffer is not sent yet.

        `close` sends our FIN, unless a duplicate keeps the socket open: that takes ``shutdown``.
        """
        if self.dataBuffer or self._tempDataBuffer:
            return False
        self._writeDisconnected = self._writeDisconnected or not self.has_duplicate
        self.connectionLost(connectionDone)
        return True

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket and report ``reason`` to the protocol, once, whatever the reason is."""
        if self.disconnected:
            return
        self.disconnected, self.connected = 1, 0
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        if self._reading or self._writing:
            self.watch(False, False)
        self._shouldShutdown = not self._writeDisconnected
        self._closeSocket(not isinstance(reason.value, ConnectionAborted))
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        protocol.connectionLost(reason)


def twisted_address(place: tuple[Any, ...]) -> IPv4Address | IPv6Address:
    """Return a socket address (IPv4 or IPv6) as Twisted represents it."""
    kind = IPv6Address if len(place) == 4 else IPv4Address
    return kind("TCP", *place)
