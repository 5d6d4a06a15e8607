"""A blocking control connection, which can also do what no honest client does."""

from __future__ import annotations

import re
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = [
    "HOST",
    "PATIENCE",
    "Lost",
    "Refused",
    "Wire",
    "connected",
    "receive_all",
    "reset",
    "trusting",
]

HOST = "127.0.0.1"
PATIENCE = 25.0
"""Timeout of a client in seconds."""
PIECE = 262_144


class Refused(Exception):
    """The service answered something else than was expected."""


class Lost(OSError):
    """The connection has ended."""


def trusting() -> ssl.SSLContext:
    """Return a context that accepts every certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connected(port: int, source: str, window: int = 0) -> socket.socket:
    """Connect; ``window`` makes the receive buffer small."""
    end = socket.socket()
    try:
        end.settimeout(PATIENCE)
        if window:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        end.bind((source, 0))
        end.connect((HOST, port))
    except BaseException:
        end.close()
        raise
    return end


def reset(end: socket.socket) -> None:
    """Close a socket with an RST."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def receive_all(end: socket.socket) -> bytes:
    """Read up to the end of the connection."""
    received = bytearray()
    while piece := end.recv(PIECE):
        received += piece
    return bytes(received)


class Wire:
    """A control connection of FTP; a context manager that closes it."""

    def __init__(self, port: int, source: str, implicit: bool = False) -> None:
        self.source = source
        self.secured: ssl.SSLContext | None = None
        self._pending = b""
        self.end = connected(port, source)
        try:
            if implicit:
                self._secure()
            self.expected(220)
        except BaseException:
            self.end.close()
            raise

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end.close()

    def _secure(self) -> None:
        self.secured = trusting()
        self.end = self.secured.wrap_socket(self.end)

    def login(self, user: str, password: str, secured: bool = False) -> None:
        """Log in, for binary transfers; with TLS on request."""
        if secured and self.secured is None:
            self.expect("AUTH TLS", 234)
            self._secure()
        self.expect(f"USER {user}", 331)
        self.expect(f"PASS {password}", 230)
        self.expect("TYPE I", 200)
        if self.secured is not None:
            self.expect("PBSZ 0", 200)
            self.expect("PROT P", 200)

    def send(self, text: str) -> None:
        """Send a command line."""
        self.end.sendall(f"{text}\r\n".encode())

    def reply(self) -> tuple[int, str]:
        """Read a reply; return its code and its last line."""
        line = self._line()
        code = line[:3]
        if line[3:4] == "-":
            while not line.startswith(f"{code} "):
                line = self._line()
        if not code.isdigit():
            raise Refused(f"not a reply: {line!r}")
        return int(code), line[4:]

    def ask(self, text: str) -> tuple[int, str]:
        """Send a command, and read its reply."""
        self.send(text)
        return self.reply()

    def expected(self, *codes: int) -> str:
        """Read a reply, which must have one of these codes; return its text."""
        code, text = self.reply()
        if code not in codes:
            raise Refused(f"{code} {text}")
        return text

    def expect(self, text: str, *codes: int) -> str:
        """Send a command; its reply must have one of these codes."""
        self.send(text)
        return self.expected(*codes)

    def quit(self) -> None:
        """Log out."""
        self.expect("QUIT", 221)

    def passive(self, window: int = 0) -> socket.socket:
        """Connect to a passive port."""
        text = self.expect("EPSV", 229)
        found = re.search(r"\|\|\|(\d+)\|", text)
        if found is None:
            raise Refused(f"229 {text}")
        return connected(int(found[1]), self.source, window)

    @contextmanager
    def data(self, command: str, active: bool = False, window: int = 0) -> Iterator[socket.socket]:
        """Begin a transfer: a context manager of its data connection; closed at the end."""
        if active:
            end = self._active(command)
        else:
            end = self.passive(window)
            try:
                self.expect(command, 150, 125)
            except BaseException:
                end.close()
                raise
        try:
            if self.secured is not None:
                end = self.secured.wrap_socket(end, session=self.end.session)  # type: ignore[attr-defined]
            yield end
        finally:
            end.close()

    def _active(self, command: str) -> socket.socket:
        with socket.create_server((self.source, 0)) as listening:
            listening.settimeout(PATIENCE)
            self.expect(f"EPRT |1|{self.source}|{listening.getsockname()[1]}|", 200)
            self.expect(command, 150, 125)
            end, _ = listening.accept()
        end.settimeout(PATIENCE)
        return end

    def upload(self, command: str, data: bytes, active: bool = False) -> str:
        """Upload; return the text of the last reply."""
        with self.data(command, active) as end:
            end.sendall(data)
            _finish(end)
        return self.expected(226)

    def download(self, command: str, active: bool = False) -> bytes:
        """Download, or list."""
        with self.data(command, active) as end:
            received = receive_all(end)
            _finish(end)
        self.expected(226)
        return received

    def _line(self) -> str:
        while b"\n" not in self._pending:
            piece = self.end.recv(65536)
            if not piece:
                raise Lost("closed by the service")
            self._pending += piece
        line, _, self._pending = self._pending.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")


def _finish(end: socket.socket) -> None:
    """Send close_notify on a connection with TLS."""
    if isinstance(end, ssl.SSLSocket):
        with suppress(OSError):
            end.unwrap()
