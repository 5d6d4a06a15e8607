"""`StreamConnection` over real sockets."""

import hashlib
import socket

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from ftpservice.stream.connection import TransferAborted, TransferStalled
from ftpservice.stream.pump import CHUNK_SIZE, pump_from_connection, pump_to_connection
from ftpservice.stream.receiver import MAX_BUFFERED_BYTES
from tests.support.loopback import connected_pair, read_to_end, send_rst, until
from tests.support.memory_transport import start
from tests.support.open_resources import nothing_left

MIB = 2**20
BLOCK = bytes(range(256)) * 256
"""64 KiB."""


@ensureDeferred
async def test_everything_sent_before_a_fin_is_received(reactor):
    async with connected_pair(reactor) as (connection, peer):
        peer.sendall(b"x" * 100_000)
        peer.close()
        received = b""
        while piece := await connection.read():
            received += piece
        assert received == b"x" * 100_000
        assert not connection.lost
        connection.close_gracefully()
        await until(reactor, lambda: connection.lost)


@ensureDeferred
async def test_a_half_closed_peer_still_receives(reactor):
    async with connected_pair(reactor) as (connection, peer):
        peer.shutdown(socket.SHUT_WR)
        assert await connection.read() == b""
        await connection.write(b"answer")
        await connection.finish()
        assert await deferToThread(read_to_end, peer) == b"answer"
        await until(reactor, lambda: connection.lost)


@ensureDeferred
async def test_a_reset_aborts_the_reader(reactor):
    async with connected_pair(reactor) as (connection, peer):
        peer.sendall(b"first")
        assert await connection.read() == b"first"
        send_rst(peer)
        with pytest.raises(TransferAborted) as caught:
            await connection.read()
        assert not isinstance(caught.value, TransferStalled)


@ensureDeferred
async def test_a_reset_after_data_aborts_the_reader(reactor):
    """Also when it arrives while the connection is not read."""
    async with connected_pair(reactor) as (connection, peer):
        peer.sendall(b"x" * 1000)
        send_rst(peer)
        with pytest.raises(TransferAborted):
            while await connection.read():
                pass


@ensureDeferred
async def test_a_reset_aborts_the_writer(reactor):
    async with connected_pair(reactor) as (connection, peer):
        send_rst(peer)
        with pytest.raises(TransferAborted):
            while True:
                await connection.write(BLOCK)


@ensureDeferred
async def test_a_client_that_closes_during_a_download_aborts_it(reactor):
    """It closes with a FIN, but its unread data turns that into an RST."""
    async with connected_pair(reactor) as (connection, peer):
        writing = start(pump_to_connection(endless, connection, 0, None))
        await deferToThread(peer.recv, 10)
        peer.close()
        with pytest.raises(TransferAborted):
            await writing


async def endless(_offset, size):
    return BLOCK[:size]


@ensureDeferred
async def test_a_silent_peer_stalls_the_reader(reactor):
    async with connected_pair(reactor, stall_timeout=0.2) as (connection, _peer):
        with pytest.raises(TransferStalled):
            await connection.read()


@ensureDeferred
async def test_a_peer_that_does_not_read_stalls_the_writer(reactor):
    async with connected_pair(reactor, stall_timeout=0.2, buffers=32768) as (connection, _peer):
        with pytest.raises(TransferStalled):
            while True:
                await connection.write(BLOCK * 4)


@ensureDeferred
async def test_a_peer_that_does_not_read_stalls_the_close(reactor):
    async with connected_pair(reactor, stall_timeout=0.3, buffers=32768) as (connection, _peer):
        connection.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIB)
        await connection.write(BLOCK)
        await connection.write(BLOCK)
        with pytest.raises(TransferStalled):
            await connection.finish()


@ensureDeferred
async def test_a_slow_peer_does_not_stall(reactor):
    """One write may take many stall timeouts if some bytes move in each."""
    async with connected_pair(reactor, stall_timeout=0.4, buffers=16384) as (connection, peer):
        began = reactor.seconds()
        writing = start(connection.write(BLOCK * 32))
        peer.setblocking(False)
        received = 0
        while received < 32 * len(BLOCK):
            await deferLater(reactor, 0.02)
            try:
                received += len(peer.recv(40_000))
            except BlockingIOError:
                continue
        await writing
        assert reactor.seconds() - began > 0.8


@ensureDeferred
async def test_unread_input_does_not_lose_the_tail(reactor):
    """A plain close would answer the unread bytes with an RST, and the tail would be lost."""
    async with connected_pair(reactor) as (connection, peer):
        content = BLOCK * 8
        peer.sendall(b"never read")
        finishing = start(send_and_finish(connection, content))
        received = await deferToThread(read_to_end, peer)
        peer.sendall(b"nor this")
        await finishing
        assert received == content
        assert await deferToThread(peer.recv, 1) == b""


async def send_and_finish(connection, content):
    await connection.write(content)
    await connection.finish()


@ensureDeferred
async def test_an_empty_transfer_ends_with_a_fin(reactor):
    async with connected_pair(reactor) as (connection, peer):
        finishing = start(connection.finish())
        assert await deferToThread(peer.recv, 1) == b""
        peer.close()
        await finishing
        await until(reactor, lambda: connection.lost)


@ensureDeferred
async def test_finish_does_not_wait_for_the_peers_fin(reactor):
    async with connected_pair(reactor) as (connection, _peer):
        began = reactor.seconds()
        await send_and_finish(connection, b"all")
        assert reactor.seconds() - began < 2


@ensureDeferred
async def test_a_reset_before_everything_is_acknowledged_aborts(reactor):
    async with connected_pair(reactor, buffers=16384) as (connection, peer):
        connection.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIB)
        finishing = start(send_and_finish(connection, BLOCK * 4))
        await deferToThread(peer.recv, 10)
        send_rst(peer)
        with pytest.raises(TransferAborted) as caught:
            await finishing
        assert not isinstance(caught.value, TransferStalled)


@ensureDeferred
async def test_a_close_before_everything_is_acknowledged_aborts(reactor):
    """Its kernel sends a FIN if nothing is unread, and an RST for later bytes."""
    async with connected_pair(reactor, buffers=16384) as (connection, peer):
        connection.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIB)
        await connection.write(BLOCK * 4)
        peer.shutdown(socket.SHUT_WR)
        finishing = start(connection.finish())
        await deferToThread(peer.recv, 10)
        peer.close()
        with pytest.raises(TransferAborted) as caught:
            await finishing
        assert not isinstance(caught.value, TransferStalled)


@ensureDeferred
async def test_abort_sends_a_reset(reactor):
    async with connected_pair(reactor) as (connection, peer):
        connection.abort()
        with pytest.raises(ConnectionResetError):
            await deferToThread(peer.recv, 1)


@ensureDeferred
async def test_dismiss_sends_a_fin_even_with_unread_data(reactor):
    async with connected_pair(reactor) as (connection, peer):
        peer.sendall(b"unread")
        connection.close_gracefully()
        connection.abort()
        assert await deferToThread(peer.recv, 1) == b""
        peer.close()
        await until(reactor, lambda: connection.lost)


@ensureDeferred
async def test_nodelay_and_keepalive_are_set(reactor):
    async with connected_pair(reactor) as (connection, _peer):
        own = connection.transport.getHandle()
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@ensureDeferred
async def test_a_long_download_to_a_slow_reader_uses_bounded_memory(reactor):
    """50 MiB: the bytes read from the file and not yet sent are bounded."""
    size, most = 50 * MIB, 0
    async with connected_pair(reactor, buffers=65536) as (connection, peer):
        received = 0
        seen = hashlib.sha256()

        async def read(offset, expected):
            nonlocal most
            most = max(most, offset - received)
            await deferLater(reactor, 0)
            return (BLOCK * (CHUNK_SIZE // len(BLOCK)))[: min(expected, size - offset)]

        def receive():
            nonlocal received
            while piece := peer.recv(65536):
                received += len(piece)
                seen.update(piece)
            peer.close()

        receiving = deferToThread(receive)
        assert await pump_to_connection(read, connection, 0, None) == size
        await connection.finish()
        await receiving
    assert received == size
    assert seen.digest() == hashlib.sha256(BLOCK * (size // len(BLOCK))).digest()
    assert most < 2 * MIB


@ensureDeferred
async def test_a_long_upload_to_a_slow_disk_uses_bounded_memory(reactor):
    """50 MiB: no write is larger than the limit, and few are small."""
    size = 50 * MIB
    sizes = []
    seen = hashlib.sha256()
    async with connected_pair(reactor) as (connection, peer):

        async def write(data):
            await deferLater(reactor, 0.0005)
            sizes.append(len(data))
            seen.update(data)

        def send():
            for _ in range(size // len(BLOCK)):
                peer.sendall(BLOCK)
            peer.close()

        sending = deferToThread(send)
        assert await pump_from_connection(connection, write) == size
        await sending
        connection.close_gracefully()
    assert sum(sizes) == size
    assert seen.digest() == hashlib.sha256(BLOCK * (size // len(BLOCK))).digest()
    assert max(sizes) < MAX_BUFFERED_BYTES + 65536
    assert len(sizes) <= size // 32768


@ensureDeferred
async def test_cancelled_transfers_leave_no_descriptor_and_no_timer(reactor):
    async with nothing_left():
        for _ in range(20):
            async with connected_pair(reactor) as (connection, _peer):
                waiting = [start(connection.read()), start(connection.write(BLOCK * 256))]
                await deferLater(reactor, 0)
                await all_cancelled(waiting)


async def all_cancelled(waiting):
    for one in waiting:
        one.cancel()
        with pytest.raises(CancelledError):
            await one
