"""The client side of a control connection on a blocking socket; it checks the form of replies."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.raw_client import RunningService

__all__ = ["Answer", "Wire", "receive_all", "reset"]


def reset(end: socket.socket) -> None:
    """Close a socket with an RST."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


@dataclass(frozen=True)
class Answer:
    """A reply in bytes."""

    code: int
    lines: tuple[bytes, ...]
    """Without their CRLF."""

    @property
    def text(self) -> str:
        """The text of the last line."""
        return self.lines[-1][4:].decode("utf-8", "surrogateescape")


class Wire:
    """A control connection; a malformed reply fails the test."""

    def __init__(self, served: RunningService, end: socket.socket, greeted: bool = True) -> None:
        self.served = served
        self.end = end
        self._pending = b""
        if greeted:
            assert self.reply().code == 220

    @property
    def host(self) -> str:
        """The server's address."""
        return str(self.end.getpeername()[0])

    def send(self, data: str | bytes) -> None:
        """Send bytes as they are."""
        self.end.sendall(data.encode() if isinstance(data, str) else data)

    def line(self) -> bytes:
        """Read a line; it must end with CRLF and hold neither CR nor LF."""
        while b"\n" not in self._pending:
            piece = self.end.recv(65536)
            assert piece, f"closed after {self._pending!r}"
            self._pending += piece
        line, _, self._pending = self._pending.partition(b"\n")
        assert line.endswith(b"\r") and b"\r" not in line[:-1], line
        return line[:-1]

    def reply(self) -> Answer:
        """Read a reply (RFC 959 §4.2)."""
        lines = [self.line()]
        match = re.fullmatch(rb"([1-5][0-5][0-9])([ -])(.*)", lines[0], re.DOTALL)
        assert match, lines[0]
        code, more = match[1], match[2] == b"-"
        while more:
            lines.append(self.line())
            more = not lines[-1].startswith(code + b" ")
        return Answer(int(code), tuple(lines))

    def ask(self, command: str | bytes) -> Answer:
        """Send a command line and read its reply."""
        text = command.encode() if isinstance(command, str) else command
        self.send(text + b"\r\n")
        return self.reply()

    def code(self, command: str | bytes) -> int:
        """Send a command line and return the code of its reply."""
        return self.ask(command).code

    def codes(self, *commands: str | bytes) -> list[int]:
        """Send commands one by one; return the codes of their replies."""
        return [self.code(command) for command in commands]

    def replies(self, count: int) -> list[int]:
        """Read ``count`` replies; return their codes."""
        return [self.reply().code for _ in range(count)]

    def login(self, name: str = "demo") -> Wire:
        """Log in."""
        assert self.codes(f"USER {name}", "PASS demo") == [331, 230]
        return self

    def passive_address(self) -> tuple[str, int]:
        """Send EPSV; return the address of the passive port."""
        answer = self.ask("EPSV")
        match = re.search(r"\(\|\|\|([0-9]+)\|\)", answer.text)
        assert answer.code == 229 and match, answer
        return self.host, int(match[1])

    def data(self, source: str = "") -> socket.socket:
        """Open a passive data connection."""
        return self.served.connected(self.passive_address(), source)

    def accepted(self) -> socket.socket:
        """Open a passive data connection that the server has accepted when this returns."""
        data = self.data()
        assert self.codes("NOOP", "NOOP") == [200, 200]
        return data

    def download(self, command: str | bytes) -> bytes:
        """Download; the transfer must be complete."""
        with self.data() as data:
            assert self.code(command) == 150
            received = receive_all(data)
        assert self.reply().code == 226
        return received

    def upload(self, command: str | bytes, content: bytes) -> Answer:
        """Upload; return the last reply."""
        data = self.data()
        first = self.ask(command)
        assert first.code == 150, first
        data.sendall(content)
        data.close()
        return self.reply()

    def over(self) -> bool:
        """Return whether the server closes the connection without sending more."""
        assert self._pending == b""
        return self.end.recv(1) == b""

    def drop(self) -> None:
        """Close the connection."""
        self.end.close()


def receive_all(end: socket.socket) -> bytes:
    """Read up to the FIN."""
    received = bytearray()
    while piece := end.recv(262144):
        received += piece
    return bytes(received)
