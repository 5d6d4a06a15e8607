"""A relay in front of a server of a test, which breaks and holds up what the server answers."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

__all__ = ["ServerRelay"]

PIECE = 64 << 10
LARGE = 1 << 20


class ServerRelay:
    """Relays connections to the server of ``url``; a context."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.cuts: list[int] = []
        """After how many bytes the next large answers are cut off, of a server that closes."""
        self.flows = threading.Event()
        """Whether answers are passed on."""
        self.flows.set()
        self.connections = 0
        """How many there were."""
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> ServerRelay:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.kill()
        for thread in self._threads:
            thread.join()

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._open)

    def cut_all(self) -> None:
        """Break all connections."""
        for one in tuple(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Break all connections, and refuse others."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.flows.set()
        self.cut_all()

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listening.accept()
                self.connections += 1
                self._open.add(client)
                self._start(self._relay, client)

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._address) as server:
            self._start(self._pass, client, server)
            with suppress(OSError):
                head = server.recv(PIECE, socket.MSG_PEEK)
                size = re.search(rb"(?i)content-length: ([0-9]+)", head)
                is_large = size is not None and int(size[1]) > LARGE
                left = self.cuts.pop(0) if is_large and self.cuts else None
                while left != 0 and (data := server.recv(min(PIECE, left or PIECE))):
                    self.flows.wait()
                    client.sendall(data)
                    left = None if left is None else left - len(data)
            for one in (client, server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.discard(client)

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        """Pass requests on."""
        with suppress(OSError):
            while data := client.recv(PIECE):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
