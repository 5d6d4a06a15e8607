"""A connection at the shared passive port of which more must be known than its address.

What the client sends is only looked at (``MSG_PEEK``): whoever gets the connection reads it again.
Only the header of the PROXY protocol is taken out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from ftpservice.data.watched_socket import WatchedSocket
from ftpservice.net.tls.client_hello import bytes_of_hello, offered_sessions
from ftpservice.wire.proxy_header import BadProxyHeader, client_host, header_size

__all__ = ["HOLD_SECONDS", "UnidentifiedConnection", "connection_of_before"]

MAX_PEEKED_BYTES = 20 * 1024
"""A header and a ClientHello."""
HOLD_SECONDS = 10.0
"""Time after which a connection of which no more is known is closed."""
HEADER_SECONDS = 0.5
"""Time for the header of a balancer; it sends that at once."""


class UnidentifiedConnection(WatchedSocket):
    """``identify`` is called with this whenever more is known."""

    def __init__(
        self,
        reactor: Any,
        own: socket.socket,
        peer: tuple[Any, ...],
        host: str,
        identify: Callable[[UnidentifiedConnection], object],
    ) -> None:
        super().__init__(reactor, own, peer)
        self.host = host
        """The address of the client, as far as it is known."""
        self.balancer = ""
        """The address of the balancer that has sent a header."""
        self.expects_header = self.requires_header = False
        self.tls_sessions: frozenset[bytes] | None = None
        """What the client wants to resume; None if it has sent nothing yet."""
        self.is_expired = False
        """Whether nothing more was known in time."""
        self.is_useless = False
        """Whether it has ended, or what it sent is malformed."""
        self._identify = identify
        self._seen = 0

    @property
    def key(self) -> str:
        """The address that it has come from: that of the balancer, or of the client."""
        return self.balancer or self.host

    def handed_over(self) -> dict[str, Any]:
        """Return plain values by which another program goes on (`connection_of_before`)."""
        return {
            "socket": os.dup(self.release().fileno()),
            "peer": self.peer,
            "host": self.host,
            "balancer": self.balancer,
            "expects_header": self.expects_header,
        }

    def start(self, *, expects_header: bool, requires_header: bool = False) -> None:
        """Wait for bytes of the client, or first for a header, which may be missing.

        With ``requires_header`` it may not.
        """
        self._own.setblocking(False)
        self.expects_header = expects_header or requires_header
        self.requires_header = requires_header
        is_optional = expects_header and not requires_header
        seconds = HEADER_SECONDS if is_optional else HOLD_SECONDS
        self._timer = self._reactor.callLater(seconds, self._expire)
        self._watch()
        self.doRead()

    def release(self) -> socket.socket:
        """Stop looking at the connection, and return its socket."""
        own = super().release()
        if own.fileno() >= 0:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return own

    def doRead(self) -> None:
        """Look at what has arrived."""
        try:
            early = self._own.recv(MAX_PEEKED_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            early = b""
        try:
            missing = self._examine(early) if early else -1
        except BadProxyHeader:
            missing = -1
        if missing < 0 or (missing and len(early) == self._seen):  # it is readable and gets no more
            self.is_useless = True
        elif missing:
            self._seen = len(early)
            size = min(len(early) + missing, MAX_PEEKED_BYTES)
            self._own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            return
        self._stop_watching()
        self._identify(self)

    def _examine(self, early: bytes) -> int:
        """Take the header, if there is to be one, and look at the rest.

        Returns how many bytes are missing at least; -1 if the connection is of no use.
        """
        if self.requires_header or (self.expects_header and early[:1] in (b"P", b"\r")):
            size = header_size(early)
            if size is None:
                return 1
            host = client_host(self._own.recv(size))
            if not host:
                return -1  # a health check
            self.balancer, self.host, early = self.host, host, early[size:]
            self._seen = 0
        self.expects_header = self.requires_header = False
        if not early:
            self._restart_timer()
            return 0
        size = bytes_of_hello(early)
        if size > len(early):
            return size - len(early)
        self.tls_sessions = offered_sessions(early[:size]) if size else frozenset()
        return 0

    def watch_on(self) -> None:
        """Wait for more bytes, if any could tell more."""
        if self.tls_sessions is None:
            self._watch()

    def _restart_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.reset(HOLD_SECONDS)

    def _expire(self) -> None:
        if self.requires_header:
            self.is_useless = True
        elif self.expects_header:
            self.expects_header = False
            self._timer = self._reactor.callLater(HOLD_SECONDS, self._expire)
        else:
            self.is_expired = True
        self._identify(self)


def connection_of_before(
    reactor: Any,
    values: Mapping[str, Any],
    identify: Callable[[UnidentifiedConnection], object],
) -> UnidentifiedConnection:
    """Return a connection that another program has handed over; `start` follows."""
    own = socket.socket(fileno=values["socket"])
    connection = UnidentifiedConnection(reactor, own, values["peer"], values["host"], identify)
    connection.balancer = values["balancer"]
    return connection
