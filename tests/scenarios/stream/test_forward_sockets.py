"""Forwarding between real sockets: whole, cut, held up, cancelled."""

from __future__ import annotations

import errno
import os
import socket
import threading

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError
from twisted.internet.threads import deferToThread

from ftpservice.stream import forward
from ftpservice.stream.connection import TransferAborted, TransferStalled
from ftpservice.stream.forward import SocketInput
from ftpservice.stream.splice import TurnResult
from ftpservice.stream.write_poller import WritePoller
from tests.support.loopback import connected_pair, descriptors, read_to_end, send_rst, until
from tests.support.memory_transport import start

CONTENT = bytes(range(256)) * (40 * 1024)
"""10 MiB."""


class Input(SocketInput):
    """What a socket receives."""

    def __init__(self, held: bytes, left: int, wait_seconds: float) -> None:
        super().__init__(held, left, wait_seconds)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.server = socket.create_connection(listening.getsockname())
            self.end, _address = listening.accept()
        self.server.settimeout(30)
        self.end.setblocking(False)

    def fileno(self) -> int:
        return self.end.fileno()

    def close(self) -> None:
        self.server.close()
        self.end.close()


class Source:
    """A source that notes how its turns end; ``goes_on`` can delay them."""

    def __init__(self) -> None:
        self.input = Input(b"", len(CONTENT), 30)
        self.turns: list[TurnResult] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    async def with_input(self, function):
        def later():
            self.goes_on.wait(20)
            return function(self.input)

        self.turns.append(await deferToThread(later))
        return self.turns[-1]

    def serve(self, data: bytes, ends: bool = False):
        """Send in a thread what the server sends."""

        def send() -> None:
            try:
                self.input.server.sendall(data)
            except OSError:
                return  # the test is over
            if ends:
                self.input.server.shutdown(socket.SHUT_WR)

        return deferToThread(send)


@pytest.fixture
def source():
    made = Source()
    yield made
    made.input.close()


@ensureDeferred
async def test_everything_arrives_unchanged(reactor, source):
    source.input.close()
    source.input = Input(CONTENT[:5000], len(CONTENT) - 5000, 30)
    async with connected_pair(reactor) as (connection, peer):
        receiving = deferToThread(read_to_end, peer)
        serving = source.serve(CONTENT[5000:] + b"the next answer")
        assert await connection.send_file(source, (0, 3_000_001)) == 3_000_001
        assert (source.input.forwarded, connection.moved) == (3_000_001, 3_000_001)
        rest = len(CONTENT) - 3_000_001
        assert await connection.send_file(source, (0, rest + 10)) == rest
        await connection.write(b"behind it")
        await connection.finish()
        assert await receiving == CONTENT + b"behind it"
        assert connection.moved == len(CONTENT) + 9
        await serving
    assert (source.input.remaining, source.input.lost) == (0, 0)
    assert source.input.end.recv(100) == b"the next answer"


@ensureDeferred
async def test_a_slow_client_gets_all_and_occupies_no_thread(reactor, source):
    async with connected_pair(reactor, buffers=65536) as (connection, peer):
        serving = source.serve(CONTENT)
        sending = start(connection.send_file(source, (0, len(CONTENT))))
        await until(reactor, lambda: TurnResult.WAITING in source.turns)
        count = len(source.turns)
        assert 0 < len(source.input.held) <= forward.FILL_SIZE
        assert source.input.forwarded == connection.moved > 0
        received = await deferToThread(peer.recv, 1000, socket.MSG_WAITALL)
        receiving = deferToThread(read_to_end, peer)
        assert await sending == len(CONTENT)
        assert len(source.turns) > count
        await serving
        await connection.finish()
        assert received + await receiving == CONTENT


@ensureDeferred
async def test_a_client_that_takes_little_at_a_time_needs_few_turns(reactor, source):
    """What is held is sent by the reactor."""
    async with connected_pair(reactor, buffers=16384) as (connection, peer):
        serving = source.serve(CONTENT)
        sending = start(connection.send_file(source, (0, len(CONTENT))))
        await until(reactor, lambda: source.turns and len(source.input.held) > 65536)
        turns, moved, held = len(source.turns), connection.moved, len(source.input.held)
        received = b""
        while len(received) < held:
            received += await deferToThread(peer.recv, 4096)
        await until(reactor, lambda: connection.moved >= moved + held // 2)
        assert len(source.turns) == turns
        receiving = deferToThread(read_to_end, peer)
        assert await sending == len(CONTENT)
        await serving
        await connection.finish()
        assert received + await receiving == CONTENT


@ensureDeferred
async def test_a_turn_is_bounded(reactor, source, monkeypatch):
    monkeypatch.setattr(forward, "MAX_BYTES_PER_TURN", 1 << 20)
    async with connected_pair(reactor) as (connection, peer):
        receiving = deferToThread(read_to_end, peer)
        serving = source.serve(CONTENT)
        assert await connection.send_file(source, (0, len(CONTENT))) == len(CONTENT)
        assert len(source.turns) >= 10
        await serving
        await connection.finish()
        assert await receiving == CONTENT


@pytest.mark.parametrize("how", ["fin", "rst"])
@ensureDeferred
async def test_an_answer_that_breaks_off_ends_it_early(reactor, source, how):
    async with connected_pair(reactor) as (connection, peer):
        await source.serve(CONTENT[:100_000])
        sending = start(connection.send_file(source, (0, len(CONTENT))))
        await until(reactor, lambda: connection.moved == 100_000)
        if how == "fin":
            source.input.server.close()
        else:
            send_rst(source.input.server)
        assert await sending == 100_000
        assert (source.input.forwarded, source.input.remaining) == (100_000, 0)
        assert source.input.lost == len(CONTENT) - 100_000
        await connection.finish()
        assert await deferToThread(read_to_end, peer) == CONTENT[:100_000]


@ensureDeferred
async def test_a_server_that_falls_silent_ends_it_early(reactor, source):
    source.input._wait_seconds = 0.2
    async with connected_pair(reactor) as (connection, _peer):
        await source.serve(CONTENT[:100_000])
        assert await connection.send_file(source, (0, len(CONTENT))) == 100_000
        assert source.turns.count(TurnResult.MORE) >= 1, "others get the thread meanwhile"


@ensureDeferred
async def test_a_client_that_does_not_read_stalls(reactor, source):
    async with connected_pair(reactor, stall_timeout=0.2, buffers=65536) as (connection, _peer):
        serving = source.serve(CONTENT)
        with pytest.raises(TransferStalled):
            await connection.send_file(source, (0, len(CONTENT)))
    source.input.close()
    await serving


@pytest.mark.parametrize("comes", [True, False])
@ensureDeferred
async def test_a_reset_aborts_also_while_the_server_is_silent(reactor, source, comes):
    async with connected_pair(reactor, buffers=65536) as (connection, peer):
        serving = source.serve(CONTENT if comes else CONTENT[:1000])
        sending = start(connection.send_file(source, (0, len(CONTENT))))
        await deferToThread(peer.recv, 1000, socket.MSG_WAITALL)
        send_rst(peer)
        with pytest.raises(TransferAborted):
            await sending
        assert connection.moved < len(CONTENT)
    source.input.close()
    await serving


@ensureDeferred
async def test_cancelling_during_a_turn_ends_it_and_leaves_nothing_open(reactor, source):
    before = descriptors()
    async with connected_pair(reactor, buffers=65536) as (connection, peer):
        sending = start(connection.send_file(source, (0, len(CONTENT))))
        await source.serve(CONTENT[:1000])
        await deferToThread(peer.recv, 1000, socket.MSG_WAITALL)
        sending.cancel()
        with pytest.raises(CancelledError):
            await sending
        connection.abort()
        with pytest.raises(ConnectionResetError):
            await deferToThread(read_to_end, peer)
        assert WritePoller.of(reactor) not in reactor.getReaders()
    await until(reactor, lambda: descriptors() <= before + 2)  # a thread keeps its pipe


@ensureDeferred
async def test_a_local_abort(reactor, source):
    async with connected_pair(reactor) as (connection, _peer):
        source.goes_on.clear()
        sending = start(connection.send_file(source, (0, len(CONTENT))))
        connection.abort()
        await until(reactor, lambda: connection.lost)
        source.goes_on.set()
        with pytest.raises(TransferAborted):
            await sending
        with pytest.raises(TransferAborted):
            await connection.send_file(source, (0, 10))
    assert source.input.forwarded == 0


@ensureDeferred
async def test_a_socket_without_splice_is_written(reactor, source, monkeypatch):
    real = os.splice
    async with connected_pair(reactor) as (connection, peer):
        own = os.fstat(connection.transport.fileno()).st_ino

        def refuse(end, to, *args, **more):
            if os.fstat(to).st_ino == own:
                raise OSError(errno.EINVAL, "")
            return real(end, to, *args, **more)

        monkeypatch.setattr(os, "splice", refuse)
        receiving = deferToThread(read_to_end, peer)
        serving = source.serve(CONTENT)
        moved = 0
        while moved < len(CONTENT):
            moved += await connection.send_file(source, (0, len(CONTENT) - moved))
        await serving
        await connection.finish()
        assert await receiving == CONTENT
