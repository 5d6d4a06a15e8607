"""A data connection from a load balancer, until its header of the PROXY protocol has arrived.

No byte after the header is read: it may be the first of a TLS handshake.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from ftpservice.data.watched_socket import WatchedSocket
from ftpservice.wire.proxy_header import (
    BadProxyHeader,
    bytes_missing,
    client_host,
    header_size,
)

__all__ = ["HEADER_SECONDS", "MAX_PROXIED", "ProxiedConnection"]

HEADER_SECONDS = 5.0
"""Time for the header; a balancer sends it at once."""
MAX_PROXIED = 8
"""Connections at one passive port whose header is incomplete; others are closed."""


class ProxiedConnection(WatchedSocket):
    """``ended`` is called with this when the header has arrived, or cannot."""

    def __init__(
        self,
        reactor: Any,
        own: socket.socket,
        peer: tuple[Any, ...],
        ended: Callable[[ProxiedConnection], object],
    ) -> None:
        super().__init__(reactor, own, peer)
        self.client = ""
        """The address of the client; empty if the header names none, or is malformed or late."""
        self._ended = ended
        self._header = b""

    def start(self) -> None:
        """Read what has arrived, and wait for the rest."""
        self._own.setblocking(False)
        self.doRead()
        if self._own.fileno() >= 0 and self._ended is not _nobody:
            self._timer = self._reactor.callLater(HEADER_SECONDS, self._end)
            self._watch()

    def release(self) -> socket.socket:
        """Read no more, and return the socket."""
        self._ended = _nobody
        return super().release()

    def doRead(self) -> None:
        """Read as much of the header as has arrived, and nothing after it."""
        try:
            while missing := bytes_missing(self._header):
                data = self._own.recv(missing)
                if not data:
                    self._end()
                    return
                self._header += data
                header_size(self._header)
            self.client = client_host(self._header)
        except BlockingIOError:
            return
        except (OSError, BadProxyHeader):
            pass
        self._end()

    def _end(self) -> None:
        self._ended(self)


def _nobody(_connection: ProxiedConnection) -> None:
    """Tell nobody: the socket has another user."""
