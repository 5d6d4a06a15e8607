"""The transport of a connection that was accepted by one of our own listening sockets."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import main
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol
from twisted.python.failure import Failure

from ftpservice.net.tcp import OnDemandTransport, twisted_address

__all__ = ["AcceptedTransport"]


class AcceptedTransport(OnDemandTransport):
    """A data connection in clear; how it ended is looked for together with its last bytes."""

    has_socket_options = True
    logstr = "data connection"
    most = 256 * 1024
    """Bytes received at a time, once so many come."""

    def __init__(
        self, own: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._peer = peer
        self._looks = False

    def look(self) -> None:
        """Receive what is there, and how it ended, before the reactor is asked to watch."""
        self._looks = True
        why = self.doRead()
        self._looks = False
        if why is main.CONNECTION_DONE:
            self.readConnectionLost(Failure(why))
        elif why is not None:
            self.connectionLost(Failure(why))

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            return main.CONNECTION_DONE
        whole = self.bufferSize
        self.protocol.dataReceived(data)
        if len(data) == whole:
            self.bufferSize = self.most
        elif whole != self.most and (self._reading or self._looks):
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
        return twisted_address(self._peer)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Return the address of our end."""
        return twisted_address(self.socket.getsockname())
