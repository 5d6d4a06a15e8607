import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from ftpservice.stream.connection import TransferAborted
from ftpservice.stream.pump import pump_from_connection, pump_to_connection
from ftpservice.stream.rate_limit import RateLimiter, RateLimiters
from ftpservice.stream.rate_limited import RateLimitedStream
from tests.support.memory_transport import connected, is_pending, outcome, start


def paced(rate, stall_timeout=60.0):
    clock = Clock()
    connection, transport = connected(clock, stall_timeout)
    return clock, transport, RateLimitedStream(connection, RateLimiters(RateLimiter(clock, rate)))


def test_what_is_sent_flows_evenly_and_is_read_as_it_goes():
    clock, transport, connection = paced(100_000)
    content, asked = bytes(range(256)) * 400, []

    async def read(offset, size):
        asked.append(size)
        return content[offset : offset + size]

    sending = start(pump_to_connection(read, connection, 0, None))
    for tenth in range(10):
        assert abs(len(transport.sent) - tenth * 10_000) <= 5_000
        for _ in range(10):
            clock.advance(0.01)
            transport.drain()
    clock.advance(0.2)
    transport.drain()
    assert outcome(sending) == len(content)
    assert transport.sent == content
    assert max(asked) == 5_000


def test_what_is_received_is_held_back_by_not_receiving():
    """And to be held back by ourselves is no stall."""
    clock, transport, connection = paced(10_000, stall_timeout=1.0)
    written = []

    async def write(data):
        written.append(data)

    receiving = start(pump_from_connection(connection, write))
    delivered = 0
    for _ in range(1000):
        while transport.receiving:
            transport.deliver(b"x" * 4096)
            delivered += 4096
        clock.advance(0.01)
    moved = sum(map(len, written))
    assert abs(moved - 100_000) <= 5_000
    assert delivered <= moved + 2 * 4096
    assert max(map(len, written)) <= 512
    assert is_pending(receiving)
    while not transport.receiving:
        clock.advance(0.01)
    transport.deliver_fin()
    while is_pending(receiving):
        clock.advance(0.1)
    assert outcome(receiving) == delivered


def test_a_sender_that_is_held_back_for_long_has_not_stalled():
    clock, transport, connection = paced(10, stall_timeout=1.0)
    sending = start(connection.write(b"x" * 1024))
    for _ in range(1100):
        clock.advance(0.1)
        transport.drain()
    assert outcome(sending) is None


def test_a_cut_ends_it_when_it_goes_on():
    clock, transport, connection = paced(1000)
    receiving = start(connection.read())
    transport.deliver(b"x" * 1000)
    transport.break_down()
    clock.advance(10)
    assert outcome(receiving) == b"x" * 512
    receiving = start(connection.read())
    clock.advance(10)
    assert outcome(receiving) == b"x" * 488
    with pytest.raises(TransferAborted):
        outcome(start(connection.read()))
    sending = start(connection.write(b"x"))
    with pytest.raises(TransferAborted):
        clock.advance(1)
        outcome(sending)


def test_cancelling_one_that_is_held_back_leaves_nothing():
    clock, _transport, connection = paced(1000)
    sending = start(connection.write(b"x" * 5000))
    sending.cancel()
    with pytest.raises(CancelledError):
        outcome(sending)
    assert clock.getDelayedCalls() == []
