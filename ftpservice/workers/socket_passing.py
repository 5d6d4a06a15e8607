"""Passes accepted connections to another process, each with the number of who waits for it.

The kernel passes them (SCM_RIGHTS, unix(7)): the other process gets a descriptor of its own.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["SocketReceiver", "pass_socket", "passing_pair"]

log = Logger("ftpservice.workers")

NUMBER = struct.Struct("!QI")
"""Who waits, and the address family."""
MAX_AT_A_TIME = 32


def passing_pair() -> tuple[socket.socket, socket.socket]:
    """Return the ends to send and to receive with; the first one never blocks."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ends[0].setblocking(False)
    return ends


def pass_socket(end: socket.socket, number: int, own: socket.socket) -> bool:
    """Pass a connection, and close it here; False if the other process does not take it."""
    with own:
        try:
            socket.send_fds(end, [NUMBER.pack(number, own.family)], [own.fileno()])
        except OSError:
            return False
    return True


@implementer(IReadDescriptor)
class SocketReceiver:
    """Receives connections; ``received`` is called with a number and a socket."""

    def __init__(
        self, end: socket.socket, received: Callable[[int, socket.socket], object], reactor: Any
    ) -> None:
        end.setblocking(False)
        self._end = end
        self._received = received
        self._reactor = reactor
        reactor.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._end.fileno()

    def logPrefix(self) -> str:
        """Return the prefix of log lines."""
        return "data port"

    def doRead(self) -> None:
        """Receive the connections that have been passed."""
        for _ in range(MAX_AT_A_TIME):
            try:
                content, descriptors, _flags, _address = socket.recv_fds(
                    self._end, NUMBER.size, 1, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError:
                content, descriptors = b"", []
            if not content:
                self.close()
                return
            number, family = NUMBER.unpack(content)
            for descriptor in descriptors:
                self._take(number, socket.socket(family, socket.SOCK_STREAM, 0, descriptor))

    def _take(self, number: int, own: socket.socket) -> None:
        try:
            self._received(number, own)
        except Exception:  # noqa: BLE001 - the next connection is received whatever fails
            log.failure("a data connection could not be begun")
            own.close()

    def connectionLost(self, _reason: Failure) -> None:
        """Receive no more: the reactor stops."""
        self.close()

    def close(self) -> None:
        """Receive no more; may be repeated."""
        if self._end.fileno() >= 0:
            self._reactor.removeReader(self)
            self._end.close()
