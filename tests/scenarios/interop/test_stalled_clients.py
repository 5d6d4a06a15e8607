"""Clients that send and never read: memory is bounded, and the stall timeout ends them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from ftpservice.events import Event, SessionStalled, TransferEnded
from tests.support.raw_client import RunningService, Wire, in_thread, starting
from tests.support.simple_client import SimpleWire
from tests.support.tls_client import TLSWire, client_context

FIXTURES = (starting,)
LOCAL = "127.0.0.1"
LISTEN = [f"--{kind}=tcp:0:interface={LOCAL}" for kind in ("listen", "simple")]
PATIENCE = 30.0
MAX_KEPT_BYTES = 2_000_000
WINDOW = 4096
FILES = 1500
CONTENT = bytes(range(256)) * 80_000


class Stalling:
    """A service with a short stall timeout, and its events."""

    def __init__(self, served: RunningService) -> None:
        self.served = served
        self.events: list[Event] = []
        served.factory.event_sink.events.subscribe(self.events.append)
        (served.root / "big").write_bytes(CONTENT)
        many = served.root / "many"
        many.mkdir()
        for number in range(FILES):
            (many / f"{number:0250}").touch()

    def found(self, kind: type[Event]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if type(event) is kind]

    def sessions(self) -> list[tuple[Any, Any]]:
        """Return the sessions and their transports."""
        found = self.served.factory.instances
        return [(one, getattr(one, "transport", None) or one.connection.transport) for one in found]

    def narrow(self) -> None:
        """Let the kernel keep little; called in the reactor thread."""
        for _, transport in self.sessions():
            transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WINDOW)

    def kept(self) -> int:
        """Return the bytes that wait to be sent, of all sessions; called in the reactor thread."""
        kept = 0
        for session, transport in self.sessions():
            kept += len(transport.dataBuffer) + transport._tempDataLen
            kept += session.stream._unsent_bytes if hasattr(session, "stream") else 0
        return kept

    def flood(self, end: socket.socket, command: str) -> list[tuple[str, str]]:
        """Send and read nothing, until the session is ended; return user and reason."""
        most, deadline = 0, time.monotonic() + PATIENCE
        piece = f"{command}\r\n".encode() * 1000
        end.settimeout(0.05)
        self.events.clear()
        self.served.in_reactor(self.narrow)
        while not self.found(SessionStalled):
            assert time.monotonic() < deadline, "timeout"
            with suppress(OSError):
                end.send(piece)
            most = max(most, self.served.in_reactor(self.kept))
        assert most < MAX_KEPT_BYTES
        self.served.wait_for(self.served.settled())
        return [(stall.user, stall.reason) for stall in self.found(SessionStalled)]


@pytest.fixture
def stalling(server: Callable[..., RunningService]) -> Stalling:
    return Stalling(server("--stall-timeout=0.5", "--tls=off", *LISTEN))


@pytest.fixture
def secured(server: Callable[..., RunningService]) -> Stalling:
    return Stalling(server("--stall-timeout=0.5"))


@in_thread
def test_replies_that_are_not_read_end_the_session(stalling: Stalling) -> None:
    served = stalling.served
    for command in ("HELP", "STAT many", "MLST big"):
        wire = Wire(served, served.connected((LOCAL, served.port), window=WINDOW)).login()
        assert stalling.flood(wire.end, command) == [
            ("demo", "it has read no reply for 0.5 seconds")
        ]


@in_thread
def test_replies_under_tls_that_are_not_read_end_the_session(secured: Stalling) -> None:
    served = secured.served
    end = served.connected((LOCAL, served.port), window=WINDOW)
    wire = TLSWire(served, end, client_context()).auth().login()
    assert secured.flood(wire.end, "HELP") == [("demo", "it has read no reply for 0.5 seconds")]


@in_thread
def test_answers_of_the_simple_protocol_that_are_not_read_end_the_session(
    stalling: Stalling,
) -> None:
    served = stalling.served
    for command in ("LIST /many", "DWLD 0 big"):
        end = served.connected((LOCAL, served.ports[-1]), window=WINDOW)
        wire = SimpleWire(served, end)
        assert wire.line().startswith("OK ")
        wire.login()
        assert stalling.flood(end, command) == [("demo", "no progress for 0.5 seconds")]


def assert_unread_downloads_end(stalling: Stalling, wire: Wire) -> None:
    """Begin downloads and read nothing: they end with 426, and the session goes on."""
    assert wire.code("TYPE I") == 200
    for command in ("RETR big", "LIST many"):
        end = stalling.served.connected(wire.passive_address(), window=WINDOW)
        wire.send(f"{command}\r\n")
        data = wire.wrapped(end, wire.end.session) if isinstance(wire, TLSWire) else end
        assert wire.replies(2) == [150, 426]
        data.close()
    assert stalling.found(TransferEnded)[0].detail == "no progress for 0.5 seconds"
    assert wire.code("PWD") == 257


@in_thread
def test_a_download_that_is_not_read_ends(stalling: Stalling) -> None:
    assert_unread_downloads_end(stalling, stalling.served.session())


@in_thread
def test_a_download_under_tls_that_is_not_read_ends(secured: Stalling) -> None:
    served = secured.served
    wire = TLSWire(served, served.connected((LOCAL, served.port)), client_context()).auth()
    wire.login()
    assert_unread_downloads_end(secured, wire.protect())
