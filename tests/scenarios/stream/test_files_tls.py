"""Files sent and received with TLS, between real files and real sockets."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.threads import deferToThread

from ftpservice.stream import splice, tls_receive_file, tls_send_file
from ftpservice.stream.connection import TransferAborted, TransferStalled
from ftpservice.stream.splice import TurnResult
from tests.scenarios.stream.test_files_sockets import CONTENT, Cached, Sink
from tests.support.loopback import descriptors, read_to_end, send_rst, until
from tests.support.memory_transport import start
from tests.support.tls_endpoints import BOTH, server_tls
from tests.support.tls_loopback import connected_tls_pair, send_close_notify, stream

versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return server_tls(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def cached(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    made = Cached(path)
    yield made
    made.file.close()


@pytest.fixture
def sink(tmp_path):
    made = Sink(tmp_path / "sink")
    yield made
    made.file.close()


class TestSending:
    @versions
    @ensureDeferred
    async def test_a_range_arrives_unchanged(self, reactor, tls, cached, version):
        async with connected_tls_pair(reactor, tls, version=version) as (connection, peer):
            receiving = deferToThread(read_to_end, peer)
            assert await connection.send_file(cached, (1000, 9_000_001)) == 8_999_001
            await connection.write(b"behind it")
            await connection.finish()
            assert await receiving == CONTENT[1000:9_000_001] + b"behind it"
            assert connection.moved == 8_999_001 + 9

    @ensureDeferred
    async def test_an_empty_range(self, reactor, tls, cached):
        async with connected_tls_pair(reactor, tls) as (connection, _peer):
            assert await connection.send_file(cached, (5, 5)) == 0

    @ensureDeferred
    async def test_a_truncated_file_ends_early(self, reactor, tls, cached):
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            receiving = deferToThread(read_to_end, peer)
            moved = await connection.send_file(cached, (0, len(CONTENT) + 5_000))
            assert moved == len(CONTENT)
            await connection.finish()
            assert await receiving == CONTENT

    @ensureDeferred
    async def test_turns_are_bounded(self, reactor, tls, cached, monkeypatch):
        monkeypatch.setattr(tls_send_file, "MAX_BYTES_PER_TURN", 1 << 20)
        turns = []

        async def counted(turn):
            turns.append(turn)
            return await deferToThread(turn, cached.fileno())

        cached.with_descriptor = counted
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            receiving = deferToThread(read_to_end, peer)
            assert await connection.send_file(cached, (0, len(CONTENT))) == len(CONTENT)
            await connection.finish()
            assert await receiving == CONTENT
        assert len(turns) >= len(CONTENT) >> 20

    @ensureDeferred
    async def test_a_peer_that_does_not_read_does_not_occupy_a_thread(self, reactor, tls, cached):
        states = []

        async def seen(turn):
            states.append(await deferToThread(turn, cached.fileno()))
            return states[-1]

        cached.with_descriptor = seen
        async with connected_tls_pair(reactor, tls, buffers=65536) as (connection, peer):
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            await until(reactor, lambda: connection.transport in reactor.getWriters())
            assert states[-1] is TurnResult.WAITING
            assert len(await deferToThread(read_exactly, peer, len(CONTENT))) == len(CONTENT)
            assert await sending == len(CONTENT)

    @ensureDeferred
    async def test_waiting_for_the_disk_does_not_busy_the_reactor(self, reactor, tls, cached):
        cached.bringing = Deferred()
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            sending = start(connection.send_file(cached, (0, 1000)))
            assert connection.transport not in reactor.getWriters()
            cached.bringing.callback(None)
            assert await sending == 1000
            assert await deferToThread(peer.recv, 4096) == CONTENT[:1000]

    @ensureDeferred
    async def test_a_reset_aborts(self, reactor, tls, cached):
        async with connected_tls_pair(reactor, tls, buffers=65536) as (connection, peer):
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            await deferToThread(peer.recv, 1000)
            send_rst(peer)
            with pytest.raises(TransferAborted):
                await sending
            assert connection.moved < len(CONTENT)  # a piece counts when all of it has been taken

    @ensureDeferred
    async def test_a_reset_while_waiting_for_the_disk_aborts(self, reactor, tls, cached):
        cached.bringing = Deferred()
        async with connected_tls_pair(reactor, tls) as (connection, _peer):
            sending = start(connection.send_file(cached, (0, 1000)))
            connection.abort()
            await until(reactor, lambda: connection.lost)
            cached.bringing.callback(None)
            with pytest.raises(TransferAborted):
                await sending

    @ensureDeferred
    async def test_a_peer_that_does_not_read_stalls(self, reactor, tls, cached):
        connected_pair = connected_tls_pair(reactor, tls, stall_timeout=0.2, buffers=65536)
        async with connected_pair as (connection, _peer):
            with pytest.raises(TransferStalled):
                await connection.send_file(cached, (0, len(CONTENT)))

    @ensureDeferred
    async def test_cancelling_releases_the_transport(self, reactor, tls, cached):
        async with connected_tls_pair(reactor, tls, buffers=65536) as (connection, peer):
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            await deferToThread(peer.recv, 1000)
            sending.cancel()
            with pytest.raises(CancelledError):
                await sending
            assert "doWrite" not in vars(connection.transport)
            assert connection.transport not in reactor.getWriters()

    @ensureDeferred
    async def test_a_local_abort(self, reactor, tls, cached):
        async with connected_tls_pair(reactor, tls, buffers=65536) as (connection, _peer):
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            connection.abort()
            with pytest.raises(TransferAborted):
                await sending
            with pytest.raises(TransferAborted):
                await connection.send_file(cached, (0, 10))

    @ensureDeferred
    async def test_a_failing_file_is_reported(self, reactor, tls, tmp_path):
        class Broken:
            async def with_descriptor(self, turn):
                descriptor = os.open(tmp_path, os.O_RDONLY)
                try:
                    return await deferToThread(turn, descriptor)
                finally:
                    os.close(descriptor)

        async with connected_tls_pair(reactor, tls) as (connection, peer):
            with pytest.raises(IsADirectoryError):
                await connection.send_file(Broken(), (0, 1000))
            await connection.write(b"and goes on")
            assert await deferToThread(peer.recv, 4096) == b"and goes on"

    @ensureDeferred
    async def test_input_during_a_download_is_read_later(self, reactor, tls, cached):
        async with connected_tls_pair(reactor, tls, buffers=65536) as (connection, peer):
            reading = start(connection.read())
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            peer.sendall(b"meanwhile")
            receiving = deferToThread(read_exactly, peer, len(CONTENT))
            assert await sending == len(CONTENT)
            assert await receiving == CONTENT
            assert await reading == b"meanwhile"

    @ensureDeferred
    async def test_cancelling_during_a_call_leaves_nothing_open(self, reactor, tls, cached):
        before = descriptors()
        go_on = threading.Event()
        states = []

        def later(turn):
            go_on.wait(20)
            states.append(turn(cached.fileno()))

        async def slowly(turn):
            await deferToThread(later, turn)

        cached.with_descriptor = slowly
        async with connected_tls_pair(reactor, tls) as (connection, _peer):
            sending = start(connection.send_file(cached, (0, len(CONTENT))))
            sending.cancel()
            with pytest.raises(CancelledError):
                await sending
            connection.abort()
        go_on.set()
        await until(reactor, lambda: states == [TurnResult.BROKEN])
        await until(reactor, lambda: descriptors() <= before)

    @versions
    @ensureDeferred
    async def test_a_half_closed_peer_gets_everything(self, reactor, tls, cached, version):
        async with connected_tls_pair(reactor, tls, version=version) as (connection, peer):
            send_close_notify(peer)
            assert await connection.read() == b""
            await connection.send_file(cached, (0, 100_000))
            await connection.finish()
            received = await deferToThread(raw_to_end, peer)
            assert len(received) > 100_000  # Python's ssl reads no more behind its own end


def read_exactly(peer: ssl.SSLSocket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size and (piece := peer.recv(65536)):
        received += piece
    return bytes(received)


def raw_to_end(peer: ssl.SSLSocket) -> bytes:
    received = bytearray()
    while piece := socket.socket.recv(peer, 65536):
        received += piece
    return bytes(received)


def pour(peer: ssl.SSLSocket, data: bytes) -> None:
    peer.sendall(data)
    send_close_notify(peer)


class TestReceiving:
    @versions
    @ensureDeferred
    async def test_everything_arrives_unchanged(self, reactor, tls, sink, tmp_path, version):
        async with connected_tls_pair(reactor, tls, version=version) as (connection, peer):
            pouring = deferToThread(pour, peer, CONTENT)
            assert await connection.receive_file(sink.with_descriptor) == len(CONTENT)
            await pouring
            assert connection.moved == len(CONTENT)
            connection.close_gracefully()
            await deferToThread(peer.unwrap)
        assert (tmp_path / "sink").read_bytes() == CONTENT

    @ensureDeferred
    async def test_an_early_close_notify_is_not_waited_for(self, reactor, tls, sink):
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            pour(peer, b"small")
            assert await connection.read() == b"small"
            assert await connection.read() == b""
            assert await connection.receive_file(sink.with_descriptor) == 0
            assert sink.turns == []

    @ensureDeferred
    async def test_a_slow_peer_does_not_occupy_a_thread(self, reactor, tls, sink):
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            receiving = start(connection.receive_file(sink.with_descriptor))
            peer.sendall(b"some")
            await until(reactor, lambda: sum(count for count, _ in sink.turns) == 4)
            assert {state for _, state in sink.turns} == {TurnResult.WAITING}
            pour(peer, b" more")
            assert await receiving == 9

    @ensureDeferred
    async def test_a_turn_is_bounded(self, reactor, tls, sink, monkeypatch):
        monkeypatch.setattr(splice, "MAX_BYTES_PER_TURN", 1 << 20)
        monkeypatch.setattr(
            tls_receive_file, "POLL_MS", 5_000
        )  # so that none ends for want of bytes
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            pouring = deferToThread(pour, peer, CONTENT)
            assert await connection.receive_file(sink.with_descriptor) == len(CONTENT)
            await pouring
        assert max(count for count, _ in sink.turns) < 2 << 20
        assert TurnResult.MORE in [state for _, state in sink.turns]

    @pytest.mark.parametrize("bears", [False, True])
    @ensureDeferred
    async def test_a_fin_without_close_notify_aborts_unless_allowed(
        self, reactor, tls, sink, bears
    ):
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            connection.accepts_truncated_tls = bears
            receiving = start(connection.receive_file(sink.with_descriptor))
            peer.sendall(CONTENT[:100_000])
            socket.socket.shutdown(peer, socket.SHUT_WR)
            if bears:
                assert await receiving == 100_000
            else:
                with pytest.raises(TransferAborted, match="without TLS's close_notify"):
                    await receiving
            assert connection.moved == 100_000

    @pytest.mark.parametrize("bears", [False, True])
    @ensureDeferred
    async def test_a_reset_aborts(self, reactor, tls, sink, bears):
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            connection.accepts_truncated_tls = bears
            receiving = start(connection.receive_file(sink.with_descriptor))
            peer.sendall(b"some")
            await until(reactor, lambda: sum(count for count, _ in sink.turns) == 4)
            send_rst(peer)
            with pytest.raises(TransferAborted):
                await receiving

    @ensureDeferred
    async def test_invalid_records_abort(self, reactor, tls, sink):
        async with connected_tls_pair(reactor, tls) as (connection, peer):
            receiving = start(connection.receive_file(sink.with_descriptor))
            socket.socket.sendall(peer, b"in clear\r\n")
            with pytest.raises(TransferAborted):
                await receiving

    @ensureDeferred
    async def test_a_silent_peer_stalls(self, reactor, tls, sink):
        async with connected_tls_pair(reactor, tls, stall_timeout=0.2) as (connection, peer):
            peer.sendall(b"some")
            with pytest.raises(TransferStalled):
                await connection.receive_file(sink.with_descriptor)

    @ensureDeferred
    async def test_a_failing_file_is_reported(self, reactor, tls):
        async def full(turn):
            with open("/dev/full", "wb", buffering=0) as file:
                return await deferToThread(turn, file.fileno())

        async with connected_tls_pair(reactor, tls) as (connection, peer):
            peer.sendall(b"x" * 1000)
            with pytest.raises(OSError) as caught:
                await connection.receive_file(full)
            assert caught.value.errno == errno.ENOSPC
            assert stream(connection)._is_ours

    @ensureDeferred
    async def test_a_failing_file_with_more_input(self, reactor, tls, monkeypatch):
        """A single chunk is written by its own thread, and fails there."""
        monkeypatch.setattr(tls_receive_file, "POLL_MS", 5_000)

        async def full(turn):
            with open("/dev/full", "wb", buffering=0) as file:
                return await deferToThread(turn, file.fileno())

        async with connected_tls_pair(reactor, tls) as (connection, peer):
            pouring = deferToThread(pour, peer, CONTENT)
            with pytest.raises(OSError) as caught:
                await connection.receive_file(full)
            assert caught.value.errno == errno.ENOSPC
            assert tls_receive_file._turns == set()
            connection.abort()
            with pytest.raises(OSError):
                await pouring

    @ensureDeferred
    async def test_several_uploads_arrive_unchanged(self, reactor, tls, tmp_path):
        async def one(name):
            sink = Sink(tmp_path / name)
            async with connected_tls_pair(reactor, tls) as (connection, peer):
                pouring = deferToThread(pour, peer, CONTENT)
                moved = await connection.receive_file(sink.with_descriptor)
                await pouring
                connection.close_gracefully()
            sink.file.close()
            return moved, (tmp_path / name).read_bytes() == CONTENT

        tasks = [Deferred.fromCoroutine(one(name)) for name in "abc"]
        assert await gatherResults(tasks) == [(len(CONTENT), True)] * 3

    @ensureDeferred
    async def test_cancelling_during_a_call_leaves_nothing_open(self, reactor, tls, sink):
        before = descriptors()
        go_on = threading.Event()
        turns: list[tuple[int, TurnResult]] = []

        async def slowly(turn):
            def later(descriptor):
                go_on.wait(20)
                turns.append(turn(descriptor))
                return turns[0]

            return await deferToThread(later, sink.file.fileno())

        async with connected_tls_pair(reactor, tls) as (connection, peer):
            receiving = start(connection.receive_file(slowly))
            peer.sendall(b"some")
            await until(reactor, lambda: connection.transport not in reactor.getReaders())
            receiving.cancel()
            with pytest.raises(CancelledError):
                await receiving
            assert "doRead" not in vars(connection.transport)
        go_on.set()
        await until(reactor, lambda: turns == [(0, TurnResult.BROKEN)])
        await until(reactor, lambda: descriptors() <= before)

    @ensureDeferred
    async def test_a_local_abort(self, reactor, tls, sink):
        async with connected_tls_pair(reactor, tls) as (connection, _peer):
            receiving = start(connection.receive_file(sink.with_descriptor))
            connection.abort()
            with pytest.raises(TransferAborted):
                await receiving
            with pytest.raises(TransferAborted):
                await connection.receive_file(sink.with_descriptor)
