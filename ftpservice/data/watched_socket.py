"""A data connection of which too little is known for a transfer: the reactor watches its socket."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["WatchedSocket"]


@implementer(IReadDescriptor)
class WatchedSocket:
    """An accepted socket. Whoever uses it calls `release` first.

    ``peer`` is the address that it has come from, as the kernel gives it.
    """

    def __init__(self, reactor: Any, own: socket.socket, peer: tuple[Any, ...]) -> None:
        self.peer = peer
        self._reactor = reactor
        self._own = own
        self._is_watched = False
        self._timer: IDelayedCall | None = None

    def release(self) -> socket.socket:
        """Watch no more, and return the socket."""
        self._stop_watching()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        return self._own

    def close(self) -> None:
        """Close the connection; may be repeated."""
        self.release().close()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._own.fileno()

    def logPrefix(self) -> str:
        """Return the prefix of log lines."""
        return "data port"

    def connectionLost(self, _reason: Failure) -> None:
        """Close the connection: the reactor stops."""
        self.close()

    def doRead(self) -> None:
        """Look at what has arrived."""
        raise NotImplementedError

    def _watch(self) -> None:
        if not self._is_watched:
            self._is_watched = True
            self._reactor.addReader(self)

    def _stop_watching(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._reactor.removeReader(self)
