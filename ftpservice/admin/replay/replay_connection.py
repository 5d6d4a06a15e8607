"""The client of a replay: a control connection and one data connection, with blocking sockets."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from typing import NamedTuple

from ftpservice.admin.replay.replay_target import ReplayTarget
from ftpservice.net.tls.record_io import forget_error

__all__ = ["ReceivedReply", "ReplayConnection", "ServerLost"]

MAX_LINE_BYTES = 64 * 1024
MAX_REPLY_LINES = 100_000
PIECE = bytes(64 * 1024)
"""What an upload sends instead of its contents, which a transcript does not have."""
EPSV_PORT = re.compile(r"\(\|\|\|(\d{1,5})\|\)")
PASV_PORT = re.compile(r"(?:\d{1,3},){4}(\d{1,3}),(\d{1,3})")


class ServerLost(Exception):
    """The server does not answer; ``str`` of it says why."""


class ReceivedReply(NamedTuple):
    """A reply of the server."""

    code: int
    lines: list[str]


class ReplayConnection:
    """One session with the server; a context manager. Raises `ServerLost`."""

    def __init__(self, target: ReplayTarget) -> None:
        self._target = target
        self._tls = target.tls_context()
        self._buffer = b""
        self._data: socket.socket | None = None
        self._listening: socket.socket | None = None
        self.protects_data = target.is_implicit
        """Whether data connections are under TLS (PROT P)."""
        address = (target.host, target.port)
        try:
            self._control = socket.create_connection(address, target.timeout)
            if target.is_implicit:
                self.start_tls()
        except OSError as error:
            raise ServerLost(f"{target.host}:{target.port}: {_reason(error)}") from None

    def __enter__(self) -> ReplayConnection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close_data()
        self._control.close()

    def start_tls(self) -> None:
        """Begin TLS on the control connection."""
        self._buffer = b""
        self._control = self._wrapped(self._control)

    def end_tls(self) -> None:
        """End TLS on the control connection (CCC)."""
        control = self._control
        if isinstance(control, ssl.SSLSocket):
            try:
                self._control = control.unwrap()
            except OSError as error:
                raise ServerLost(_reason(error)) from None

    def _wrapped(
        self, plain: socket.socket, session: ssl.SSLSession | None = None
    ) -> ssl.SSLSocket:
        try:
            return self._tls.wrap_socket(plain, server_hostname=self._target.host, session=session)
        except (OSError, ValueError) as error:
            plain.close()
            raise ServerLost(f"TLS: {_reason(error)}") from None

    def send(self, line: str) -> None:
        """Send a command."""
        try:
            self._control.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")
        except OSError as error:
            raise ServerLost(_reason(error)) from None

    def reply(self) -> ReceivedReply:
        """Return the next reply."""
        first = self._line()
        if not re.match(r"[1-5]\d\d(?:[ -]|$)", first):
            raise ServerLost(f"not a reply: {first[:80]!r}")
        lines, last = [first[4:]], first
        while last[3:4] == "-" or not last.startswith(first[:3]):
            last = self._line()
            is_marked = last[:3] == first[:3] and last[3:4] in ("-", " ")
            lines.append(last[4:] if is_marked else last)
            if len(lines) > MAX_REPLY_LINES:
                raise ServerLost("a reply does not end")
            if is_marked and last[3] == " ":
                break
        return ReceivedReply(int(first[:3]), lines)

    def _line(self) -> str:
        while b"\n" not in self._buffer:
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ServerLost("a line of a reply does not end")
            try:
                piece = self._control.recv(MAX_LINE_BYTES)
            except OSError as error:
                raise ServerLost(_reason(error)) from None
            if not piece:
                raise ServerLost("the server has closed the connection")
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.removesuffix(b"\r").decode("utf-8", "surrogateescape")

    def connect_data(self, answer: ReceivedReply) -> None:
        """Connect to the port of a reply to PASV or EPSV, at the address of the server."""
        extended = EPSV_PORT.search(answer.lines[-1])
        plain = PASV_PORT.search(answer.lines[-1])
        if extended is not None:
            port = int(extended[1])
        elif plain is not None:
            port = int(plain[1]) * 256 + int(plain[2])
        else:
            return
        self.close_data()
        host = self._control.getpeername()[0]
        with suppress(OSError, OverflowError):  # the transfer then gets 425, which is compared
            self._data = socket.create_connection((host, port), self._target.timeout)

    def listen(self, verb: str) -> str:
        """Listen for the data connection; returns PORT or EPRT with its address."""
        self.close_data()
        host, is_ipv6 = self._control.getsockname()[0], self._control.family == socket.AF_INET6
        self._listening = socket.create_server((host, 0), family=self._control.family)
        self._listening.settimeout(self._target.timeout)
        port = self._listening.getsockname()[1]
        if verb == "PORT":
            return f"PORT {host.replace('.', ',')},{port // 256},{port % 256}"
        return f"EPRT |{2 if is_ipv6 else 1}|{host}|{port}|"

    def open_data(self) -> None:
        """Accept the data connection if it is an active one, and begin its TLS."""
        listening, self._listening = self._listening, None
        try:
            if listening is not None:
                with listening:
                    self._data = listening.accept()[0]
                self._data.settimeout(self._target.timeout)
        except OSError as error:
            raise ServerLost(f"no data connection: {_reason(error)}") from None
        data, control = self._data, self._control
        if data is not None and self.protects_data:
            session = control.session if isinstance(control, ssl.SSLSocket) else None
            self._data = self._wrapped(data, session)

    def upload(self, size: int) -> None:
        """Send this number of bytes; the server may refuse them, which its reply tells."""
        if self._data is None:
            return
        try:
            while size > 0:
                self._data.sendall(PIECE[:size])
                size -= len(PIECE)
        except OSError as error:
            forget_error(error)

    def download(self) -> None:
        """Receive to the end of the data."""
        if self._data is None:
            return
        try:
            while self._data.recv(len(PIECE)):
                pass
        except OSError as error:
            forget_error(error)

    def close_data(self) -> None:
        """Close the data connection."""
        data, listening = self._data, self._listening
        self._data = self._listening = None
        if isinstance(data, ssl.SSLSocket):
            try:
                data.unwrap()
            except OSError as error:
                forget_error(error)
            except ValueError:
                pass  # TLS has not begun, or has ended
        for one in (data, listening):
            if one is not None:
                one.close()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
