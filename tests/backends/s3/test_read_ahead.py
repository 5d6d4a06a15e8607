"""Reading: blocks ahead, one version, and the allowance of memory."""

import gc
import os
import select

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.backends.s3 import read_ahead
from ftpservice.backends.s3.api.body_stream import BodyStream
from ftpservice.backends.s3.tree import reading_rates
from ftpservice.backends.s3.tree.part_buffer import MemoryAllowance
from ftpservice.backends.s3.tree.reading_rates import ReadingRates
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import IPiecewiseReading
from ftpservice.testing.contract.case import create_file, path_at
from tests.support.buckets import result
from tests.support.restartable_service import noise

WHOLE = noise(100_000)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(read_ahead, "FIRST_BLOCK_SIZE", 1000)
    monkeypatch.setattr(read_ahead, "BLOCK_SIZE", 8000)
    monkeypatch.setattr(read_ahead, "SMALL_BLOCK_SIZE", 300)


def opened(bucket):
    result(create_file(bucket.storage(), "/file", WHOLE))
    return result(bucket.storage().open_reading(path_at("/file")))


@pytest.mark.parametrize("memory", [1 << 20, 10_000, 0])
def test_any_offset_can_be_read_with_any_memory(bucket, memory):
    bucket.served.memory = MemoryAllowance(1 << 20)
    reading = opened(bucket)
    bucket.served.memory = MemoryAllowance(memory)
    for start in (0, 900, 50_000, 99_990, 10):
        data = b""
        while piece := result(reading.read(start + len(data), 777)):
            data += piece
        assert data == WHOLE[start:]
    reading.close()
    assert bucket.served.memory.take(memory), "all memory is given back"


@pytest.mark.parametrize("memory", [1 << 20, 0])
def test_the_pieces_of_a_file_are_files(bucket, memory):
    reading = opened(bucket)
    bucket.served.memory = MemoryAllowance(memory)
    data = WHOLE[:500]
    while len(data) < len(WHOLE):
        piece, start, end = result(reading.piece(len(data)))
        assert piece.is_cached(start, end)
        data += os.pread(piece.fileno(), end - start + 1, start)
    assert data == WHOLE
    reading.close()
    size = os.pread(piece.fileno(), 10, 0)
    assert result(piece.with_descriptor(lambda opened: os.pread(opened, 10, 0))) == size
    assert bucket.served.memory.take(memory), "all memory is given back"
    with pytest.raises(Unavailable, match="after close"):
        result(reading.piece(0))


def test_a_small_file_is_one_request_and_no_file(bucket):
    result(create_file(bucket.storage(), "/file", WHOLE[:1000]))
    calls = []
    send = bucket.requests.send
    bucket.requests.send = lambda call: calls.append(call.method) or send(call)
    reading = result(bucket.storage().open_reading(path_at("/file")))
    assert result(reading.read(1, 5000)) == WHOLE[1:1000]
    assert result(reading.read(1000, 1)) == b""
    assert IPiecewiseReading(reading, None) is None
    reading.close()
    with pytest.raises(Unavailable, match="after close"):
        result(reading.read(0, 1))
    assert calls == ["GET"]


def test_a_reading_closed_while_a_block_comes_gives_its_memory_back(bucket):
    reading = opened(bucket)
    memory = bucket.served.memory = MemoryAllowance(100_000)
    bucket.served.runner.held = True
    waiting = Deferred.fromCoroutine(reading.piece(50_000))
    reading.close()
    assert not memory.take(100_000)
    bucket.served.runner.held = False
    bucket.served.runner.release()
    failed = []
    waiting.addErrback(failed.append)
    assert failed[0].check(Unavailable)
    assert memory.take(100_000)


def test_a_file_replaced_while_it_is_read_is_an_error_and_not_a_mixture(bucket):
    reading = opened(bucket)
    assert result(reading.read(0, 100)) == WHOLE[:100]
    bucket.write("file", b"x" * 100_000)
    with pytest.raises(Unavailable, match="replaced or removed"):
        result(reading.read(60_000, 100))
    reading.close()
    with pytest.raises(Unavailable, match="after close"):
        result(reading.read(0, 1))


def test_a_version_is_read_to_its_end_while_it_is_replaced_and_deleted(versioned):
    reading = opened(versioned)
    assert result(reading.read(0, 100)) == WHOLE[:100]
    versioned.write("file", b"x" * 100_000)
    result(versioned.storage().remove_file(path_at("/file")))
    data = b""
    while piece := result(reading.read(len(data), 7777)):
        data += piece
    assert data == WHOLE
    reading.close()


def taken(source, count):
    """Take bytes of what is forwarded, as a turn does."""

    def take(coming):
        data, coming.held = coming.held[:count], coming.held[count:]
        while len(data) < count:
            select.select([coming], [], [])
            piece = os.read(coming.fileno(), count - len(data))
            coming.received(len(piece))
            data += piece
        return data

    return result(source.with_input(take))


def moved(reading, offset, end, ways):
    """Return bytes as who can forward gets them; notes in which ways."""
    data = b""
    while offset + len(data) < end:
        position = offset + len(data)
        coming = result(reading.forwarded(position, end))
        if coming is not None:
            ways.append(("forwarded", position))
            data += taken(*coming)
            continue
        piece, start, stop = result(reading.piece(position))
        ways.append(("piece", position))
        data += os.pread(piece.fileno(), min(stop - start, end - position), start)
    return data


def test_what_follows_the_first_block_is_forwarded(bucket):
    reading = opened(bucket)
    bucket.served.memory = MemoryAllowance(0)
    ways = []
    assert moved(reading, 0, len(WHOLE), ways) == WHOLE
    assert ways[:3] == [("piece", 0), ("forwarded", 1000), ("forwarded", 9000)]
    assert {way for way, _ in ways[1:]} == {"forwarded"}
    for start, end in ((500, 600), (500, 20_000), (50_000, 99_999), (20_000, 20_001)):
        assert moved(reading, start, end, []) == WHOLE[start:end]
    reading.close()
    with pytest.raises(Unavailable, match="after close"):
        result(reading.forwarded(0, 10))


def test_blocks_are_read_ahead_where_they_are_faster_and_ranges_again_later(bucket):
    clock = Clock()
    bucket.served.rates = rates = ReadingRates(clock.seconds)
    rates.forwarded(1000, 1)
    reading = opened(bucket)
    ways = []
    assert moved(reading, 0, 40_000, ways) == WHOLE[:40_000]
    assert [way for way, _ in ways] == ["piece"] * 6
    memory = bucket.served.memory = MemoryAllowance(100_000)
    rates.sent_in_blocks(1000, 1)
    ways.clear()
    assert moved(reading, 40_000, len(WHOLE), ways) == WHOLE[40_000:]
    assert ways[-1][0] == "forwarded"
    assert "piece" in {way for way, _ in ways}, "what was requested is used"
    reading.close()
    assert memory.take(100_000)


def test_the_rate_of_blocks_is_measured(bucket, monkeypatch):
    monkeypatch.setattr(reading_rates, "MEASURED_IN_BLOCKS", 16_000)
    clock = Clock()
    clock.advance(1)
    bucket.served.rates = rates = ReadingRates(clock.seconds)
    rates.forwarded(1000, 1)
    reading = opened(bucket)
    for position in range(1000, 33_000, 8000):
        assert result(reading.forwarded(position, len(WHOLE))) is None
        result(reading.piece(position))
        clock.advance(10)
    assert rates.forwards, "800 bytes a second are not more"
    reading.close()


def test_a_reading_closed_while_a_range_is_requested_closes_its_connection(bucket):
    reading = opened(bucket)
    assert result(reading.forwarded(0, len(WHOLE))) is None
    bucket.served.runner.held = True
    waiting = Deferred.fromCoroutine(reading.forwarded(50_000, len(WHOLE)))
    reading.close()
    bucket.served.runner.held = False
    bucket.served.runner.release()
    failed = []
    waiting.addErrback(failed.append)
    assert failed[0].check(Unavailable)
    bodies = [one for one in gc.get_objects() if isinstance(one, BodyStream)]
    assert not [one for one in bodies if one._connection is not None]


def test_a_file_replaced_while_it_is_forwarded_is_an_error_and_not_a_mixture(bucket):
    reading = opened(bucket)
    assert moved(reading, 0, 20_000, []) == WHOLE[:20_000]
    bucket.write("file", b"x" * 100_000)
    with pytest.raises(Unavailable, match="replaced or removed"):
        moved(reading, 60_000, 99_000, [])
    reading.close()
