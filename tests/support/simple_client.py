"""A client of the simple protocol on a blocking socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Protocol

import pytest

from tests.support.raw_client import Closeable, RunningService, reset

__all__ = ["SimpleWire", "connected", "session", "simple_served"]


class SocketOwner(Protocol):
    """A service that closes the sockets of its clients when the test ends."""

    def close_later(self, end: Closeable) -> None: ...


class SimpleWire:
    """One connection; answers are read by line, raw bytes by count."""

    def __init__(self, served: SocketOwner, end: socket.socket) -> None:
        self.end = end
        self._file = end.makefile("rb")
        served.close_later(self)

    def send(self, data: str | bytes) -> None:
        """Send text or bytes as they are."""
        self.end.sendall(data.encode() if isinstance(data, str) else data)

    def line(self) -> str:
        """Return the next line without its end; empty at the end of the connection."""
        return self._file.readline().decode().removesuffix("\n")

    def raw(self, size: int) -> bytes:
        """Return ``size`` raw bytes, or fewer at the end."""
        return self._file.read(size)

    def rest(self) -> bytes:
        """Return everything up to the end of the connection."""
        return self._file.read()

    def ask(self, line: str) -> str:
        """Send a line; return the line of the answer."""
        self.send(f"{line}\n")
        return self.line()

    def asks(self, *lines: str) -> list[str]:
        """Send lines one by one; return the first two words of each answer."""
        return [" ".join(self.ask(line).split(" ")[:2]) for line in lines]

    def login(self, name: str = "demo") -> SimpleWire:
        """Log in; returns itself."""
        assert self.asks(f"USER {name}", "PASS demo") == ["OK password", "OK logged"]
        return self

    def upload(self, name: str, content: bytes) -> str:
        """Upload; return the last answer."""
        assert self.ask(f"UPLD {len(content)} {name}") == "GO"
        self.send(content)
        return self.line()

    def download(self, name: str) -> bytes:
        """Download; return the content."""
        word, _space, size = self.ask(f"DWLD {name}").partition(" ")
        assert word == "OK"
        return self.raw(int(size))

    def listing(self, path: str = "") -> list[str]:
        """Return the lines of LIST."""
        first = self.ask(f"LIST {path}".strip())
        return [first, *(self.line() for _ in range(int(first.split(" ")[1])))]

    def close(self) -> None:
        """Close file and socket: the socket is open as long as the file."""
        self._file.close()
        self.end.close()

    def reset(self) -> None:
        """Send an RST."""
        self._file.close()
        reset(self.end)

    @property
    def is_over(self) -> bool:
        """Whether the service has closed the connection without sending more."""
        return self.rest() == b""


@pytest.fixture(name="served")
def simple_served(server: Callable[..., RunningService]) -> RunningService:
    """A service with a listener for the simple protocol."""
    return server("--simple", "tcp:0:interface=127.0.0.1")


def connected(
    served: RunningService, port: int = -1, context: ssl.SSLContext | None = None
) -> SimpleWire:
    """Connect to the last port, or another; with TLS if there is a context."""
    end = served.connected(("127.0.0.1", served.ports[port]))
    if context is not None:
        end = context.wrap_socket(end, server_hostname="127.0.0.1")
        served.close_later(end)
    return SimpleWire(served, end)


def session(served: RunningService, name: str = "demo") -> SimpleWire:
    """Connect, read the greeting and log in."""
    wire = connected(served)
    assert wire.line() == "OK ftpservice simple/1"
    return wire.login(name)
