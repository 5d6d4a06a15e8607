"""A network between a browser and the service that is cut, or stops, after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

__all__ = ["UploadNetwork"]

PIECE = 65536


class UploadNetwork:
    """Forwards connections to ``port`` of this machine; ``sent`` counts what clients have sent.

    A context manager. What ``cut`` and ``hold`` have been given is used once.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0
        self.cuts = 0
        self._cut_at: int | None = None
        self._hold_at: int | None = None
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._is_stopped = False
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]

    def cut(self, after: int) -> None:
        """End the connection that sends this byte from now on."""
        with self._lock:
            self._cut_at = self.sent + after

    def hold(self, after: int) -> None:
        """Forward this many bytes from now on, and nothing more until `go_on`."""
        with self._lock:
            self._hold_at = self.sent + after

    def go_on(self) -> None:
        """Forward again."""
        self._hold_at = None
        self._may_go_on.set()

    def __enter__(self) -> UploadNetwork:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_stopped = True
        self.go_on()
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for thread in self._threads[1:]:
            thread.join()
        for one in (self._listener, *self._sockets):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets |= {client, server}
            for source, target in ((client, server), (server, client)):
                thread = threading.Thread(
                    target=self._forward, args=(source, target, source is client)
                )
                self._threads.append(thread)
                thread.start()
            if self._is_stopped:
                _end(client, server)

    def _forward(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        try:
            while data := source.recv(PIECE):
                if is_client and not self._passes(len(data)):
                    break
                target.sendall(data)
        except OSError:
            pass
        _end(source, target)

    def _passes(self, count: int) -> bool:
        """Count bytes, and wait while they are held; False: the connection is cut."""
        with self._lock:
            self.sent += count
            if self._cut_at is not None and self.sent >= self._cut_at:
                self._cut_at = None
                self.cuts += 1
                return False
            if self._hold_at is not None and self.sent >= self._hold_at:
                self._may_go_on.clear()
        self._may_go_on.wait()
        return True


def _end(*ends: socket.socket) -> None:
    for one in ends:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
