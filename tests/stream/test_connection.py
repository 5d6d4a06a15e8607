"""`StreamConnection` over a transport in memory."""

import weakref

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from ftpservice.stream.connection import StreamConnection, TransferAborted, TransferStalled
from ftpservice.stream.graceful_close import LINGER_SECONDS
from ftpservice.stream.receiver import MAX_BUFFERED_BYTES, MAX_DRAINED_BYTES
from tests.support.memory_transport import MemoryTransport, connected, is_pending, outcome, start


def test_a_connection_does_not_keep_who_made_it():
    class Owner:
        def __init__(self):
            self.data = StreamConnection(Clock(), 10.0, self.made)

        def made(self, data):
            assert data is self.data

    owner = Owner()
    owner.data.makeConnection(MemoryTransport(owner.data))
    known, data = weakref.ref(owner), owner.data
    del owner
    assert known() is None
    assert data.moved == 0


class TestReading:
    def test_nothing_is_received_before_the_first_read(self):
        connection, transport = connected(Clock())
        assert not transport.receiving
        reading = start(connection.read())
        assert transport.receiving
        transport.deliver(b"hello")
        assert outcome(reading) == b"hello"

    def test_all_that_waits_is_read_at_once(self):
        connection, transport = connected(Clock())
        first = start(connection.read())
        for piece in (b"a", b"b", b"c"):
            transport.deliver(piece)
        assert outcome(first) == b"a"
        assert outcome(start(connection.read())) == b"bc"

    def test_data_before_the_fin_comes_before_the_end(self):
        connection, transport = connected(Clock())
        first = start(connection.read())
        transport.deliver(b"a")
        transport.deliver(b"rest")
        transport.deliver_fin()
        assert outcome(first) == b"a"
        assert outcome(start(connection.read())) == b"rest"
        assert outcome(start(connection.read())) == b""
        assert outcome(start(connection.read())) == b""
        assert not transport.receiving
        assert not connection.lost

    def test_a_fin_wakes_the_reader(self):
        connection, transport = connected(Clock())
        reading = start(connection.read())
        transport.deliver_fin()
        assert outcome(reading) == b""

    def test_an_rst_wakes_the_reader_with_a_cut(self):
        connection, transport = connected(Clock())
        reading = start(connection.read())
        transport.break_down()
        with pytest.raises(TransferAborted, match="broke"):
            outcome(reading)
        assert connection.lost

    def test_an_rst_is_a_cut_behind_what_had_come(self):
        connection, transport = connected(Clock())
        start(connection.read())
        transport.deliver(b"a")
        transport.deliver(b"more")
        transport.break_down()
        assert outcome(start(connection.read())) == b"more"
        with pytest.raises(TransferAborted) as caught:
            outcome(start(connection.read()))
        assert caught.value.reason == "the connection broke"

    def test_a_silent_peer_is_a_stall(self):
        clock = Clock()
        connection, transport = connected(clock, 60)
        reading = start(connection.read())
        clock.pump([20, 20])
        transport.deliver(b"x")
        assert outcome(reading) == b"x"
        reading = start(connection.read())
        clock.pump([15, 15, 15])
        assert is_pending(reading)
        clock.advance(15)
        with pytest.raises(TransferStalled):
            outcome(reading)
        assert clock.getDelayedCalls() == []

    def test_a_reader_that_does_not_read_pauses_the_transport(self):
        connection, transport = connected(Clock())
        start(connection.read())
        transport.deliver(b"a")
        arrived = 0
        while transport.receiving:
            transport.deliver(b"x" * 65536)
            arrived += 65536
        assert arrived == MAX_BUFFERED_BYTES
        assert len(outcome(start(connection.read()))) == arrived
        assert transport.receiving

    def test_a_cancelled_read_loses_nothing(self):
        clock = Clock()
        connection, transport = connected(clock)
        reading = start(connection.read())
        reading.cancel()
        with pytest.raises(CancelledError):
            outcome(reading)
        assert clock.getDelayedCalls() == []
        transport.deliver(b"late")
        assert outcome(start(connection.read())) == b"late"


class TestWriting:
    def test_a_little_does_not_wait(self):
        connection, transport = connected(Clock())
        assert outcome(start(connection.write(b"abc"))) is None
        transport.drain()
        assert transport.sent == b"abc"

    def test_much_waits_until_it_was_taken(self):
        connection, transport = connected(Clock())
        writing = start(connection.write(b"x" * 100_000))
        assert is_pending(writing)
        transport.drain()
        assert outcome(writing) is None

    def test_a_peer_that_takes_nothing_is_a_stall(self):
        clock = Clock()
        connection, _transport = connected(clock, 60)
        writing = start(connection.write(b"x" * 100_000))
        clock.pump([15, 15, 15])
        assert is_pending(writing)
        clock.advance(15)
        with pytest.raises(TransferStalled):
            outcome(writing)

    def test_an_rst_ends_the_waiting(self):
        clock = Clock()
        connection, transport = connected(clock)
        writing = start(connection.write(b"x" * 100_000))
        transport.break_down()
        with pytest.raises(TransferAborted):
            outcome(writing)
        with pytest.raises(TransferAborted):
            outcome(start(connection.write(b"more")))
        assert clock.getDelayedCalls() == []

    def test_cancelling_leaves_no_timer(self):
        clock = Clock()
        connection, _transport = connected(clock)
        writing = start(connection.write(b"x" * 100_000))
        writing.cancel()
        with pytest.raises(CancelledError):
            outcome(writing)
        assert clock.getDelayedCalls() == []


class TestFinishing:
    def test_it_flushes_and_waits_for_the_peer_to_have_all(self, monkeypatch):
        queue = [5, 5]
        monkeypatch.setattr(
            "ftpservice.stream.graceful_close.bytes_unacked", lambda _: queue.pop() if queue else 1
        )
        clock = Clock()
        connection, transport = connected(clock)
        start(connection.write(b"tail"))
        finishing = start(connection.finish())
        assert is_pending(finishing)
        assert transport.half_closing
        transport.drain()
        assert transport.sent == b"tail"
        assert is_pending(finishing)
        clock.pump([0.005, 0.010])
        assert outcome(finishing) is None
        assert not transport.closed
        transport.deliver_fin()
        assert transport.closed
        assert not transport.aborted
        assert clock.getDelayedCalls() == []

    def test_a_peer_that_keeps_its_side_open_holds_it_up_for_a_moment_only(self):
        clock = Clock()
        connection, transport = connected(clock)
        finishing = start(connection.finish())
        transport.drain()
        assert outcome(finishing) is None
        assert not transport.closed
        clock.advance(LINGER_SECONDS)
        assert transport.closed
        assert not transport.aborted
        assert clock.getDelayedCalls() == []

    def test_what_the_peer_still_sends_is_thrown_away(self):
        clock = Clock()
        connection, transport = connected(clock)
        finishing = start(connection.finish())
        transport.drain()
        transport.deliver(b"noise" * 1000)
        transport.deliver_fin()
        assert outcome(finishing) is None
        assert connection.moved == 0

    def test_noise_without_end_is_not_read_for_ever(self):
        clock = Clock()
        connection, transport = connected(clock)
        start(connection.finish())
        transport.drain()
        dropped = 0
        while transport.receiving:
            transport.deliver(b"x" * 65536)
            dropped += 65536
        assert dropped == MAX_DRAINED_BYTES
        clock.pump([0.02, LINGER_SECONDS])
        assert transport.closed

    def test_an_rst_before_everything_left_is_a_cut(self):
        clock = Clock()
        connection, transport = connected(clock)
        start(connection.write(b"tail"))
        finishing = start(connection.finish())
        transport.break_down()
        with pytest.raises(TransferAborted):
            outcome(finishing)
        assert clock.getDelayedCalls() == []

    def test_an_rst_before_the_peer_has_all_is_a_cut(self, monkeypatch):
        monkeypatch.setattr("ftpservice.stream.graceful_close.bytes_unacked", lambda _: 500)
        clock = Clock()
        connection, transport = connected(clock)
        finishing = start(connection.finish())
        transport.drain()
        transport.break_down()
        with pytest.raises(TransferAborted):
            outcome(finishing)
        assert clock.getDelayedCalls() == []

    def test_a_peer_that_takes_nothing_is_a_stall(self):
        clock = Clock()
        connection, _transport = connected(clock, 60)
        start(connection.write(b"tail"))
        finishing = start(connection.finish())
        clock.pump([15] * 4)
        with pytest.raises(TransferStalled):
            outcome(finishing)

    def test_bytes_that_are_not_acknowledged_are_waited_for_ever_more_seldom(self, monkeypatch):
        """Ten thousand slow peers must not keep the reactor busy with looking."""
        clock = Clock()
        looks = []
        queue = [500] * 12 + [1]

        def unacknowledged(_transport):
            looks.append(clock.seconds())
            return queue.pop(0)

        monkeypatch.setattr("ftpservice.stream.graceful_close.bytes_unacked", unacknowledged)
        connection, transport = connected(clock)
        finishing = start(connection.finish())
        transport.drain()
        transport.deliver_fin()
        clock.pump([0.01] * 1000)
        assert outcome(finishing) is None
        assert looks[-1] - looks[-2] == pytest.approx(1.0, abs=0.02)

    def test_bytes_that_are_never_acknowledged_are_a_stall(self, monkeypatch):
        """The peer's FIN alone proves nothing."""
        monkeypatch.setattr("ftpservice.stream.graceful_close.bytes_unacked", lambda _: 500)
        clock = Clock()
        connection, transport = connected(clock, 8)
        finishing = start(connection.finish())
        transport.drain()
        transport.deliver_fin()
        clock.pump([1] * 7)
        assert is_pending(finishing)
        clock.pump([1] * 2)
        with pytest.raises(TransferStalled):
            outcome(finishing)
        assert clock.getDelayedCalls() == []

    def test_an_error_that_only_the_kernel_knows_of_is_a_cut(self, monkeypatch):
        monkeypatch.setattr("ftpservice.stream.graceful_close.has_socket_error", lambda _: True)
        clock = Clock()
        connection, transport = connected(clock)
        finishing = start(connection.finish())
        transport.drain()
        clock.advance(0.02)
        with pytest.raises(TransferAborted):
            outcome(finishing)

    def test_cancelled_it_can_still_be_aborted(self):
        clock = Clock()
        connection, transport = connected(clock)
        start(connection.write(b"x"))
        finishing = start(connection.finish())
        finishing.cancel()
        with pytest.raises(CancelledError):
            outcome(finishing)
        connection.abort()
        assert transport.aborted
        assert clock.getDelayedCalls() == []

    def test_finished_it_cannot_be_aborted_any_more(self):
        clock = Clock()
        connection, transport = connected(clock)
        finishing = start(connection.finish())
        transport.drain()
        clock.advance(0.02)
        outcome(finishing)
        connection.abort()
        connection.close_gracefully()
        assert not transport.aborted
        transport.break_down()
        assert clock.getDelayedCalls() == []


class TestEnding:
    def test_abort_breaks_the_connection_and_ends_all_waiting(self):
        connection, transport = connected(Clock())
        reading = start(connection.read())
        connection.abort()
        connection.abort()
        assert transport.aborted
        with pytest.raises(TransferAborted, match="aborted"):
            outcome(reading)

    def test_dismiss_sends_a_fin_and_closes_when_the_peer_does(self):
        clock = Clock()
        connection, transport = connected(clock)
        connection.close_gracefully()
        connection.close_gracefully()
        connection.abort()
        transport.drain()
        assert not transport.closed
        transport.deliver_fin()
        assert transport.closed
        assert not transport.aborted
        assert clock.getDelayedCalls() == []

    def test_dismiss_after_the_peers_fin_closes_at_once(self):
        clock = Clock()
        connection, transport = connected(clock)
        start(connection.read())
        transport.deliver_fin()
        connection.close_gracefully()
        transport.drain()
        assert transport.closed
        assert not transport.aborted
        assert clock.getDelayedCalls() == []

    def test_dismiss_does_not_wait_long(self):
        clock = Clock()
        connection, transport = connected(clock)
        connection.close_gracefully()
        transport.drain()
        clock.advance(LINGER_SECONDS)
        assert transport.closed
        assert not transport.aborted

    def test_what_cannot_even_be_flushed_is_aborted(self):
        clock = Clock()
        connection, transport = connected(clock)
        start(connection.write(b"stuck"))
        connection.close_gracefully()
        clock.advance(LINGER_SECONDS)
        assert transport.aborted

    def test_dismissing_what_is_lost_does_nothing(self):
        clock = Clock()
        connection, transport = connected(clock)
        transport.break_down()
        connection.close_gracefully()
        assert clock.getDelayedCalls() == []

    def test_an_rst_that_the_reactor_takes_for_a_fin_is_a_cut(self, monkeypatch):
        connection, transport = connected(Clock())
        reading = start(connection.read())
        monkeypatch.setattr("ftpservice.stream.connection.has_socket_error", lambda _: True)
        transport.deliver_fin()
        with pytest.raises(TransferAborted):
            outcome(reading)
        assert transport.aborted


def test_it_counts_bytes_both_ways():
    connection, transport = connected(Clock())
    start(connection.write(b"1234"))
    start(connection.read())
    transport.deliver(b"567")
    assert connection.moved == 7


def test_it_tells_when_it_is_made():
    made = []
    connection = StreamConnection(Clock(), 60, made.append)
    connection.makeConnection(MemoryTransport(connection))
    assert made == [connection]


def test_a_producer_is_not_left_behind():
    """A transport with a producer would not half-close."""
    connection, transport = connected(Clock())
    connection.close_gracefully()
    assert transport.producer is None
    transport.break_down()
