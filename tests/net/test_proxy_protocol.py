"""Connections that wait for the header of a balancer are counted until their session begins."""

from __future__ import annotations

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from ftpservice.net.proxy_protocol import HEADER_TIMEOUT_SECONDS, ProxiedFactory

HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 21\r\n"


class Bench:
    """A factory behind a balancer, and how many of its connections wait."""

    def __init__(self) -> None:
        self.clock, self.waiting = Clock(), 0
        self.factory = ProxiedFactory(Factory.forProtocol(Protocol), self.clock)
        self.factory.count_waiting = self.count

    def count(self, change: int) -> None:
        self.waiting += change

    def connect(self) -> StringTransport:
        protocol, transport = self.factory.buildProtocol(None), StringTransport()
        assert protocol is not None
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_connection_waits_until_its_header_is_there(bench: Bench) -> None:
    first, second = bench.connect(), bench.connect()
    assert bench.waiting == 2
    first.protocol.dataReceived(HEADER[:10])
    assert bench.waiting == 2
    first.protocol.dataReceived(HEADER[10:])
    assert bench.waiting == 1
    second.protocol.dataReceived(HEADER + b"USER ann\r\n")
    assert bench.waiting == 0
    for one in (first, second):
        one.protocol.connectionLost()
    assert bench.waiting == 0
    assert bench.clock.getDelayedCalls() == []


def test_one_that_ends_before_waits_no_more(bench: Bench) -> None:
    lost, late = bench.connect(), bench.connect()
    lost.protocol.connectionLost()
    assert bench.waiting == 1
    bench.clock.advance(HEADER_TIMEOUT_SECONDS)
    assert late.disconnecting
    late.protocol.connectionLost()
    assert bench.waiting == 0
