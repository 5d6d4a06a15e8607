"""Refused connections: the answer of each protocol, the event, the advice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.tcp import Port

from ftpservice.events import Event, EventStream, Refused
from ftpservice.service.sessions.accept_guard import (
    ADVICE_SECONDS,
    FLOOD_SECONDS,
    MAX_REFUSED_SESSIONS,
    AcceptGuard,
)
from ftpservice.service.sessions.listeners import parse_listener
from tests.support.open_resources import LoggedErrors

TEXT = "Out of resources (Too many open files); try again later."
WHY = "Too many sessions from your address."
EXHAUSTED = OSError(24, "Too many open files")


class Guarded:
    """A guard, and the events that it has published."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.clock = Clock()
        self.events: list[Event] = []
        self.stream = stream = EventStream(lambda error, event: self.events.append(event))
        stream.subscribe(self.events.append)
        self.refusals: dict[str, str] = {}
        self.guard = AcceptGuard(stream, self.refusals.get, self.clock)
        self.guard.startService()

    def refused(self, option: str = "listen", peer: object = ("192.0.2.7", 9)) -> bytes:
        """Return what a refused connection to a listener gets."""
        self.guard.guard(parse_listener(self.reactor, "tcp:0", option), self.port())
        return self.last_loop(peer)

    def port(self) -> Port:
        return Port(0, Factory(), 10, reactor=self.reactor)

    def refuse_sessions(self, count: int) -> None:
        """Publish that sessions were refused."""
        for number in range(count):
            self.stream.publish(Refused(0.0, number + 1, "192.0.2.7", "", WHY))

    @property
    def refuses_early(self) -> bool:
        return self.guard._loops[0].refuses_early

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
    assert guarded.refused("acme-http").startswith(b"HTTP/1.1 503 ")
    assert guarded.refused("acme-http").endswith(f"\r\n\r\n{TEXT}\n".encode())
    for option in ("implicit", "simple-tls", "acme-tls"):
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


def test_in_a_flood_of_refused_sessions_further_ones_are_refused_early(guarded: Guarded) -> None:
    guarded.refused()
    guarded.refuse_sessions(MAX_REFUSED_SESSIONS - 1)
    assert not guarded.refuses_early
    guarded.refuse_sessions(1)
    assert guarded.refuses_early
    guarded.guard.guard(parse_listener(guarded.reactor, "tcp:0"), guarded.port())
    loop = guarded.guard._loops[-1]
    assert loop.refuses_early  # also of a port that is bound later
    guarded.refusals["192.0.2.7"] = WHY
    guarded.events.clear()
    assert loop.answer_early(("192.0.2.7", 9)) == f"421 {WHY}\r\n".encode()
    assert loop.answer_early(("192.0.2.8", 9)) is None
    assert [(e.session, e.peer, e.reason) for e in guarded.events if type(e) is Refused] == [
        (0, "192.0.2.7", WHY)
    ]


def test_a_flood_lasts_as_long_as_many_are_refused(guarded: Guarded) -> None:
    guarded.refused()
    guarded.refuse_sessions(MAX_REFUSED_SESSIONS)
    for _ in range(3):
        guarded.refuse_sessions(MAX_REFUSED_SESSIONS + 1)
        guarded.clock.advance(FLOOD_SECONDS)
        assert guarded.refuses_early
    guarded.refuse_sessions(MAX_REFUSED_SESSIONS)
    guarded.clock.advance(FLOOD_SECONDS)
    assert not guarded.refuses_early
    assert not guarded.clock.getDelayedCalls()


def test_a_few_refused_sessions_are_no_flood(guarded: Guarded) -> None:
    guarded.refused()
    for _ in range(5):
        guarded.clock.advance(FLOOD_SECONDS)
        guarded.refuse_sessions(MAX_REFUSED_SESSIONS)
    assert not guarded.refuses_early


def test_a_guard_that_stops_in_a_flood_leaves_no_timer(guarded: Guarded) -> None:
    guarded.refused()
    guarded.refuse_sessions(MAX_REFUSED_SESSIONS)
    assert guarded.clock.getDelayedCalls()
    guarded.guard.stopService()
    assert not guarded.clock.getDelayedCalls()


def test_in_a_flood_ports_whose_peers_are_no_clients_refuse_nobody_early(guarded: Guarded) -> None:
    guarded.refused()
    guarded.refuse_sessions(MAX_REFUSED_SESSIONS)
    guarded.refusals["192.0.2.7"] = WHY
    for text, option in (
        ("haproxy:tcp:0", "listen"),
        ("tcp:0", "acme-http"),
        ("tcp:0", "acme-tls"),
    ):
        guarded.guard.guard(parse_listener(guarded.reactor, text, option), guarded.port())
    guarded.guard.guard_control(guarded.port())
    assert [loop.answer_early(("192.0.2.7", 9)) for loop in guarded.guard._loops[1:]] == [None] * 4


def test_when_a_session_ends_what_was_left_to_others_is_accepted_again(guarded: Guarded) -> None:
    answers = iter((True, False))
    guarded.guard.leaves_to_others = lambda has_left: next(answers)
    port = guarded.reactor.listenTCP(0, Factory(), interface="127.0.0.1")
    guarded.guard.guard(parse_listener(guarded.reactor, "tcp:0"), port)
    port.doRead()
    assert port not in guarded.reactor.getReaders()
    guarded.guard.look_again()
    assert port in guarded.reactor.getReaders()
    port.stopListening()
