"""The body of an answer that is left in its connection, to be forwarded by the kernel."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from threading import Lock
from typing import TypeVar

from ftpservice.stream.forward import SocketInput

__all__ = ["BodyStream"]

T = TypeVar("T")


class BodyStream(SocketInput):
    """A body of which ``early`` was received, and ``left`` bytes are to come.

    Its connection is for other requests once all came.
    """

    when_complete: Callable[[HTTPConnection], object] | None = None
    """Called with the connection then, in any thread."""

    def __init__(self, connection: HTTPConnection, early: bytes, left: int) -> None:
        super().__init__(early, left, connection.sock.gettimeout() or 0.0)
        self._connection: HTTPConnection | None = connection
        self._lock = Lock()
        self._in_use = self._is_closed = False

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def fileno(self) -> int:
        """Return the descriptor."""
        assert self._connection is not None
        return int(self._connection.sock.fileno())

    def use(self, function: Callable[[SocketInput], T]) -> T:
        """Call a function, in a thread; the connection is not closed meanwhile."""
        with self._lock:
            self._in_use = True
        try:
            return function(self)
        finally:
            with self._lock:
                self._in_use = False
                self._close_unused()

    def received(self, count: int) -> None:
        """Count bytes; after the last one the connection is free."""
        super().received(count)
        if not self.left:
            self.release()

    def release(self) -> None:
        """Let others use the connection, as all of the body came."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None and self.when_complete is not None:
            self.when_complete(connection)

    def close(self) -> None:
        """Close the connection unless it is free; a turn that waits for the server ends."""
        with self._lock:
            self._is_closed = True
            if self._in_use and self._connection is not None:
                with suppress(OSError):
                    self._connection.sock.shutdown(socket.SHUT_RDWR)
            self._close_unused()

    def _close_unused(self) -> None:
        if self._is_closed and not self._in_use:
            self.held = b""
            self.cut()
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
