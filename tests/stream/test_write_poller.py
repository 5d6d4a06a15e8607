"""Many sockets have turns one after the other, and the reactor has its own in between."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpservice.stream.write_poller import SECONDS_PER_ROUND, WritePoller


class Readers(Clock):
    """What a carousel sees of a reactor."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[object] = []
        self.addReader = self.readers.append
        self.removeReader = self.readers.remove


@pytest.fixture
def reactor() -> Readers:
    return Readers()


@pytest.fixture
def ends() -> Iterator[list[socket.socket]]:
    """Five sockets that take what they are given, and their peers."""
    pairs = [socket.socketpair() for _ in range(5)]
    yield [own for own, _ in pairs]
    for pair in pairs:
        for end in pair:
            end.close()


def test_there_is_one_for_each_reactor(reactor: Readers) -> None:
    assert WritePoller.of(reactor) is WritePoller.of(reactor)
    assert WritePoller.of(reactor) is not WritePoller.of(Readers())


def test_all_have_the_same_number_of_turns(reactor: Readers, ends: list[socket.socket]) -> None:
    carousel, turns = WritePoller(reactor), Counter[int]()

    def turn(number: int) -> None:
        turns[number] += 1
        reactor.advance(SECONDS_PER_ROUND / 10)

    for number, own in enumerate(ends):
        carousel.enter(own.fileno(), lambda number=number: turn(number))
    carousel.doRead()
    assert turns == Counter({number: 2 for number in range(5)}), "ten turns make a round"
    carousel.doRead()
    assert set(turns.values()) == {4}


def test_who_takes_no_more_has_no_turn(reactor: Readers, ends: list[socket.socket]) -> None:
    full, free = ends[:2]
    full.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            full.send(bytes(65536))
    carousel, turns = WritePoller(reactor), Counter[str]()

    def turn(name: str) -> None:
        turns[name] += 1
        reactor.advance(SECONDS_PER_ROUND / 3)

    carousel.enter(full.fileno(), lambda: turn("full"))
    carousel.enter(free.fileno(), lambda: turn("free"))
    carousel.doRead()
    assert set(turns) == {"free"}


def test_who_is_broken_has_one(reactor: Readers) -> None:
    own, peer = socket.socketpair()
    with own:
        peer.close()
        carousel, turns = WritePoller(reactor), []

        def turn() -> None:
            turns.append(1)
            carousel.leave(own.fileno())

        carousel.enter(own.fileno(), turn)
        carousel.doRead()
        assert turns == [1]


def test_the_reactor_is_asked_while_somebody_is_in(
    reactor: Readers, ends: list[socket.socket]
) -> None:
    carousel = WritePoller(reactor)
    first, second = ends[0].fileno(), ends[1].fileno()
    assert not carousel.is_shared
    carousel.enter(first, int)
    carousel.enter(second, int)
    assert carousel.is_shared and reactor.readers == [carousel]
    carousel.leave(first)
    carousel.leave(first)
    assert not carousel.is_shared and reactor.readers == [carousel]
    ends[1].close()
    carousel.leave(second)
    assert reactor.readers == []


def test_the_last_who_leaves_ends_the_round(reactor: Readers, ends: list[socket.socket]) -> None:
    carousel, turns = WritePoller(reactor), []

    def turn() -> None:
        turns.append(1)
        for own in ends:
            carousel.leave(own.fileno())

    for own in ends:
        carousel.enter(own.fileno(), turn)
    carousel.doRead()
    assert turns == [1] and reactor.readers == []


def test_when_the_reactor_stops_nobody_has_a_turn(
    reactor: Readers, ends: list[socket.socket]
) -> None:
    carousel, turns = WritePoller(reactor), []
    carousel.enter(ends[0].fileno(), lambda: turns.append(1))
    carousel.connectionLost(Failure(ConnectionDone()))
    carousel.leave(ends[0].fileno())
    carousel.doRead()
    assert turns == []


def test_there_is_a_descriptor_only_while_somebody_is_in(
    reactor: Readers, ends: list[socket.socket]
) -> None:
    carousel = WritePoller(reactor)
    assert carousel.fileno() == -1
    for _ in range(2):
        carousel.enter(ends[0].fileno(), int)
        assert carousel.fileno() >= 0 and carousel.logPrefix() == "data connections"
        carousel.leave(ends[0].fileno())
        reactor.advance(0)
        assert carousel.fileno() == -1


def test_who_enters_in_the_turn_of_the_last_has_turns_too(
    reactor: Readers, ends: list[socket.socket]
) -> None:
    """The reactor must find the descriptor that it had when it called."""
    carousel, turns = WritePoller(reactor), Counter[str]()
    first, second = ends[0].fileno(), ends[1].fileno()

    def last() -> None:
        carousel.leave(first)
        carousel.enter(second, another)

    def another() -> None:
        turns["second"] += 1
        reactor.advance(SECONDS_PER_ROUND)

    carousel.enter(first, last)
    before = carousel.fileno()
    carousel.doRead()
    assert carousel.fileno() == before
    carousel.doRead()
    assert turns["second"] == 2 and reactor.readers == [carousel]
