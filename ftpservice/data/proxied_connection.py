"""A data connection from a load balancer, until its header of the PROXY protocol has arrived.

No byte after the header is read: it may be the first of a TLS handshake.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

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


@implementer(IReadDescriptor)
class ProxiedConnection:
    """An accepted socket; ``ended`` is called with this when the header has arrived, or cannot.

    Whoever uses the socket calls `release` first.
    """

    def __init__(
        self,
        reactor: Any,
        own: socket.socket,
        peer: tuple[Any, ...],
        ended: Callable[[ProxiedConnection], object],
    ) -> None:
        self.client = ""
        """The address of the client; empty if the header names none, or is malformed or late."""
        self.peer = peer
        """The address of the balancer, as the kernel gives it."""
        self._reactor = reactor
        self._own = own
        self._ended = ended
        self._header = b""
        self._is_watched = False
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Read what has arrived, and wait for the rest."""
        self._own.setblocking(False)
        self.doRead()
        if self._own.fileno() >= 0 and self._ended is not _nobody:
            self._timer = self._reactor.callLater(HEADER_SECONDS, self._end)
            self._is_watched = True
            self._reactor.addReader(self)

    def release(self) -> socket.socket:
        """Read no more, and return the socket."""
        self._ended = _nobody
        if self._is_watched:
            self._is_watched = False
            self._reactor.removeReader(self)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        return self._own

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._own.fileno()

    def logPrefix(self) -> str:
        """Return the prefix of log lines."""
        return "data port"

    def connectionLost(self, _reason: Failure) -> None:
        """Close the connection: the reactor stops."""
        self.release().close()

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
