"""`sendfile` and `splice` between real files and real sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread

from ftpservice.stream import sendfile, splice
from ftpservice.stream.connection import TransferAborted, TransferStalled
from ftpservice.stream.write_poller import WritePoller
from tests.support.loopback import connected_pair, descriptors, read_to_end, send_rst, until
from tests.support.memory_transport import start

CONTENT = bytes(range(256)) * (40 * 1024)
"""10 MiB."""


class Cached:
    """An open file that reports cached pages and records requests to load pages."""

    def __init__(self, path, in_memory=True):
        self.file = path.open("rb")
        self.in_memory = in_memory
        self.brought = []
        self.bringing = None

    def fileno(self):
        return self.file.fileno()

    def is_cached(self, offset, size):
        if offset + size > os.fstat(self.fileno()).st_size:
            return False  # as the kernel tells: what there is not, is not in memory
        return self.in_memory or any(
            o <= offset and offset + size <= o + s for o, s in self.brought
        )

    async def cache(self, offset, size):
        if self.bringing is not None:
            await self.bringing
        self.brought.append((offset, size))

    async def with_descriptor(self, turn):
        if self.bringing is not None:
            await self.bringing
        return await deferToThread(turn, self.fileno())


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


@pytest.fixture
def cached(path):
    made = Cached(path)
    yield made
    made.file.close()


LACKING = [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV]


class TestSending:
    @pytest.mark.parametrize("number", LACKING)
    @ensureDeferred
    async def test_transfer_without_sendfile(self, reactor, cached, monkeypatch, number):
        def refuse(*_args):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "sendfile", refuse)
        async with connected_pair(reactor) as (connection, peer):
            receiving = deferToThread(read_to_end, peer)
            assert await connection.send_file(cached, (1000, 1_000_001)) == 999_001
            await connection.finish()
            assert await receiving == CONTENT[1000:1_000_001]

    @ensureDeferred
    async def test_a_range_arrives_unchanged(self, reactor, cached):
        async with connected_pair(reactor) as (connection, peer):
            receiving = deferToThread(read_to_end, peer)
            assert await connection.send_file(cached, (1000, 9_000_001)) == 8_999_001
            await connection.write(b"behind it")
            await connection.finish()
            assert await receiving == CONTENT[1000:9_000_001] + b"behind it"
            assert connection.moved == 8_999_001 + 9

    @ensureDeferred
    async def test_an_empty_range(self, reactor, cached):
        async with connected_pair(reactor) as (connection, _peer):
            assert await connection.send_file(cached, (5, 5)) == 0

    @ensureDeferred
    async def test_a_truncated_file_ends_early(self, reactor, cached):
        async with connected_pair(reactor) as (connection, peer):
            receiving = deferToThread(read_to_end, peer)
            moved = await connection.send_file(cached, (0, len(CONTENT) + 5_000))
            assert moved == len(CONTENT)
            await connection.finish()
            assert len(await receiving) == len(CONTENT)

    @ensureDeferred
    async def test_uncached_pages_are_loaded_first(self, reactor, cached):
        cached.in_memory = False
        async with connected_pair(reactor) as (connection, peer):
            receiving = deferToThread(read_to_end, peer)
            assert await connection.send_file(cached, (0, len(CONTENT))) == len(CONTENT)
            await connection.finish()
            assert await receiving == CONTENT
        assert sum(size for _, size in cached.brought) >= len(CONTENT)
        assert all(size <= sendfile.READ_AHEAD_BYTES for _, size in cached.brought)

    @ensureDeferred
    async def test_waiting_for_the_disk_does_not_busy_the_reactor(self, reactor, cached):
        cached.in_memory = False
        cached.bringing = Deferred()
        async with connected_pair(reactor) as (connection, peer):
            sending = start(connection.send_file(cached, (0, 1000)))
            assert WritePoller.of(reactor) not in reactor.getReaders()
            cached.bringing.callback(None)
            assert await sending == 1000
            assert len(await deferToThread(peer.recv, 4096)) > 0

    @ensureDeferred
    async def test_a_reused_descriptor_gets_nothing(self, reactor, cached):
        cached.in_memory = False
        cached.bringing = Deferred()
        another, its_peer = socket.socketpair()
        its_peer.setblocking(False)
        async with connected_pair(reactor) as (connection, _peer):
            number = connection.transport.fileno()
            sending = start(connection.send_file(cached, (0, 1000)))
            connection.abort()
            await until(reactor, lambda: connection.lost)
            os.dup2(another.fileno(), number)
            cached.bringing.callback(None)
            with another, its_peer, socket.socket(fileno=number):
                with pytest.raises(TransferAborted):
                    await sending
                with pytest.raises(BlockingIOError):
                    its_peer.recv(1000)

    @ensureDeferred
    async def test_a_reset_aborts(self, reactor, cached):
        async with connected_pair(reactor, buffers=65536) as (connection, peer):
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            await deferToThread(peer.recv, 1000)
            send_rst(peer)
            with pytest.raises(TransferAborted):
                await sending
            assert 0 < connection.moved < len(CONTENT)

    @ensureDeferred
    async def test_a_peer_that_does_not_read_stalls(self, reactor, cached):
        async with connected_pair(reactor, stall_timeout=0.2, buffers=65536) as (connection, _peer):
            with pytest.raises(TransferStalled):
                await connection.send_file(cached, (0, len(CONTENT)))

    @ensureDeferred
    async def test_cancelling_releases_the_transport(self, reactor, cached):
        before = descriptors()
        async with connected_pair(reactor, buffers=65536) as (connection, peer):
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            await deferToThread(peer.recv, 1000)
            sending.cancel()
            with pytest.raises(CancelledError):
                await sending
            assert WritePoller.of(reactor) not in reactor.getReaders()
        assert descriptors() <= before

    @ensureDeferred
    async def test_a_local_abort(self, reactor, cached):
        async with connected_pair(reactor, buffers=65536) as (connection, _peer):
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            connection.abort()
            with pytest.raises(TransferAborted):
                await sending
            with pytest.raises(TransferAborted):
                await connection.send_file(cached, (0, 10))


class Sink:
    """An open file that threads write to."""

    def __init__(self, path):
        self.file = path.open("wb")
        self.turns = []

    async def with_descriptor(self, turn):
        outcome = await deferToThread(turn, self.file.fileno())
        self.turns.append(outcome)
        return outcome


@pytest.fixture
def sink(tmp_path):
    made = Sink(tmp_path / "sink")
    yield made
    made.file.close()


def pour(peer: socket.socket, data: bytes) -> None:
    peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)


class TestReceiving:
    @pytest.mark.parametrize("number", LACKING)
    @ensureDeferred
    async def test_a_file_without_splice_is_written(
        self, reactor, sink, tmp_path, monkeypatch, number
    ):
        real, target = os.splice, sink.file.fileno()

        def refuse(source, to, *args, **more):
            if to == target:
                raise OSError(number, os.strerror(number))
            return real(source, to, *args, **more)

        monkeypatch.setattr(os, "splice", refuse)
        async with connected_pair(reactor) as (connection, peer):
            pouring = deferToThread(pour, peer, CONTENT)
            assert await connection.receive_file(sink.with_descriptor) == len(CONTENT)
            await pouring
        assert (tmp_path / "sink").read_bytes() == CONTENT

    @ensureDeferred
    async def test_everything_arrives_unchanged(self, reactor, sink, tmp_path):
        async with connected_pair(reactor) as (connection, peer):
            pouring = deferToThread(pour, peer, CONTENT)
            assert await connection.receive_file(sink.with_descriptor) == len(CONTENT)
            await pouring
            assert connection.moved == len(CONTENT)
            connection.close_gracefully()
            assert await deferToThread(peer.recv, 1) == b""
        assert (tmp_path / "sink").read_bytes() == CONTENT

    @ensureDeferred
    async def test_a_slow_peer_does_not_occupy_a_thread(self, reactor, sink):
        async with connected_pair(reactor) as (connection, peer):
            receiving = start(connection.receive_file(sink.with_descriptor))
            peer.sendall(b"some")
            await until(reactor, lambda: len(sink.turns) == 1)
            assert sink.turns == [(4, splice.TurnResult.WAITING)]
            peer.sendall(b" more")
            peer.shutdown(socket.SHUT_WR)
            assert await receiving == 9

    @ensureDeferred
    async def test_a_turn_is_bounded(self, reactor, sink, monkeypatch):
        monkeypatch.setattr(splice, "MAX_BYTES_PER_TURN", 1 << 20)
        async with connected_pair(reactor) as (connection, peer):
            pouring = deferToThread(pour, peer, CONTENT)
            assert await connection.receive_file(sink.with_descriptor) == len(CONTENT)
            await pouring
        assert max(count for count, _ in sink.turns) <= 2 << 20
        assert (splice.TurnResult.MORE) in [state for _, state in sink.turns]

    @ensureDeferred
    async def test_a_reset_aborts(self, reactor, sink):
        async with connected_pair(reactor) as (connection, peer):
            receiving = start(connection.receive_file(sink.with_descriptor))
            peer.sendall(b"some")
            await until(reactor, lambda: sink.turns)
            send_rst(peer)
            with pytest.raises(TransferAborted):
                await receiving

    @ensureDeferred
    async def test_a_silent_peer_stalls(self, reactor, sink):
        async with connected_pair(reactor, stall_timeout=0.2) as (connection, peer):
            peer.sendall(b"some")
            with pytest.raises(TransferStalled):
                await connection.receive_file(sink.with_descriptor)

    @ensureDeferred
    async def test_a_failing_file_is_reported_and_its_pipe_dropped(self, reactor, tmp_path):
        async def full(turn):
            with open("/dev/full", "wb", buffering=0) as file:
                return await deferToThread(turn, file.fileno())

        async with connected_pair(reactor) as (connection, peer):
            peer.sendall(b"x" * 1000)
            with pytest.raises(OSError) as caught:
                await connection.receive_file(full)
            assert caught.value.errno in (errno.ENOSPC, errno.EINVAL)

    @ensureDeferred
    async def test_cancelling_during_a_call_leaves_nothing_open(self, reactor, sink):
        before = descriptors()
        go_on = threading.Event()

        async def slowly(turn):
            def later(descriptor):
                go_on.wait(20)
                return turn(descriptor)

            return await deferToThread(later, sink.file.fileno())

        async with connected_pair(reactor) as (connection, peer):
            receiving = start(connection.receive_file(slowly))
            peer.sendall(b"some")
            await until(reactor, lambda: connection.transport not in reactor.getReaders())
            receiving.cancel()
            with pytest.raises(CancelledError):
                await receiving
            assert "doRead" not in vars(connection.transport)
        go_on.set()
        await until(reactor, lambda: descriptors() <= before + 2)  # a thread keeps its pipe

    @ensureDeferred
    async def test_a_local_abort(self, reactor, sink):
        async with connected_pair(reactor) as (connection, _peer):
            receiving = start(connection.receive_file(sink.with_descriptor))
            connection.abort()
            with pytest.raises(TransferAborted):
                await receiving
            with pytest.raises(TransferAborted):
                await connection.receive_file(sink.with_descriptor)


def test_a_failed_turn_drops_the_rest_of_its_pipe(tmp_path):
    ours, theirs = socket.socketpair()
    taken: list[int] = []
    with ours, theirs, (tmp_path / "in").open("wb") as good:
        ours.setblocking(False)
        theirs.sendall(b"lost")
        closed = os.open(tmp_path / "in", os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):
                splice.splice_turn(ours.fileno(), closed, taken.append)
        finally:
            os.close(closed)
        assert taken == [4], "it is no more in the socket"
        theirs.sendall(b"kept")
        assert splice.splice_turn(ours.fileno(), good.fileno()) == (4, splice.TurnResult.WAITING)
        theirs.close()
        assert splice.splice_turn(ours.fileno(), good.fileno()) == (0, splice.TurnResult.ENDED)
    assert (tmp_path / "in").read_bytes() == b"kept"
