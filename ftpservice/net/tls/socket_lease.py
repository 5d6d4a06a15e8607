"""A socket under TLS that a thread reads from, while the reactor leaves it alone.

OpenSSL's connections are not for two threads at once, and a descriptor must not be closed while
somebody reads from it: its number may be another connection's a moment later. So whoever has a
turn holds a lock, and a connection that is lost meanwhile is closed at the end of the turn.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import TypeVar

__all__ = ["LeaseEnded", "SocketLease"]

T = TypeVar("T")


class LeaseEnded(Exception):
    """The loan is over: there is nothing to read from any more."""


class SocketLease:
    """One socket, lent for turns in threads until it is called back."""

    def __init__(self, own: ssl.SSLSocket) -> None:
        self._own = own
        self._lock = Lock()
        self._over = False
        self._close: Callable[[], object] | None = None

    @property
    def is_free(self) -> bool:
        """Whether no thread has a turn, nor will have one."""
        return self._over and not self._lock.locked()

    def turn(self, work: Callable[[ssl.SSLSocket], T]) -> T:
        """Call ``work`` with the socket, in any thread; raises `LeaseEnded`."""
        self._lock.acquire()
        try:
            if self._over:
                raise LeaseEnded
            return work(self._own)
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        self._lock.release()
        if self._close is not None and self._lock.acquire(blocking=False):
            close, self._close = self._close, None
            self._lock.release()
            if close is not None:
                close()

    def revoke(self) -> None:
        """Allow no more turns."""
        self._over = True

    def close(self, close: Callable[[], object]) -> None:
        """Give no more turns, and call ``close``: now, or at the end of the turn that there is."""
        self._over = True
        with suppress(OSError):
            socket.socket.shutdown(self._own, socket.SHUT_RD)  # what the turn waits for ends
        self._close = close
        if self._lock.acquire(blocking=False):
            self._end_turn()
