import gc

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from ftpservice.stream.connection import TransferAborted
from ftpservice.stream.pump import CHUNK_SIZE, pump_from_connection, pump_to_connection
from tests.support.memory_transport import connected, is_pending, outcome, start


def reader_of(content: bytes, calls: list | None = None):
    async def read(offset: int, size: int) -> bytes:
        assert size > 0
        if calls is not None:
            calls.append((offset, size))
        return content[offset : offset + size]

    return read


def drained(transport, deferred):
    """Play a peer that takes everything."""
    while is_pending(deferred):
        transport.drain()
    transport.drain()
    return outcome(deferred)


class TestOut:
    @pytest.mark.parametrize(
        "size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE]
    )
    def test_a_file_of_any_size_arrives_whole(self, size):
        content = bytes(range(256)) * (size // 256 + 1)
        content = content[:size]
        connection, transport = connected(Clock())
        sending = start(pump_to_connection(reader_of(content), connection, 0, None))
        assert drained(transport, sending) == size
        assert transport.sent == content

    def test_it_keeps_to_the_span(self):
        content = bytes(range(256)) * 4096
        connection, transport = connected(Clock())
        calls = []
        sending = start(
            pump_to_connection(reader_of(content, calls), connection, 10, CHUNK_SIZE + 20)
        )
        assert drained(transport, sending) == CHUNK_SIZE + 10
        assert transport.sent == content[10 : CHUNK_SIZE + 20]
        assert calls == [(10, CHUNK_SIZE), (CHUNK_SIZE + 10, 10)]

    def test_an_end_before_the_offset_is_nothing(self):
        connection, _transport = connected(Clock())
        assert outcome(start(pump_to_connection(reader_of(b"abc"), connection, 2, 1))) == 0

    def test_the_next_chunk_is_read_while_one_is_sent_and_no_more(self):
        calls = []
        connection, _transport = connected(Clock())
        sending = start(
            pump_to_connection(reader_of(bytes(5 * CHUNK_SIZE), calls), connection, 0, None)
        )
        assert [offset for offset, _ in calls] == [0, CHUNK_SIZE]
        sending.addErrback(lambda _: None).cancel()

    def test_a_reader_that_fails_ends_it(self):
        async def read(offset, _size):
            if offset:
                raise OSError("bad disk")
            return b"x" * CHUNK_SIZE

        connection, transport = connected(Clock())
        sending = start(pump_to_connection(read, connection, 0, None))
        with pytest.raises(OSError, match="bad disk"):
            drained(transport, sending)

    def test_a_reader_that_fails_behind_a_cut_is_not_reported_twice(self):
        async def read(offset, _size):
            if offset:
                raise OSError("bad disk")
            return b"x" * CHUNK_SIZE

        connection, transport = connected(Clock())
        sending = start(pump_to_connection(read, connection, 0, None))
        transport.break_down()
        with pytest.raises(TransferAborted):
            outcome(sending)

    @pytest.mark.parametrize("error", [OSError("bad disk"), None])
    def test_a_read_ahead_that_fails_after_the_end_is_not_logged(self, error):
        """Of a peer that is gone: nobody needs the bytes, so the error is none of a transfer."""
        ahead = Deferred(lambda one: one.errback(error) if error is not None else None)
        chunks = [succeed(b"x" * CHUNK_SIZE), ahead]
        connection, transport = connected(Clock())
        sending = start(pump_to_connection(lambda _o, _s: chunks.pop(0), connection, 0, None))
        with capturedLogs() as events:
            transport.break_down()
            with pytest.raises(TransferAborted):
                outcome(sending)
            del sending, ahead
            gc.collect()
        assert [formatEvent(event) for event in events] == []

    @pytest.mark.parametrize("already", [0, 1])
    def test_cancelling_cancels_the_read(self, already):
        """Both the read that is waited for and the one ahead."""
        cancelled = []
        chunks = [Deferred(cancelled.append), Deferred(cancelled.append)]
        waiting = list(chunks)
        connection, _transport = connected(Clock())
        sending = start(pump_to_connection(lambda _o, _s: waiting.pop(0), connection, 0, None))
        if already:
            chunks[0].callback(b"x" * CHUNK_SIZE)
        sending.cancel()
        with pytest.raises(CancelledError):
            outcome(sending)
        assert cancelled == [chunks[already]]


class TestIn:
    def test_everything_to_the_fin_is_written(self):
        written = []

        async def write(data):
            written.append(data)

        connection, transport = connected(Clock())
        receiving = start(pump_from_connection(connection, write))
        for piece in (b"one", b"two", b"three"):
            transport.deliver(piece)
        transport.deliver_fin()
        assert outcome(receiving) == 11
        assert b"".join(written) == b"onetwothree"

    def test_what_comes_while_one_piece_is_written_becomes_the_next(self):
        writes = []

        def write(data):
            writes.append((data, Deferred()))
            return writes[-1][1]

        connection, transport = connected(Clock())
        receiving = start(pump_from_connection(connection, write))
        for _ in range(100):
            transport.deliver(b"x" * 1000)
        transport.deliver_fin()
        writes[0][1].callback(None)
        writes[1][1].callback(None)
        assert outcome(receiving) == 100_000
        assert [len(data) for data, _ in writes] == [1000, 99_000]

    def test_what_came_before_a_cut_is_written(self):
        writes = []

        def write(data):
            writes.append((data, Deferred()))
            return writes[-1][1]

        connection, transport = connected(Clock())
        receiving = start(pump_from_connection(connection, write))
        transport.deliver(b"x")
        transport.deliver(b"y")
        transport.break_down()
        writes[0][1].callback(None)
        assert [data for data, _ in writes] == [b"x", b"y"]
        writes[1][1].callback(None)
        with pytest.raises(TransferAborted):
            outcome(receiving)

    def test_a_writer_that_fails_ends_it(self):
        async def write(_data):
            raise OSError("full")

        connection, transport = connected(Clock())
        receiving = start(pump_from_connection(connection, write))
        transport.deliver(b"x")
        with pytest.raises(OSError, match="full"):
            outcome(receiving)

    def test_cancelling_cancels_the_write(self):
        cancelled = []
        connection, transport = connected(Clock())
        receiving = start(pump_from_connection(connection, lambda _: Deferred(cancelled.append)))
        transport.deliver(b"x")
        receiving.cancel()
        with pytest.raises(CancelledError):
            outcome(receiving)
        assert len(cancelled) == 1
