"""The real service in this process's reactor, and clients that are nothing but blocking sockets.

A test decorated with `in_thread` runs beside the reactor, so it may block; every socket has a
timeout, and all are closed when the test ends. A module that wants the fixtures ``server`` and
``served`` imports `starting` and `started`.
"""

from __future__ import annotations

import functools
import re
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread, deferToThread

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.service.assembly import assemble
from ftpservice.service.console import Console
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.options import Options

__all__ = [
    "STRANGER",
    "Answer",
    "Served",
    "Wire",
    "everything",
    "in_thread",
    "rst",
    "started",
    "starting",
]

PATIENCE = 15.0
"""Seconds after which something that should happen will not."""
LOCAL = "127.0.0.1"
STRANGER = "127.0.0.2"
"""Another address of this machine, not that of the control connection."""
ACCOUNTS = {
    "demo": "full",
    "other": "full",
    "reader": "read",
    "dropbox": "upload-only",
    "appender": "read-append",
    "admin": "full,admin",
}
"""Names and rights; the password of all is ``demo``."""


def in_thread(test: Callable[..., None]) -> Callable[..., Deferred[None]]:
    """Run a test in a thread while the reactor runs."""

    @functools.wraps(test)
    def beside(*args: Any, **more: Any) -> Deferred[None]:
        return deferToThread(test, *args, **more)

    return beside


def rst(end: socket.socket) -> None:
    """Close a socket so that the peer gets an RST."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


@dataclass(frozen=True)
class Answer:
    """A reply, its bytes as they came."""

    code: int
    lines: tuple[bytes, ...]
    """Without their CRLF."""

    @property
    def text(self) -> str:
        """The last line behind the code."""
        return self.lines[-1][4:].decode("utf-8", "surrogateescape")


class Wire:
    """A control connection; strict about what a reply looks like."""

    def __init__(self, served: Served, end: socket.socket, greeted: bool = True) -> None:
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
        """Read a whole reply (RFC 959 §4.2)."""
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
        """Send commands one after the other."""
        return [self.code(command) for command in commands]

    def replies(self, count: int) -> list[int]:
        """Read the codes of so many replies."""
        return [self.reply().code for _ in range(count)]

    def login(self, name: str = "demo") -> Wire:
        """Log in."""
        assert self.codes(f"USER {name}", "PASS demo") == [331, 230]
        return self

    def place(self) -> tuple[str, int]:
        """Ask for a passive port."""
        answer = self.ask("EPSV")
        match = re.search(r"\(\|\|\|([0-9]+)\|\)", answer.text)
        assert answer.code == 229 and match, answer
        return self.host, int(match[1])

    def data(self, source: str = "") -> socket.socket:
        """Make a passive data connection."""
        return self.served.connected(self.place(), source)

    def accepted(self) -> socket.socket:
        """Make a passive data connection that the server has let in when this returns."""
        data = self.data()
        assert self.codes("NOOP", "NOOP") == [200, 200]
        return data

    def download(self, command: str | bytes) -> bytes:
        """Carry out a download; it must be complete."""
        with self.data() as data:
            assert self.code(command) in (125, 150)
            received = everything(data)
        assert self.reply().code == 226
        return received

    def upload(self, command: str | bytes, content: bytes) -> Answer:
        """Carry out an upload in order, and return the last reply."""
        data = self.data()
        first = self.ask(command)
        assert first.code in (125, 150), first
        data.sendall(content)
        data.close()
        return self.reply()

    def over(self) -> bool:
        """Tell whether the server has ended the connection, with nothing more said."""
        assert self._pending == b""
        return self.end.recv(1) == b""

    def drop(self) -> None:
        """Close it."""
        self.end.close()


def everything(end: socket.socket) -> bytes:
    """Read to the FIN."""
    received = bytearray()
    while piece := end.recv(262144):
        received += piece
    return bytes(received)


class Served:
    """One running service and the sockets of those who talk to it."""

    def __init__(self, service: FTPService, root: Path) -> None:
        self.service = service
        self.root = root
        self._ends: list[socket.socket] = []

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return int(self.service.ports[0].getHost().port)

    @property
    def factory(self) -> Any:
        """The factory of the sessions."""
        return self.service.parts.factory

    def connected(
        self, place: tuple[str, int], source: str = "", window: int = 0
    ) -> socket.socket:
        """Connect a plain socket; ``window`` makes its receive buffer small."""
        end = socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
        self._ends.append(end)
        end.settimeout(PATIENCE)
        if window:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source:
            end.bind((source, 0))
        end.connect(place)
        return end

    def turns_away(self, place: tuple[str, int]) -> bool:
        """Tell whether a port is closed to us, or closes on us without a word."""
        try:
            with self.connected(place) as end:
                return end.recv(1) == b""
        except (ConnectionRefusedError, ConnectionResetError):
            return True

    def listening(self, host: str = LOCAL) -> socket.socket:
        """Listen as an active client does."""
        end = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._ends.append(end)
        end.settimeout(PATIENCE)
        end.bind((host, 0))
        end.listen()
        return end

    def accepted(self, listening: socket.socket) -> socket.socket:
        """Accept a connection on such a socket."""
        end, _ = listening.accept()
        self._ends.append(end)
        end.settimeout(PATIENCE)
        return end

    def wire(self, host: str = LOCAL, source: str = "", greeted: bool = True) -> Wire:
        """Open a control connection."""
        return Wire(self, self.connected((host, self.port), source), greeted)

    def session(self, name: str = "demo", host: str = LOCAL) -> Wire:
        """Open a control connection and log in."""
        return self.wire(host).login(name)

    def in_reactor(self, work: Callable[[], Any]) -> Any:
        """Do something in the reactor's thread."""
        return blockingCallFromThread(reactor, work)

    def settled(self) -> Callable[[], bool]:
        """Return what tells whether no session is left."""
        return lambda: not self.factory.instances

    def wait_for(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds in the reactor's thread, a few of its turns at a time."""
        async def until() -> None:
            deadline = reactor.seconds() + PATIENCE
            while not condition():
                assert reactor.seconds() < deadline, "it does not happen"
                await deferLater(reactor, 0.002)

        blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(until()))

    def close(self) -> None:
        """Close all sockets of clients."""
        for end in self._ends:
            end.close()
        self._ends.clear()


@pytest.fixture(name="server")
def starting(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start services: ``server(*options)`` gives one; they stop when the test ends."""
    running: list[Served] = []
    accounts = tmp_path / "passwd.db"
    accounts.write_text(
        "".join(f"{name}:{SHIPPED_HASH}:/:{rights}:\n" for name, rights in ACCOUNTS.items())
    )
    root = tmp_path / "files"
    root.mkdir()

    def start(*options: str) -> Served:
        parsed = Options()
        listen = [] if "--listen" in options else ["--listen", f"tcp:0:interface={LOCAL}"]
        parsed.parseOptions(
            [*listen, *options, "--auth", f"passwd:{accounts}", "--root", f"local:{root}"]
        )
        service = assemble(parsed, reactor, Console(None, None, logged=False))
        service.privilegedStartService()
        service.startService()
        running.append(Served(service, root))
        return running[-1]

    try:
        yield start
    finally:
        for one in running:
            one.close()
            pytest_twisted.blockon(one.service.stopService())


@pytest.fixture(name="served")
def started(server: Callable[..., Served]) -> Served:
    """A service with everything as it is by default."""
    return server()
