"""A service in the reactor of this process, and blocking sockets as clients.

A test decorated with `in_thread` runs in a thread, so it may block; every socket has a timeout, and
all are closed when the test ends. A module with the fixtures ``server`` and ``served`` imports
`starting` and `started`.
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

from ftpservice.service.assembly import assemble
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.settings.options import ServiceOptions
from tests.support.cheap_hash import DEMO_HASH
from tests.support.tcp_wire import Answer, Wire, receive_all, reset

__all__ = [
    "STRANGER",
    "Answer",
    "Closeable",
    "RunningService",
    "Wire",
    "in_thread",
    "receive_all",
    "reset",
    "started",
    "starting",
]

PATIENCE = 30.0
"""Timeout in seconds."""
LOCAL = "127.0.0.1"
STRANGER = "127.0.0.2"
"""An address of this machine that is not that of the control connection."""
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
    """Decorate a test: it runs in a thread while the reactor runs."""

    @functools.wraps(test)
    def beside(*args: Any, **more: Any) -> Deferred[None]:
        return deferToThread(test, *args, **more)

    return beside


class Closeable(Protocol):
    """A socket, or a client that has one."""

    def close(self) -> None: ...


class RunningService:
    """A running service and the sockets of its clients."""

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
        """The ports of all listeners in order; those with implicit TLS are the last."""
        return [int(port.getHost().port) for port in self.service.ports]

    def close_later(self, end: Closeable) -> None:
        """Close ``end`` when the test ends."""
        self._ends.append(end)

    @property
    def factory(self) -> Any:
        """The factory of the sessions."""
        return self.service.parts.factory

    def connected(
        self, address: tuple[str, int], source: str = "", window: int = 0
    ) -> socket.socket:
        """Connect a plain socket; ``window`` makes its receive buffer small."""
        end = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self._ends.append(end)
        end.settimeout(PATIENCE)
        if window:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source:
            end.bind((source, 0))
        end.connect(address)
        return end

    def refuses(self, address: tuple[str, int]) -> bool:
        """Return whether a port refuses a connection, or closes it without sending anything."""
        try:
            with self.connected(address) as end:
                return end.recv(1) == b""
        except (ConnectionRefusedError, ConnectionResetError):
            return True

    def listening(self, host: str = LOCAL) -> socket.socket:
        """Listen for an active data connection."""
        end = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._ends.append(end)
        end.settimeout(PATIENCE)
        end.bind((host, 0))
        end.listen()
        return end

    def accepted(self, listening: socket.socket) -> socket.socket:
        """Accept an active data connection."""
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
        """Call a function in the reactor thread."""
        return blockingCallFromThread(reactor, work)

    def settled(self) -> Callable[[], bool]:
        """Return a condition that holds when no session is left."""
        return lambda: not self.factory.instances

    def wait_for(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition holds; it is called in the reactor thread."""

        async def until() -> None:
            deadline = reactor.seconds() + PATIENCE
            while not condition():
                assert reactor.seconds() < deadline, "timeout"
                await deferLater(reactor, 0.002)

        blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(until()))

    def close(self) -> None:
        """Close the sockets of the clients."""
        for end in self._ends:
            end.close()
        self._ends.clear()


@pytest.fixture(name="server")
def starting(tmp_path: Path) -> Iterator[Callable[..., RunningService]]:
    """Start services: ``server(*options)`` returns one; they stop when the test ends.

    ``root``: another storage than a directory of the test.
    """
    running: list[RunningService] = []
    accounts = tmp_path / "passwd.db"
    accounts.write_text(
        "".join(f"{name}:{DEMO_HASH}:/:{rights}:\n" for name, rights in ACCOUNTS.items())
    )
    files = tmp_path / "files"
    files.mkdir()

    def start(*options: str, root: str = f"local:{files}") -> RunningService:
        parsed = ServiceOptions()
        listen = [] if "--listen" in options else ["--listen", f"tcp:0:interface={LOCAL}"]
        parsed.parseOptions([*listen, *options, "--auth", f"passwd:{accounts}", "--root", root])
        service = assemble(parsed, reactor, OperatorConsole(None, None, logged=False))
        service.privilegedStartService()
        service.startService()
        running.append(RunningService(service, files))
        return running[-1]

    try:
        yield start
    finally:
        for one in running:
            one.close()
            pytest_twisted.blockon(one.service.stopService())


@pytest.fixture(name="served")
def started(server: Callable[..., RunningService]) -> RunningService:
    """A service with default settings."""
    return server()
