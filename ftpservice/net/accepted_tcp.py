"""The transport of a plaintext data connection, accepted or made by this process itself."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import main
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol

from ftpservice.net.interfaces import StreamProtocol
from ftpservice.net.tcp import OnDemandTransport, twisted_address

__all__ = ["AcceptedTransport"]

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
