"""Reading: blocks ahead, one version, and the allowance of memory."""

import os

import pytest
from twisted.internet.defer import Deferred

from ftpservice.backends.s3 import read_ahead
from ftpservice.backends.s3.tree.part_buffer import MemoryAllowance
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
