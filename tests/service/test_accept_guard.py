"""Refused connections: the answer of each protocol, the event, the advice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.tcp import Port

from ftpservice.events import Event, Refused
from ftpservice.service.accept_guard import ADVICE_SECONDS, AcceptGuard
from ftpservice.service.listeners import parse_listener
from tests.support.open_resources import LoggedErrors

TEXT = "Out of resources (Too many open files); try again later."
EXHAUSTED = OSError(24, "Too many open files")


class Guarded:
    """A guard, and the events that it has published."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.clock = Clock()
        self.events: list[Event] = []
        self.guard = AcceptGuard(self.events.append, self.clock)
        self.guard.startService()

    def refused(self, option: str = "listen", peer: object = ("192.0.2.7", 9)) -> bytes:
        """Return what a refused connection to a listener gets."""
        self.guard.guard(parse_listener(self.reactor, "tcp:0", option), self.port())
        return self.last_loop(peer)

    def port(self) -> Port:
        return Port(0, Factory(), reactor=self.reactor)

    def last_loop(self, peer: object) -> bytes:
        return self.guard._loops[-1]._refusal(peer, EXHAUSTED)


@pytest.fixture
def guarded(reactor: Any) -> Iterator[Guarded]:
    guarded = Guarded(reactor)
    with LoggedErrors():
        yield guarded
    guarded.guard.stopService()


def test_each_protocol_has_its_own_answer(guarded: Guarded) -> None:
    assert guarded.refused("listen") == f"421 {TEXT}\r\n".encode()
    assert guarded.refused("simple") == f"ERR BUSY {TEXT}\n".encode()
    for option in ("implicit", "simple-tls"):
        alert = guarded.refused(option)
        assert alert[0] == 21 and alert[-2:] == b"\x02\x50"  # fatal, internal_error
    guarded.guard.guard_control(guarded.port())
    assert json.loads(guarded.last_loop("")) == {"ok": False, "error": TEXT}


def test_each_refused_connection_is_an_event_of_no_session(guarded: Guarded) -> None:
    guarded.refused(peer=("::ffff:192.0.2.7", 9, 0, 0))
    guarded.refused(peer="")
    found = [(e.session, e.peer, e.user, e.reason) for e in guarded.events if type(e) is Refused]
    assert found == [(0, "192.0.2.7", "", TEXT), (0, "local", "", TEXT)]


def test_what_to_do_is_logged_once_a_minute(guarded: Guarded) -> None:
    with LoggedErrors() as logged:
        for _ in range(3):
            guarded.refused()
            guarded.clock.advance(ADVICE_SECONDS / 4)
        assert len(logged.lines) == 1
        assert "raise LimitNOFILE (it is " in logged.lines[0]
        guarded.clock.advance(ADVICE_SECONDS)
        guarded.refused()
    assert len(logged.lines) == 2


def test_a_stopped_guard_holds_nothing(guarded: Guarded) -> None:
    guarded.refused()
    guarded.guard.stopService()
    assert not guarded.guard._loops
    assert not guarded.guard._reserve.release()


def test_a_port_of_another_kind_is_left_alone(guarded: Guarded) -> None:
    guarded.guard.guard(parse_listener(guarded.reactor, "tcp:0"), object())  # type: ignore[arg-type]
    assert not guarded.guard._loops
