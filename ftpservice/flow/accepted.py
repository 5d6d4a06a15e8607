"""The transport of a connection that was accepted by one of our own listening sockets."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import main
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

__all__ = ["AcceptedTransport", "address_of"]


class AcceptedTransport(Connection):
    """Twisted's own stream transport, not read before it is resumed.

    That there is no delay (Nagle) and keep-alive comes from the listening socket. Many data
    connections carry one small file and are never waited for; they are spared what
    that does not need: being watched from the beginning, and all but one visit to the reactor to
    be watched, or not any more.
    """

    logstr = "data connection"
    most = 256 * 1024
    """Bytes received at a time, once so many come."""

    def __init__(
        self, own: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._peer = peer
        self._reads = self._writes = False
        self.connected = 1

    def startReading(self) -> None:
        """Be watched for what comes."""
        if not self._reads:
            self._reads = True
            self.reactor.addReader(self)

    def stopReading(self) -> None:
        """Be watched for that no more."""
        if self._reads:
            self._reads = False
            self.reactor.removeReader(self)

    def startWriting(self) -> None:
        """Be watched for room to send."""
        if not self._writes:
            self._writes = True
            self.reactor.addWriter(self)

    def stopWriting(self) -> None:
        """Be watched for that no more."""
        if self._writes:
            self._writes = False
            self.reactor.removeWriter(self)

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

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            return main.CONNECTION_DONE
        whole = self.bufferSize
        self.protocol.dataReceived(data)
        if len(data) == whole:
            self.bufferSize = self.most
        elif whole != self.most and self._reads:
            return self._end()
        return None

    def _end(self) -> ConnectionDone | ConnectionLost | None:
        """Return how the connection ended, if it has: the end of small files is there with them.

        An error is the kernel's word for an RST, which it gives once.
        """
        try:
            return None if self.socket.recv(1, socket.MSG_PEEK) else main.CONNECTION_DONE
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST

    def getPeer(self) -> IPv4Address | IPv6Address:
        """Return the address of the far end."""
        return address_of(self._peer)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Return the address of our end."""
        return address_of(self.socket.getsockname())


def address_of(place: tuple[Any, ...]) -> IPv4Address | IPv6Address:
    """Return what sockets call an address as Twisted has it."""
    kind = IPv6Address if len(place) == 4 else IPv4Address
    return kind("TCP", *place)
