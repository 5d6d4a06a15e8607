"""A client of the simple protocol that is nothing but a blocking socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Protocol

import pytest

from tests.support.raw_client import Closeable, Served, rst

__all__ = ["SimpleWire", "connected", "session", "simple_served"]


class Adopter(Protocol):
    """A service that closes the ends of its clients when the test ends."""

    def adopt(self, end: Closeable) -> None: ...


class SimpleWire:
    """One connection; answers are read line by line, raw bytes by their number."""

    def __init__(self, served: Adopter, end: socket.socket) -> None:
        self.end = end
        self._file = end.makefile("rb")
        served.adopt(self)

    def send(self, data: str | bytes) -> None:
        """Send text or bytes as they are."""
        self.end.sendall(data.encode() if isinstance(data, str) else data)

    def line(self) -> str:
        """Return the next line without its end; empty at the end of the connection."""
        return self._file.readline().decode().removesuffix("\n")

    def raw(self, size: int) -> bytes:
        """Return so many raw bytes, or fewer at the end."""
        return self._file.read(size)

    def rest(self) -> bytes:
        """Return all that still comes."""
        return self._file.read()

    def ask(self, line: str) -> str:
        """Send a line and return the answer's."""
        self.send(f"{line}\n")
        return self.line()

    def asks(self, *lines: str) -> list[str]:
        """Send lines one after the other; return the first two words of each answer."""
        return [" ".join(self.ask(line).split(" ")[:2]) for line in lines]

    def login(self, name: str = "demo") -> SimpleWire:
        """Log in; returns itself."""
        assert self.asks(f"USER {name}", "PASS demo") == ["OK password", "OK logged"]
        return self

    def upload(self, name: str, content: bytes) -> str:
        """Upload and return the last answer."""
        assert self.ask(f"UPLD {len(content)} {name}") == "GO"
        self.send(content)
        return self.line()

    def download(self, name: str) -> bytes:
        """Download and return the content."""
        word, _space, size = self.ask(f"DWLD {name}").partition(" ")
        assert word == "OK"
        return self.raw(int(size))

    def listing(self, path: str = "") -> list[str]:
        """Return all lines of LIST."""
        first = self.ask(f"LIST {path}".strip())
        return [first, *(self.line() for _ in range(int(first.split(" ")[1])))]

    def close(self) -> None:
        """Close the file too: as long as that is open, the socket is."""
        self._file.close()
        self.end.close()

    def rst(self) -> None:
        """Break the connection."""
        self._file.close()
        rst(self.end)

    @property
    def is_over(self) -> bool:
        """Whether the service has ended the connection, and says nothing else."""
        return self.rest() == b""


@pytest.fixture(name="served")
def simple_served(server: Callable[..., Served]) -> Served:
    """A service that speaks the simple protocol too."""
    return server("--simple", "tcp:0:interface=127.0.0.1")


def connected(served: Served, port: int = -1, context: ssl.SSLContext | None = None) -> SimpleWire:
    """Connect to the last port, or another; under TLS with a context."""
    end = served.connected(("127.0.0.1", served.ports[port]))
    if context is not None:
        end = context.wrap_socket(end, server_hostname="127.0.0.1")
        served.adopt(end)
    return SimpleWire(served, end)


def session(served: Served, name: str = "demo") -> SimpleWire:
    """Connect, be greeted and log in."""
    wire = connected(served)
    assert wire.line() == "OK ftpservice simple/1"
    return wire.login(name)
