"""`TLSTransport` on a real socket, with a client of the standard library at the other end."""

import socket
import ssl

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import main
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from ftpservice.net.tls import handshake, transport
from ftpservice.net.tls.record_io import ReadState
from ftpservice.net.tls.transport import MAX_DRAINED_BYTES, READ_SIZE, HandshakeError
from tests.support.loopback import PATIENCE, descriptors, send_rst, until
from tests.support.tls_endpoints import BOTH, Recorder, accepted, client_context

versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)
MIB = 2**20


def wrapped(peer: socket.socket, version=BOTH["1.3"]) -> ssl.SSLSocket:
    """Go under TLS; blocks, so call it in a thread."""
    return client_context(version).wrap_socket(peer, suppress_ragged_eofs=False)


def fin(end: socket.socket) -> None:
    socket.socket.shutdown(end, socket.SHUT_WR)


def goodbye(end: ssl.SSLSocket) -> None:
    """Send close_notify and wait for nothing."""
    end.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):
        end.unwrap()


def fill(end: ssl.SSLSocket) -> None:
    """Send as much as is taken."""
    end.settimeout(0)
    with pytest.raises(ssl.SSLWantWriteError):
        for _ in range(100):
            end.send(b"x" * MIB)


def received(end: ssl.SSLSocket, size: int) -> int:
    """Receive this many bytes, in a thread; return their number."""
    end.settimeout(PATIENCE)
    count = 0
    while count < size and (piece := end.recv(MIB)):
        count += len(piece)
    return count


async def turns(reactor, count: int) -> None:
    """Let the reactor turn."""
    for _ in range(count):
        await deferLater(reactor, 0)


@pytest.fixture
def make(tls):
    return lambda: Recorder(tls)


@versions
@ensureDeferred
async def test_what_is_known_when_the_handshake_is_over(reactor, make, version):
    async with accepted(reactor, make) as (ours, peer):
        assert not ours.stream.is_secured
        with await deferToThread(wrapped, peer, version) as end:
            await until(reactor, lambda: ours.happened == ["secured"])
            stream = ours.stream
            assert stream.is_secured
            assert not stream.session_reused
            assert stream.description == f"{end.version()} {end.cipher()[0]}"
            assert stream.peer_certificate is None
            assert len(stream.session_id) == 32
            assert stream.getHost().port == end.getpeername()[1]
            assert stream.getPeer().port == end.getsockname()[1]


@ensureDeferred
async def test_a_client_hello_that_has_arrived_is_answered_without_the_reactor(reactor, make):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context(BOTH["1.3"]).wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    async with accepted(reactor, make) as (ours, peer):
        peer.settimeout(0)
        ours.stream.continue_handshake()
        with pytest.raises(BlockingIOError):
            peer.recv(1)
        peer.sendall(outgoing.read())
        ours.stream.continue_handshake()
        assert peer.recv(1) == b"\x16"


@versions
@ensureDeferred
async def test_much_passes_both_ways(reactor, make, version):
    content = bytes(range(251)) * 40_000
    async with accepted(reactor, make) as (ours, peer):

        def talk() -> bytes:
            with wrapped(peer, version) as end:
                end.sendall(content)
                received = bytearray()
                while len(received) < len(content):
                    received += end.recv(MIB)
                return bytes(received)

        ours.stream.write(content[:10])  # before there is TLS
        ours.stream.writeSequence([content[10:MIB], content[MIB:]])
        assert await deferToThread(talk) == content
        await until(reactor, lambda: len(ours.received) == len(content))
        assert ours.received == content


@ensureDeferred
async def test_bytes_right_behind_the_handshake_are_read(reactor, make):
    async with accepted(reactor, make) as (ours, peer):

        def talk() -> ssl.SSLSocket:
            end = wrapped(peer)
            end.sendall(b"x" * 3 * READ_SIZE)
            return end

        with await deferToThread(talk):
            await until(reactor, lambda: len(ours.received) == 3 * READ_SIZE)


@ensureDeferred
async def test_nothing_is_read_while_that_is_not_wanted(reactor, make):
    async with accepted(reactor, make) as (ours, peer):
        ours.stream.pauseProducing()
        with await deferToThread(wrapped, peer) as end:
            end.sendall(b"first")
            await until(reactor, lambda: ours.happened == ["secured"])
            assert ours.stream not in reactor.getReaders()
            ours.stream.resumeProducing()
            await until(reactor, lambda: ours.received == b"first")


@versions
@ensureDeferred
async def test_an_end_that_the_peer_says_is_one_in_order(reactor, make, version):
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer, version) as end:
            end.sendall(b"all")
            goodbye(end)
            await until(reactor, lambda: "read lost" in ours.happened)
            assert ours.received == b"all"
            assert ours.stream.received_close_notify
            ours.stream.write(b"answer")  # our side stands
            end.settimeout(20)
            assert await deferToThread(end.recv, 6) == b"answer"


@versions
@ensureDeferred
async def test_a_fin_alone_is_none(reactor, make, version):
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer, version) as end:
            end.sendall(b"part")
            fin(end)
            await until(reactor, lambda: "read lost" in ours.happened)
            assert ours.received == b"part"
            assert not ours.stream.received_close_notify


@ensureDeferred
async def test_an_rst_breaks_the_connection(reactor, make):
    async with accepted(reactor, make) as (ours, peer):
        end = await deferToThread(wrapped, peer)
        await until(reactor, lambda: ours.happened == ["secured"])
        send_rst(end)
        await until(reactor, lambda: "lost" in ours.happened)
        assert isinstance(ours.reason, ConnectionLost)


@ensureDeferred
async def test_what_is_no_tls_any_more_breaks_it_too(reactor, make):
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer) as end:
            await until(reactor, lambda: ours.happened == ["secured"])
            socket.socket.send(end, b"QUIT\r\n" * 10)
            await until(reactor, lambda: "lost" in ours.happened)
            assert isinstance(ours.reason, ConnectionLost)
            assert ours.received == b""


@versions
@ensureDeferred
async def test_our_end_is_said_and_then_a_fin(reactor, make, version):
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer, version) as end:
            ours.stream.write(b"x" * MIB)
            ours.stream.loseWriteConnection()

            def read() -> tuple[int, bytes]:
                count = 0
                while piece := end.recv(MIB):
                    count += len(piece)
                return count, socket.socket.recv(end, 1)

            assert await deferToThread(read) == (MIB, b"")
            assert "write lost" in ours.happened
            end.close()
            await until(reactor, lambda: "read lost" in ours.happened)


@ensureDeferred
async def test_behind_our_end_what_comes_is_dropped_up_to_a_limit(reactor, make):
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer) as end:
            await until(reactor, lambda: ours.happened == ["secured"])
            ours.stream.loseWriteConnection()
            assert await deferToThread(end.recv, 1) == b""
            fill(end)
            await until(reactor, lambda: ours.stream not in reactor.getReaders())
            assert ours.stream._dropped >= MAX_DRAINED_BYTES
            assert ours.received == b""
            assert ours.happened == ["secured", "write lost"]


@ensureDeferred
async def test_an_rst_behind_our_end_is_told_as_the_peers(reactor, make):
    async with accepted(reactor, make) as (ours, peer):
        end = await deferToThread(wrapped, peer)
        await until(reactor, lambda: ours.happened == ["secured"])
        ours.stream.loseWriteConnection()
        await until(reactor, lambda: ours.happened == ["secured", "write lost"])
        assert not ours.stream.is_broken
        send_rst(end)
        await until(reactor, lambda: "read lost" in ours.happened)
        assert ours.stream.is_broken


@versions
@ensureDeferred
async def test_closing_sends_what_is_kept_and_says_goodbye(reactor, make, version):
    async with accepted(reactor, make) as (ours, peer):
        ours.stream.write(b"x" * 3 * MIB)
        ours.stream.loseConnection()

        def read() -> int:
            count = 0
            with wrapped(peer, version) as end:
                while piece := end.recv(MIB):
                    count += len(piece)
            return count

        assert await deferToThread(read) == 3 * MIB
        await until(reactor, lambda: "lost" in ours.happened)
        assert isinstance(ours.reason, ConnectionDone)


@ensureDeferred
async def test_closing_waits_for_room_for_the_goodbye(reactor, make, monkeypatch):
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer) as end:
            await until(reactor, lambda: ours.happened == ["secured"])
            room = iter([False, False, True])
            monkeypatch.setattr(
                "ftpservice.net.tls.transport.send_close_notify", lambda own: next(room)
            )
            ours.stream.loseConnection()
            await until(reactor, lambda: "lost" in ours.happened)
            assert next(room, None) is None
            fin(end)


@ensureDeferred
async def test_so_does_ending_our_side(reactor, make, monkeypatch):
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer):
            await until(reactor, lambda: ours.happened == ["secured"])
            room = iter([False, False, True])
            monkeypatch.setattr(
                "ftpservice.net.tls.transport.send_close_notify", lambda own: next(room)
            )
            ours.stream.loseWriteConnection()
            await until(reactor, lambda: "write lost" in ours.happened)
            assert next(room, None) is None


@ensureDeferred
async def test_aborting_sends_an_rst(reactor, make):
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer) as end:
            ours.stream.abortConnection()
            ours.stream.abortConnection()
            await until(reactor, lambda: "lost" in ours.happened)
            assert isinstance(ours.reason, ConnectionAborted)
            with pytest.raises((ConnectionResetError, ssl.SSLError)):
                await deferToThread(end.recv, 1)
            ours.stream.abortConnection()


@ensureDeferred
async def test_the_old_transport_is_dead(reactor, make):
    async with accepted(reactor, make) as (ours, peer):
        old = ours.old
        old.write(b"x")
        old.loseConnection()
        old.abortConnection()
        old.connectionLost(Failure(main.CONNECTION_LOST))
        assert old.doRead() is None
        with await deferToThread(wrapped, peer) as end:
            ours.stream.write(b"only this")
            assert await deferToThread(end.recv, 99) == b"only this"


class TestHandshakes:
    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            (b"USER ann\r\n", "that was not TLS"),
            (b"GET / HTTP/1.1\r\n\r\n", "that was HTTP"),
            (b"\x16\x03\x01" + bytes(90), ""),
            (b"\x16\x03\x01\xff\xff" + bytes(90), ""),
            (bytes(range(256)) * 9, "that was not TLS"),
        ],
        ids=["ftp", "http", "zeroes", "huge", "bytes"],
    )
    @ensureDeferred
    async def test_garbage_is_closed_cleanly(self, reactor, make, said, reason):
        """With a FIN and no RST, however much of it was not read."""
        async with accepted(reactor, make) as (ours, peer):
            peer.sendall(said)
            await until(reactor, lambda: "lost" in ours.happened)
            assert isinstance(ours.reason, HandshakeError)
            assert str(ours.reason).startswith(reason)
            assert ours.happened == ["lost"]
            assert not ours.stream.is_secured
            received = b""
            while piece := await deferToThread(peer.recv, 999):
                received += piece
            assert received[:1] in (b"\x15", b"")  # an alert, or nothing

    @ensureDeferred
    async def test_one_that_the_peer_gives_up_is_told(self, reactor, make):
        async with accepted(reactor, make) as (ours, peer):
            peer.close()
            await until(reactor, lambda: "lost" in ours.happened)
            assert str(ours.reason) == "the connection ended before"

    @ensureDeferred
    async def test_so_is_one_that_breaks(self, reactor, make):
        async with accepted(reactor, make) as (ours, peer):
            send_rst(peer)
            await until(reactor, lambda: "lost" in ours.happened)
            assert str(ours.reason) == "the connection ended before"

    @ensureDeferred
    async def test_a_client_that_trusts_nobody_is_told_in_words(self, reactor, make):
        async with accepted(reactor, make) as (ours, peer):
            with pytest.raises(ssl.SSLCertVerificationError):
                await deferToThread(
                    ssl.create_default_context().wrap_socket, peer, server_hostname="127.0.0.1"
                )
            await until(reactor, lambda: "lost" in ours.happened)
            assert str(ours.reason) == "it does not trust the certificate"

    @ensureDeferred
    async def test_it_has_its_time(self, reactor, make, monkeypatch):
        monkeypatch.setattr(Recorder, "timeout", 0.02)
        async with accepted(reactor, make) as (ours, peer):
            await until(reactor, lambda: "lost" in ours.happened)
            assert str(ours.reason) == "it took longer than 0.02 seconds"
            assert await deferToThread(peer.recv, 1) == b""

    @ensureDeferred
    async def test_and_no_more_when_the_connection_is_to_close(self, reactor, make, monkeypatch):
        monkeypatch.setattr(handshake, "LAST_CHANCE_SECONDS", 0.02)
        monkeypatch.setattr(Recorder, "timeout", 0)
        async with accepted(reactor, make) as (ours, peer):
            ours.stream.write(b"421 Too many.")
            ours.stream.loseConnection()
            await until(reactor, lambda: "lost" in ours.happened)
            assert str(ours.reason) == "it took longer than 0.02 seconds"
            assert await deferToThread(peer.recv, 1) == b""

    @ensureDeferred
    async def test_with_nothing_to_say_closing_waits_for_none(self, reactor, make):
        async with accepted(reactor, make) as (ours, peer):
            ours.stream.loseConnection()
            ours.stream.loseConnection()
            await until(reactor, lambda: "lost" in ours.happened)
            assert isinstance(ours.reason, ConnectionDone)
            assert await deferToThread(peer.recv, 1) == b""

    @ensureDeferred
    async def test_who_does_not_begin_one_gets_a_fin_at_the_end_of_our_side(
        self, reactor, make, monkeypatch
    ):
        monkeypatch.setattr(handshake, "FIRST_BYTES_SECONDS", 0.02)
        async with accepted(reactor, make) as (ours, peer):
            ours.stream._closeWriteConnection()
            assert ours.happened == []
            await until(reactor, lambda: ours.happened == ["write lost"])
            assert await deferToThread(peer.recv, 1) == b""
            peer.sendall(b"anything")
            peer.close()
            await until(reactor, lambda: "read lost" in ours.happened)
            assert ours.received == b""

    @ensureDeferred
    async def test_who_has_begun_one_may_end_it(self, reactor, make):
        async with accepted(reactor, make) as (ours, peer):
            begin = make_hello(peer)
            await until(reactor, lambda: ours.stream._handshake.begun)
            ours.stream._closeWriteConnection()
            assert ours.happened == []
            end = await deferToThread(begin)
            assert await deferToThread(end.recv, 1) == b""
            assert ours.happened[:2] == ["secured", "write lost"]
            end.close()

    @ensureDeferred
    async def test_who_begins_one_behind_the_end_of_our_side_may_end_it_too(self, reactor, make):
        async with accepted(reactor, make) as (ours, peer):
            ours.stream._closeWriteConnection()
            with await deferToThread(wrapped, peer) as end:
                assert await deferToThread(end.recv, 1) == b""  # close_notify, and no RST
                assert ours.happened[:2] == ["secured", "write lost"]

    @ensureDeferred
    async def test_who_never_ends_one_gets_a_fin_and_no_rst(self, reactor, make, monkeypatch):
        monkeypatch.setattr(handshake, "LAST_CHANCE_SECONDS", 0.02)
        async with accepted(reactor, make) as (ours, peer):
            peer.sendall(b"\x16\x03\x01\x02\x00\x01")
            await until(reactor, lambda: ours.stream._handshake.begun)
            ours.stream._closeWriteConnection()
            assert await deferToThread(peer.recv, 1) == b""
            peer.sendall(b"more")
            peer.close()
            await until(reactor, lambda: "read lost" in ours.happened)

    @ensureDeferred
    async def test_one_that_is_aborted_leaves_nothing(self, reactor, make):
        before = descriptors()
        async with accepted(reactor, make) as (ours, _):
            ours.stream.abortConnection()
            await until(reactor, lambda: "lost" in ours.happened)
            assert isinstance(ours.reason, ConnectionAborted)
        assert descriptors() <= before
        assert ours.stream not in reactor.getReaders()

    @ensureDeferred
    async def test_a_reactor_that_tells_of_an_end_first_is_believed(self, reactor, make):
        async with accepted(reactor, make) as (ours, _):
            ours.stream.readConnectionLost(Failure(main.CONNECTION_DONE))
            assert str(ours.reason) == "the connection ended before"

    @ensureDeferred
    async def test_many_at_once_all_come_to_their_end(self, reactor, make, monkeypatch):
        """Also when each of them has to wait for its turn."""
        monkeypatch.setattr("ftpservice.concurrency.time_budget.SECONDS_PER_TURN", 1e-9)
        async with (
            accepted(reactor, make) as (one, first),
            accepted(reactor, make) as (two, second),
        ):
            ends = [await deferToThread(wrapped, peer) for peer in (first, second)]
            await until(reactor, lambda: one.happened == two.happened == ["secured"])
            for end in ends:
                end.close()


def make_hello(peer: socket.socket):
    """Send a ClientHello; return what carries on with it."""
    end = client_context().wrap_socket(
        peer, do_handshake_on_connect=False, suppress_ragged_eofs=False
    )
    end.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    end.settimeout(20)

    def carry_on() -> ssl.SSLSocket:
        end.do_handshake()
        return end

    return carry_on


class TestLeaving:
    @versions
    @ensureDeferred
    async def test_the_connection_goes_on_in_clear(self, reactor, make, version):
        async with accepted(reactor, make) as (ours, peer):
            end = await deferToThread(wrapped, peer, version)
            await until(reactor, lambda: ours.happened == ["secured"])
            end.sendall(b"dropped")
            left = ours.stream.leave_tls()
            plain = await deferToThread(end.unwrap)
            plain.sendall(b"in clear")
            with plain, await left as own:
                assert not isinstance(own, ssl.SSLSocket)
                own.setblocking(True)
                assert await deferToThread(own.recv, 99) == b"in clear"
                own.sendall(b"answer")
                assert await deferToThread(plain.recv, 99) == b"answer"
            assert ours.happened == ["secured"]
            ours.connectionLost(Failure(main.CONNECTION_DONE))

    @ensureDeferred
    async def test_a_client_that_goes_on_at_once_loses_its_connection(self, reactor, make):
        async with accepted(reactor, make) as (ours, peer):
            with await deferToThread(wrapped, peer) as end:
                await until(reactor, lambda: ours.happened == ["secured"])
                left = ours.stream.leave_tls()
                socket.socket.send(end, b"NOOP\r\n")
                with pytest.raises(ConnectionLost):
                    await left
                assert ours.happened == ["secured", "lost"]

    @ensureDeferred
    async def test_one_that_just_ends_too(self, reactor, make):
        async with accepted(reactor, make) as (ours, peer):
            end = await deferToThread(wrapped, peer)
            await until(reactor, lambda: ours.happened == ["secured"])
            left = ours.stream.leave_tls()
            end.close()
            with pytest.raises(ConnectionLost):
                await left
            assert "lost" in ours.happened

    @ensureDeferred
    async def test_one_that_does_nothing_has_its_time(self, reactor, make, monkeypatch):
        monkeypatch.setattr("ftpservice.net.tls.shutdown.CLOSE_NOTIFY_TIMEOUT_SECONDS", 0.02)
        async with accepted(reactor, make) as (ours, peer):
            with await deferToThread(wrapped, peer):
                await until(reactor, lambda: ours.happened == ["secured"])
                with pytest.raises(ConnectionAborted):
                    await ours.stream.leave_tls()


@ensureDeferred
async def test_a_protocol_that_knows_no_half_close_is_closed(reactor, tls):
    class Simple(Protocol):
        pass

    async with accepted(reactor, lambda: Recorder(tls)) as (ours, peer):
        with await deferToThread(wrapped, peer) as end:
            await until(reactor, lambda: ours.happened == ["secured"])
            stream, simple = ours.stream, Simple()
            stream.protocol = simple
            stream._closeWriteConnection()
            assert await deferToThread(end.recv, 1) == b""
            stream.protocol = ours


@ensureDeferred
async def test_reading_waits_for_room_if_the_peer_reads_no_answers(reactor, make, monkeypatch):
    """As when it demands new keys without end: the socket is readable all the time."""
    async with accepted(reactor, make) as (ours, peer):
        with await deferToThread(wrapped, peer) as end:
            await until(reactor, lambda: ours.happened == ["secured"])
            stream, calls = ours.stream, []

            def blocked(own, into):
                calls.append(stream in reactor.getWriters())
                return 0, ReadState.BLOCKED

            with monkeypatch.context() as patch:
                patch.setattr(transport, "receive", blocked)
                stream.write(b"x" * 20 * MIB)  # more than the kernel takes
                end.send(b"hello")
                await until(reactor, lambda: calls)
                await until(reactor, lambda: stream not in reactor.getReaders())
                seen = len(calls)
                await turns(reactor, 20)
                assert len(calls) <= seen + 5  # the kernel may take some more
                assert stream in reactor.getWriters()
            assert await deferToThread(received, end, 20 * MIB) == 20 * MIB
            await until(reactor, lambda: ours.received == b"hello")
            assert stream in reactor.getReaders()
