"""Lends a TLS socket to threads, while the reactor does not use it.

An OpenSSL connection must not be used by two threads at once, and a descriptor must not be closed
while a thread reads from it: its number may be reused at once. So a turn holds a lock, and a
connection that is lost meanwhile is closed at the end of the turn.
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
    """The lease has ended: nothing more can be read."""


class SocketLease:
    """A socket that is lent for turns in threads until it is revoked."""

    def __init__(self, own: ssl.SSLSocket) -> None:
        self._own = own
        self._lock = Lock()
        self._over = False
        self._close: Callable[[], object] | None = None

    @property
    def is_free(self) -> bool:
        """Whether no thread has a turn or will have one."""
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
        """Allow no further turns."""
        self._over = True

    def close(self, close: Callable[[], object]) -> None:
        """Allow no further turns, and call ``close``: now.

        Or at the end of the turn in progress.
        """
        self._over = True
        with suppress(OSError):
            socket.socket.shutdown(self._own, socket.SHUT_RD)  # what the turn waits for ends
        self._close = close
        if self._lock.acquire(blocking=False):
            self._end_turn()
