"""The transports of plaintext connections: of data, accepted or made by this process, and control.

Sockets inherit the options of the listening socket that accepted them, so those are set once
(Linux; tcp(7), socket(7)).
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import main
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol
from twisted.internet.tcp import Port

from ftpservice.net.interfaces import StreamProtocol
from ftpservice.net.tcp import OnDemandTransport, twisted_address

__all__ = ["AcceptedControlTransport", "AcceptedTransport", "set_accepted_transport"]

MAX_READ_SIZE = 256 * 1024
"""Bytes per ``recv`` once a read has filled the smaller first buffer."""


class AcceptedTransport(OnDemandTransport):
    """A plaintext data connection; with the last bytes of a small file it finds the FIN too."""

    has_socket_options = True
    logstr = "data connection"
    protocol: StreamProtocol  # type: ignore[assignment]  # a `StreamConnection`

    def __init__(
        self, own: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._peer = peer

    def _dataReceived(self, data: bytes | None) -> Any:
        if not data:
            self.has_read_fin = True
            return main.CONNECTION_DONE
        end = None
        if len(data) == self.bufferSize:
            self.bufferSize = MAX_READ_SIZE
        elif self.bufferSize != MAX_READ_SIZE:
            end = self._peek_end()
        if end is None:
            self.protocol.dataReceived(data)
        else:
            self.protocol.last_data_received(data)
        return end

    def _peek_end(self) -> ConnectionDone | ConnectionLost | None:
        """Return how the connection ended, if it has.

        An error here is an RST, which the kernel reports once.
        """
        try:
            if self.socket.recv(1, socket.MSG_PEEK):
                return None
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        self.has_read_fin = True
        return main.CONNECTION_DONE

    def getPeer(self) -> IPv4Address | IPv6Address:
        """Return the address of the far end."""
        return twisted_address(self._peer)

    def getHost(self) -> IPv4Address | IPv6Address:
        """Return the address of our end."""
        return twisted_address(self.socket.getsockname())


class AcceptedControlTransport(OnDemandTransport):
    """A plaintext control connection, as a Twisted `Port` makes it for a client."""

    has_socket_options = True
    logstr = "ftp"

    def __init__(
        self,
        own: socket.socket,
        protocol: IProtocol,
        peer: tuple[Any, ...],
        _port: Port,
        _number: int,
        reactor: Any,
    ) -> None:
        super().__init__(own, protocol, reactor)
        self._peer = peer
        self.startReading()

    getPeer = AcceptedTransport.getPeer
    getHost = AcceptedTransport.getHost

    def hosts(self) -> tuple[str, str]:
        """Return the IP addresses of the peer and of our end."""
        return self._peer[0], self.socket.getsockname()[0]


def set_accepted_transport(port: object) -> None:
    """Make the control connections of a TCP port `AcceptedControlTransport`; not of other ports.

    TCP_NODELAY is for small replies. ABOR is sent as urgent data (RFC 959 §4.1.3): without
    SO_OOBINLINE the kernel would take the urgent byte out of the stream, and with it the end of
    the line.
    """
    if type(port) is Port:
        port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        port.transport = AcceptedControlTransport  # type: ignore[assignment]  # it is called only
