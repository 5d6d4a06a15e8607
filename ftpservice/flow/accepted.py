"""The transport of a connection that was accepted by one of our own listening sockets."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.tcp import Connection

__all__ = ["AcceptedTransport", "address_of"]


class AcceptedTransport(Connection):
    """Twisted's own stream transport, not read before it is resumed.

    Many data connections carry one small file and are never waited for; they are spared the
    visits to the reactor that being watched from the beginning would cost.
    """

    logstr = "data connection"
    most = 256 * 1024
    """Bytes received at a time, once so many come."""

    def __init__(
        self, own: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._peer = peer
        self.connected = 1

    def _dataReceived(self, data: bytes | None) -> ConnectionDone | None:
        if data is not None and len(data) == self.bufferSize:
            self.bufferSize = self.most
        return super()._dataReceived(data)

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
