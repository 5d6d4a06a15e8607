"""Connecting to an address without delay: nearby, a connection stands before the reactor comes by.

Twisted's ``connectTCP`` begins in the reactor's next turn and has it look twice. For a file of
some KiB that is a good part of the time it takes; and a server to which the connection comes
before the command need not look out for it.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

from ftpservice.wire.addresses import is_ipv6

__all__ = ["TCPConnectAttempt"]

SocketAddress = tuple[Any, ...]
"""An address as sockets have it."""


@implementer(IReadWriteDescriptor)
class TCPConnectAttempt:
    """One attempt; ``joined`` is given the socket and the address, ``failed`` the reason.

    One of them is called, once, perhaps before `begin` returns, unless it is stopped.
    """

    def __init__(
        self,
        reactor: Any,
        joined: Callable[[socket.socket, SocketAddress], object],
        failed: Callable[[str], object],
    ) -> None:
        self._reactor = reactor
        self._joined = joined
        self._failed = failed
        self._own: socket.socket | None = None
        self._place: SocketAddress = ()

    def begin(self, host: str, port: int) -> None:
        """Connect to a numeric address."""
        try:
            self._connect(host, port)
        except OSError as error:
            self._fail(error.strerror or str(error))

    def _connect(self, host: str, port: int) -> None:
        family, self._place = _numeric_address(host, port)
        self._own = own = socket.socket(family, socket.SOCK_STREAM)
        own.setblocking(False)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        code = own.connect_ex(self._place)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        if not self._hand_over():
            self._reactor.addWriter(self)

    def _hand_over(self) -> bool:
        """Pass the socket on if it is connected; tell whether it was."""
        own = self._own
        assert own is not None
        try:
            own.getpeername()
        except OSError:
            return False
        self._own = None
        self._joined(own, self._place)
        return True

    def fileno(self) -> int:
        """Return the descriptor; -1 when there is none."""
        return -1 if self._own is None else self._own.fileno()

    def logPrefix(self) -> str:
        """Return what the reactor calls this in its log."""
        return "data connection"

    def doRead(self) -> None:
        """Nothing: reading is never asked for."""

    def doWrite(self) -> None:
        """Learn how it went; called by the reactor."""
        if self._own is None:
            return
        self._reactor.removeWriter(self)
        code = self._own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code or not self._hand_over():
            self._fail(os.strerror(code or errno.ENOTCONN))

    def connectionLost(self, _reason: object) -> None:
        """Learn that it failed, or that the reactor ends."""
        self.doWrite()

    def stop(self) -> None:
        """Give up."""
        own, self._own = self._own, None
        if own is not None:
            self._reactor.removeWriter(self)
            own.close()

    def _fail(self, reason: str) -> None:
        self.stop()
        self._failed(reason)


def _numeric_address(host: str, port: int) -> tuple[int, SocketAddress]:
    """Return the family of a numeric address, and the address as sockets of that have it.

    Raises `OSError` for a name: it is not looked up here.
    """
    if not is_ipv6(host):
        socket.inet_pton(socket.AF_INET, host)
        return socket.AF_INET, (host, port)
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    [(family, _, _, _, place), *_] = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=flags
    )
    return family, place
