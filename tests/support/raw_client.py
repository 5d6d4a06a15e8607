"""The real service in this process's reactor, and clients that are nothing but blocking sockets.

A test decorated with `in_thread` runs beside the reactor, so it may block; every socket has a
timeout, and all are closed when the test ends. A module that wants the fixtures ``server`` and
``served`` imports `starting` and `started`.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import blockingCallFromThread, deferToThread

from ftpservice.accounts.checkers import SHIPPED_HASH
from ftpservice.service.assembly import assemble
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.settings.options import ServiceOptions
from tests.support.tcp_wire import Answer, Wire, everything, rst

__all__ = [
    "STRANGER",
    "Answer",
    "Closeable",
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


class Closeable(Protocol):
    """A socket, or a client that has one."""

    def close(self) -> None: ...


class Served:
    """One running service and the sockets of those who talk to it."""

    def __init__(self, service: FTPService, root: Path) -> None:
        self.service = service
        self.root = root
        self._ends: list[Closeable] = []

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return int(self.service.ports[0].getHost().port)

    @property
    def ports(self) -> list[int]:
        """The ports of all listeners, in order; those where TLS comes first are the last."""
        return [int(port.getHost().port) for port in self.service.ports]

    def adopt(self, end: Closeable) -> None:
        """Close this one too when the test ends."""
        self._ends.append(end)

    @property
    def factory(self) -> Any:
        """The factory of the sessions."""
        return self.service.parts.factory

    def connected(self, place: tuple[str, int], source: str = "", window: int = 0) -> socket.socket:
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
        parsed = ServiceOptions()
        listen = [] if "--listen" in options else ["--listen", f"tcp:0:interface={LOCAL}"]
        parsed.parseOptions(
            [*listen, *options, "--auth", f"passwd:{accounts}", "--root", f"local:{root}"]
        )
        service = assemble(parsed, reactor, OperatorConsole(None, None, logged=False))
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
