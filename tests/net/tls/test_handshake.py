"""A handshake's steps, with a socket that follows a script."""

from __future__ import annotations

import socket
import ssl
import weakref

import pytest
from twisted.internet.task import Clock

from ftpservice.net.tls.handshake import Handshake, HandshakeError, HandshakeOptions


class Reactor(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.reads: set[object] = set()
        self.writes: set[object] = set()
        self.addReader, self.removeReader = self.reads.add, self.reads.discard
        self.addWriter, self.removeWriter = self.writes.add, self.writes.discard


class ScriptedSocket(socket.socket):
    server_side = True

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Exception] = []
        self._sslobj = weakref.proxy(self)

    def do_handshake(self) -> None:
        if self.steps:
            raise self.steps.pop(0)


class Transport:
    def __init__(self) -> None:
        self.reactor = Reactor()
        self.socket = ScriptedSocket()
        self.reason: BaseException | None = None

    def watch(self, reading: bool, writing: bool) -> None:
        for expected, known in ((reading, self.reactor.reads), (writing, self.reactor.writes)):
            (known.add if expected else known.discard)(self)

    def connectionLost(self, reason) -> None:
        self.reason = reason.value


class Queue:
    """Puts every step off."""

    def __init__(self) -> None:
        self.steps: list = []

    def take(self, step) -> bool:
        self.steps.append(step)
        return False


@pytest.fixture
def transport():
    made = Transport()
    yield made
    made.socket.close()
    assert made.reactor.getDelayedCalls() == []


@pytest.fixture
def ended():
    return []


def begun(transport, ended, **terms) -> Handshake:
    terms = HandshakeOptions(**terms)
    return Handshake(transport, terms, lambda: ended.append("over"))


def test_it_waits_for_what_the_socket_waits_for(transport, ended):
    own, reactor = transport.socket, transport.reactor
    own.steps = [ssl.SSLWantWriteError(), ssl.SSLWantReadError()]
    handshake = begun(transport, ended, timeout=20.0)
    assert (reactor.reads, reactor.writes) == ({transport}, set())
    assert not handshake.begun
    handshake.ready()
    assert handshake.begun
    assert (reactor.reads, reactor.writes) == (set(), {transport})
    handshake.ready()
    assert (reactor.reads, reactor.writes) == ({transport}, set())
    assert ended == []
    handshake.ready()
    assert ended == ["over"]


def test_without_its_turn_it_waits_for_nothing_else(transport, ended):
    queue = Queue()
    handshake = begun(transport, ended, time_budget=queue)
    handshake.ready()
    assert transport.reactor.reads == set()
    assert ended == []
    queue.steps.pop()()
    assert ended == ["over"]


def test_a_turn_that_comes_too_late_is_none(transport, ended):
    queue = Queue()
    handshake = begun(transport, ended, timeout=20.0, time_budget=queue)
    handshake.ready()
    transport.reactor.advance(20)
    assert str(transport.reason) == "it took longer than 20 seconds"
    queue.steps.pop()()
    assert ended == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionResetError(), "the connection ended before"),
        (ssl.SSLEOFError(), "the connection ended before"),
        (ssl.SSLError("odd"), "('odd',)"),
    ],
    ids=["reset", "end", "odd"],
)
def test_a_failure_is_told(transport, ended, error, reason):
    transport.socket.steps = [error]
    begun(transport, ended, timeout=20.0).ready()
    assert isinstance(transport.reason, HandshakeError)
    assert str(transport.reason) == reason
    assert ended == []
