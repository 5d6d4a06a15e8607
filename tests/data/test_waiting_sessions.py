"""Whose a connection to the shared port is: turns, TLS sessions, connections that come late."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpservice.data.waiting_sessions import LATE_SECONDS, DataPeer, WaitingSessions
from tests.support.memory_transport import is_pending, outcome, start

HOST, OTHER = "192.0.2.1", "192.0.2.2"


@dataclass(eq=False)
class Waiting:
    """A session that is to have a connection."""

    expected: DataPeer


class Port:
    """The sessions at one port, with a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.changes: list[tuple[str, bool]] = []
        self.waiting = WaitingSessions(self.clock, lambda *facts: self.changes.append(facts))

    def session(self, number: int, **facts: Any) -> Waiting:
        return Waiting(DataPeer(number, **{"user": "ann", "host": HOST} | facts))

    def enter(self, number: int, **facts: Any) -> Waiting:
        one = self.session(number, **facts)
        assert self.waiting.enter(one)
        return one

    def turn(self, one: Waiting, timeout: float = 30) -> Deferred[bool]:
        assert not self.waiting.enter(one)
        return start(self.waiting.turn(one, timeout))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is remembered, and no timer runs."""
        self.clock.advance(2 * LATE_SECONDS)
        self.waiting.leave(self.enter(99, host="192.0.2.99"), True)
        return not (self.waiting._addresses or self.waiting._behind or self.clock.getDelayedCalls())


@pytest.fixture
def port() -> Port:
    return Port()


def test_the_sole_session_of_an_address_gets_its_connection(port: Port) -> None:
    one, other = port.enter(1), port.enter(2, host=OTHER)
    assert (port.waiting.sole(HOST), port.waiting.sole(OTHER)) == (one, other)
    assert port.waiting.sole("192.0.2.3") is None
    port.waiting.leave(one, True)
    assert port.waiting.sole(HOST) is None
    assert not port.waiting.of(HOST)
    port.waiting.leave(other, True)
    assert port.is_empty


def test_sessions_of_one_address_take_turns_in_order(port: Port) -> None:
    first, second, third = (port.session(number) for number in (1, 2, 3))
    assert port.waiting.enter(first)
    turns = [port.turn(second), port.turn(third)]
    assert all(map(is_pending, turns))
    port.waiting.leave(first, True)
    assert outcome(turns[0]) is True
    assert is_pending(turns[1])
    assert port.waiting.sole(HOST) is second
    port.waiting.leave(second, True)
    assert outcome(turns[1]) is True
    port.waiting.leave(third, True)
    assert port.is_empty


def test_a_turn_is_waited_for_in_bounded_time(port: Port) -> None:
    first, second = port.enter(1), port.session(2)
    turn = port.turn(second, 30)
    port.clock.advance(30)
    assert outcome(turn) is False
    port.waiting.leave(first, True)
    assert port.waiting.sole(HOST) is None
    assert port.is_empty


def test_only_so_many_sessions_wait_for_a_turn(port: Port) -> None:
    first = port.enter(0)
    turns = [port.turn(port.session(number)) for number in range(1, 65)]
    assert outcome(start(port.waiting.turn(port.session(65), 30))) is False
    for turn in turns:
        turn.addErrback(lambda failure: failure.trap(CancelledError))
        turn.cancel()
    port.waiting.leave(first, True)
    assert port.is_empty


def test_a_cancelled_turn_lets_the_next_session_have_its_turn(port: Port) -> None:
    first = port.enter(1)
    turns = [port.turn(port.session(number)) for number in (2, 3)]
    turns[0].addErrback(lambda failure: failure.trap(CancelledError))
    turns[0].cancel()
    port.waiting.leave(first, True)
    assert outcome(turns[1]) is True


def test_a_session_that_gave_up_keeps_others_from_its_late_connection(port: Port) -> None:
    port.waiting.leave(port.enter(1), False)
    assert port.changes == [(HOST, True)]
    second = port.session(2)
    turn = port.turn(second)
    assert port.waiting.sole(HOST) is None
    port.clock.advance(LATE_SECONDS)
    assert outcome(turn) is True
    assert port.waiting.sole(HOST) is second


def test_a_session_that_gave_up_may_wait_again_at_once(port: Port) -> None:
    port.waiting.leave(port.enter(1), False)
    again = port.enter(1)
    assert port.waiting.sole(HOST) is again


def test_two_sessions_that_gave_up_keep_each_other_out(port: Port) -> None:
    port.waiting.leave(port.enter(1), False)
    port.waiting.leave(port.enter(2, tls_session=b"2"), False)
    assert not port.waiting.enter(port.session(1))
    assert not port.waiting.enter(port.session(2))
    assert port.waiting.enter(port.session(3, host=OTHER))


def test_sessions_with_tls_sessions_wait_together(port: Port) -> None:
    first, second = port.enter(1, tls_session=b"1"), port.enter(2, tls_session=b"2")
    assert port.waiting.sole(HOST) is None
    assert port.waiting.resuming(HOST, frozenset([b"x", b"2"])) is second
    assert port.waiting.resuming(OTHER, frozenset([b"2"])) is None
    assert port.waiting.resuming(HOST, frozenset()) is None
    port.waiting.leave(second, True)
    assert port.waiting.sole(HOST) is first


def test_one_tls_session_of_two_control_connections_tells_nothing(port: Port) -> None:
    port.enter(1, tls_session=b"1")
    assert not port.waiting.enter(port.session(2, tls_session=b"1"))


def test_turns_are_not_overtaken_by_tls_sessions(port: Port) -> None:
    first = port.enter(1, tls_session=b"1")
    turns = [port.turn(port.session(2)), port.turn(port.session(3, tls_session=b"3"))]
    port.waiting.leave(first, True)
    assert outcome(turns[0]) is True
    assert is_pending(turns[1])


def test_a_late_connection_is_not_that_of_a_session_with_a_tls_session(port: Port) -> None:
    port.waiting.leave(port.enter(1), False)
    second = port.enter(2, tls_session=b"2")
    assert port.waiting.sole(HOST) is None
    assert port.waiting.resuming(HOST, frozenset([b"2"])) is second


def test_an_expired_session_keeps_other_users_out_until_it_is_heard_from(port: Port) -> None:
    first = port.enter(1)
    port.waiting.leave(first, False)
    port.waiting.lose_touch(first.expected)
    port.clock.advance(LATE_SECONDS)
    turn = port.turn(port.session(2, user="bob"))
    port.clock.advance(20)
    assert is_pending(turn)
    port.waiting.hear_from(first.expected)
    assert is_pending(turn)
    port.clock.advance(LATE_SECONDS)
    assert outcome(turn) is True


def test_an_expired_session_does_not_keep_its_user_out(port: Port) -> None:
    first = port.enter(1)
    port.waiting.leave(first, False)
    port.waiting.lose_touch(first.expected)
    port.clock.advance(LATE_SECONDS)
    second = port.enter(2)
    port.waiting.leave(second, True)
    port.waiting.hear_from(first.expected)
    port.waiting.hear_from(first.expected)
    assert port.is_empty


def test_sessions_behind_a_balancer_are_known_by_it(port: Port) -> None:
    one = port.enter(1, balancer="10.0.0.1", tls_session=b"1")
    assert port.waiting.behind("10.0.0.1")
    assert port.waiting.resuming("10.0.0.1", frozenset([b"1"])) is one
    assert port.waiting.sole("10.0.0.1") is None
    port.waiting.leave(one, True)
    assert not port.waiting.behind("10.0.0.1")


def test_closing_gives_nobody_a_turn(port: Port) -> None:
    port.waiting.leave(port.enter(1), False)
    turn = port.turn(port.session(2))
    port.waiting.close()
    assert outcome(turn) is False
    assert not port.clock.getDelayedCalls()


class Clients:
    """Four sessions of two users at one address; their connections come late, or never."""

    def __init__(self, port: Port, seed: int) -> None:
        self.port = port
        self.dice = random.Random(seed)
        self.waiting: dict[int, Waiting] = {}
        self.turns: dict[int, tuple[Waiting, Deferred[bool]]] = {}
        self.on_the_way: list[tuple[float, int]] = []
        self.reached = 0

    def announced(self, number: int, one: Waiting) -> None:
        """The port is announced to a session, whose client connects."""
        self.waiting[number] = one
        delay = self.dice.random() * LATE_SECONDS * 0.9
        self.on_the_way.append((self.port.clock.seconds() + delay, number))

    def act(self, number: int) -> None:
        """A session asks for the port, or gives up."""
        waiting = self.port.waiting
        if number in self.waiting:
            if self.dice.random() < 0.1:
                waiting.leave(self.waiting.pop(number), False)
        elif number not in self.turns:
            one = self.port.session(number, user=f"user{number % 2}")
            if waiting.enter(one):
                self.announced(number, one)
            else:
                turn = start(waiting.turn(one, 5 + 10 * self.dice.random()))
                self.turns[number] = one, turn

    def go_on(self) -> None:
        """Let time pass: turns come, connections arrive."""
        self.port.clock.advance(self.dice.random() * 0.4)
        for number, (one, turn) in tuple(self.turns.items()):
            if turn.called:
                del self.turns[number]
                if outcome(turn):
                    self.announced(number, one)
        now = self.port.clock.seconds()
        for arrival in [one for one in self.on_the_way if one[0] <= now]:
            self.on_the_way.remove(arrival)
            found = self.port.waiting.sole(HOST)
            if found is not None:
                assert found.expected.session == arrival[1]
                self.port.waiting.leave(self.waiting.pop(arrival[1]), True)
                self.reached += 1


@pytest.mark.parametrize("seed", range(20))
def test_no_connection_reaches_another_session(port: Port, seed: int) -> None:
    clients = Clients(port, seed)
    for _ in range(600):
        clients.go_on()
        clients.act(clients.dice.randrange(4))
    assert clients.reached > 10
