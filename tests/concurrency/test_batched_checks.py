"""Connections that have had everything are looked after together."""

from __future__ import annotations

import socket

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock

from ftpservice.concurrency.batched_checks import DELAY_SECONDS, MAX_PENDING_CHECKS, BatchedChecks
from ftpservice.net.accepted_tcp import AcceptedTransport
from ftpservice.stream.connection import StreamConnection
from tests.support.loopback import PATIENCE, send_rst, until


def test_all_looks_come_with_one_timer():
    clock, seen = Clock(), []
    checks = BatchedChecks.of(clock)
    for number in range(5):
        checks.add(clock, lambda number=number: seen.append(number))
    assert len(clock.getDelayedCalls()) == 1
    assert not seen
    clock.advance(DELAY_SECONDS)
    assert seen == [0, 1, 2, 3, 4]
    assert not clock.getDelayedCalls()


def test_the_next_one_has_a_timer_of_its_own():
    clock, seen = Clock(), []
    checks = BatchedChecks.of(clock)
    checks.add(clock, lambda: checks.add(clock, lambda: seen.append("next")))
    clock.advance(DELAY_SECONDS)
    assert not seen
    clock.advance(DELAY_SECONDS)
    assert seen == ["next"]


def test_when_there_are_many_the_older_ones_do_not_wait():
    clock, seen = Clock(), []
    checks = BatchedChecks.of(clock)
    for number in range(MAX_PENDING_CHECKS + 1):
        checks.add(clock, lambda number=number: seen.append(number))
    assert seen == list(range(MAX_PENDING_CHECKS // 2))
    clock.advance(DELAY_SECONDS)
    assert seen == list(range(MAX_PENDING_CHECKS + 1))


def test_there_is_one_to_a_clock():
    clock = Clock()
    assert BatchedChecks.of(clock) is BatchedChecks.of(clock) is not BatchedChecks.of(Clock())


@pytest.fixture
def accepted(reactor):
    """A connection that was accepted by a socket of our own, and its peer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.create_connection(listening.getsockname(), PATIENCE)
        own, place = listening.accept()
    connection = StreamConnection(reactor, PATIENCE)
    connection.makeConnection(AcceptedTransport(own, connection, place, reactor))
    yield connection, peer
    connection.abort()
    peer.close()


@ensureDeferred
async def test_a_peer_that_has_ended_by_then_ends_the_connection(reactor, accepted):
    connection, peer = accepted
    await connection.write(b"all")
    await connection.finish()
    assert not connection.lost
    assert peer.recv(10) == b"all"
    peer.close()
    await until(reactor, lambda: connection.lost)


@ensureDeferred
async def test_a_peer_that_takes_longer_is_waited_for(reactor, accepted):
    connection, peer = accepted
    await connection.write(b"all")
    await connection.finish()
    looked = []
    BatchedChecks.of(reactor).add(reactor, lambda: looked.append(True))  # behind the connection
    await until(reactor, lambda: looked)
    assert not connection.lost
    peer.sendall(b"nobody reads that, and there is no RST for it")
    assert peer.recv(10) == b"all"
    assert peer.recv(10) == b""
    peer.close()
    await until(reactor, lambda: connection.lost)


@ensureDeferred
async def test_a_peer_that_breaks_the_connection_ends_it(reactor, accepted):
    connection, peer = accepted
    await connection.write(b"all")
    await connection.finish()
    send_rst(peer)
    await until(reactor, lambda: connection.lost)
