"""Twisted's stream transport, sparing with its visits to the reactor; for sockets that stand.

Many data connections carry one small file and are never waited for. They are watched only when
there is something to wait for, and a wish that is fulfilled already costs nothing.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IProtocol
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

__all__ = ["OnDemandTransport", "twisted_address"]


class OnDemandTransport(Connection):
    """A connection that is not read before it is resumed."""

    has_socket_options = False
    """Whether the socket has its options (no delay, keep-alive) from the one that listened."""
    socket: Any
    reactor: Any

    def __init__(self, own: socket.socket, protocol: IProtocol, reactor: Any) -> None:
        super().__init__(own, protocol, reactor)
        self._reading = self._writing = False
        self.connected = 1

    def watch(self, reading: bool, writing: bool) -> None:
        """Be watched for what comes, and for room to send, or for neither."""
        if reading is not self._reading:
            self._reading = reading
            (self.reactor.addReader if reading else self.reactor.removeReader)(self)
        if writing is not self._writing:
            self._writing = writing
            (self.reactor.addWriter if writing else self.reactor.removeWriter)(self)

    def startReading(self) -> None:
        """Be watched for what comes."""
        self.watch(True, self._writing)

    def stopReading(self) -> None:
        """Be watched for that no more."""
        self.watch(False, self._writing)

    def startWriting(self) -> None:
        """Be watched for room to send."""
        self.watch(self._reading, True)

    def stopWriting(self) -> None:
        """Be watched for that no more."""
        self.watch(self._reading, False)

    def connectionLost(self, reason: Failure) -> None:
        """Close, and tell the protocol: what Twisted's own does, for all reasons there are."""
        if not hasattr(self, "socket"):
            return
        FileDescriptor.connectionLost(self, reason)
        self._shouldShutdown = not self._writeDisconnected
        self._closeSocket(not isinstance(reason.value, ConnectionAborted))
        protocol = self.protocol
        del self.protocol, self.socket, self.fileno
        protocol.connectionLost(reason)


def twisted_address(place: tuple[Any, ...]) -> IPv4Address | IPv6Address:
    """Return what sockets call an address as Twisted has it."""
    kind = IPv6Address if len(place) == 4 else IPv4Address
    return kind("TCP", *place)
