import hashlib

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.concurrency.thread_pool import InlineRunner, PoolOverloaded
from ftpservice.storage.errors import NoSpace
from ftpservice.storage.hashing_writer import BATCH_SIZE, HashingWriter
from ftpservice.storage.interfaces import ISpliceTarget, WriteMode, WriteRequest
from ftpservice.wire.paths import VirtualPath
from tests.support.memory_transport import is_pending, outcome, start

PATH = VirtualPath.parse("/a")


class Full(InlineRunner):
    def run(self, function, *args, dispose=None):
        return fail(PoolOverloaded())


def begun(storage, pool, request=None, algorithm="SHA-256"):
    inner = outcome(start(storage.open_writing(PATH, request or WriteRequest())))
    return HashingWriter(inner, algorithm, pool)


def done(coroutine):
    return outcome(start(coroutine))


@pytest.mark.parametrize("sizes", [(), (5,), (BATCH_SIZE,), (1, BATCH_SIZE, 3, 7 * BATCH_SIZE, 2)])
def test_the_digest_is_that_of_the_file(sizes):
    storage = MemoryStorage()
    writing, content = begun(storage, InlineRunner()), b""
    for size in sizes:
        piece = bytes(range(256)) * (size // 256 + 1)
        content += piece[:size]
        done(writing.write(piece[:size]))
    assert writing.digest == ""
    assert done(writing.commit()).size == len(content)
    assert writing.digest == hashlib.sha256(content).hexdigest()
    assert (writing.path, writing.offset) == (PATH, 0)


def test_one_piece_is_written_while_another_is_digested_and_no_third():
    pool = InlineRunner()
    pool.held = True
    writing = begun(MemoryStorage(), pool)
    assert done(writing.write(b"x" * BATCH_SIZE)) is None
    assert done(writing.write(b"y" * 10)) is None
    third = start(writing.write(b"z" * BATCH_SIZE))
    assert is_pending(third)
    pool.release()
    assert outcome(third) is None
    ending = start(writing.commit())
    assert is_pending(ending)
    pool.release()
    assert outcome(ending).size == 2 * BATCH_SIZE + 10
    content = b"x" * BATCH_SIZE + b"y" * 10 + b"z" * BATCH_SIZE
    assert writing.digest == hashlib.sha256(content).hexdigest()


def test_it_is_not_filled_by_the_kernel_behind_our_back():
    assert ISpliceTarget(begun(MemoryStorage(), InlineRunner()), None) is None


def test_a_resumed_upload_has_no_digest():
    storage = MemoryStorage()
    first = begun(storage, InlineRunner())
    done(first.write(b"0123456789"))
    done(first.commit())
    writing = begun(storage, InlineRunner(), WriteRequest(offset=4))
    done(writing.write(b"x" * BATCH_SIZE))
    assert done(writing.commit()).size == 4 + BATCH_SIZE
    assert writing.digest == ""


def test_a_file_that_holds_other_bytes_too_has_no_digest():
    """As when two append to one that was empty."""
    storage = MemoryStorage()
    done(begun(storage, InlineRunner()).commit())
    one, other = (begun(storage, InlineRunner(), WriteRequest(WriteMode.APPEND)) for _ in range(2))
    done(one.write(b"one"))
    done(other.write(b"other"))
    assert done(one.commit()).size == 8
    assert one.digest == ""


def test_without_room_in_the_pool_there_is_no_digest_but_a_file():
    storage = MemoryStorage()
    writing = begun(storage, Full())
    for _ in range(3):
        done(writing.write(b"x" * BATCH_SIZE))
    assert done(writing.commit()).size == 3 * BATCH_SIZE
    assert writing.digest == ""


def test_a_write_that_fails_ends_it():
    pool = InlineRunner()
    pool.held = True
    writing = begun(MemoryStorage(MemoryTree(capacity=10)), pool)
    with pytest.raises(NoSpace):
        done(writing.write(b"x" * BATCH_SIZE))
    done(writing.abandon())
    pool.release()
    assert writing.digest == ""


def test_cancelling_a_wait_for_the_digest_ends_the_upload_not_the_storage():
    pool = InlineRunner()
    pool.held = True
    storage = MemoryStorage()
    writing = begun(storage, pool)
    done(writing.write(b"x" * BATCH_SIZE))
    waiting: Deferred = start(writing.write(b"y" * BATCH_SIZE))
    waiting.cancel()
    with pytest.raises(CancelledError):
        outcome(waiting)
    done(writing.abandon())
    pool.release()
    assert done(storage.open_listing(VirtualPath())) is not None


def test_an_unknown_algorithm_is_an_error():
    with pytest.raises(ValueError, match="unknown digest: MD4"):
        begun(MemoryStorage(), InlineRunner(), algorithm="MD4")
