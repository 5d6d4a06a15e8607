"""Passive data connections of several sessions at one port, over real sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError
from twisted.internet.threads import deferToThread

from benchmarks.ports import free_port
from ftpservice.data import (
    shared_port_sockets,
    tls_candidates,
    unidentified_connection,
    waiting_sessions,
)
from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.connector import ControlAddresses
from ftpservice.data.passive_ports import NoPortFree
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.shared_port import CannotOpenSharedPort, SharedPassivePort, open_shared_port
from ftpservice.wire.addresses import HostPort
from tests.scenarios.data.test_data_connections import LOCAL, LOCAL6, client, connector, gone
from tests.scenarios.data.test_tls_data_connections import Session, ended, versions
from tests.support.loopback import plain_socket, send_rst, until
from tests.support.memory_transport import is_pending, start
from tests.support.open_resources import nothing_left
from tests.support.tls_endpoints import server_tls

STRANGER = "127.0.0.2"
PROXIED = ControlAddresses("192.0.2.1", "192.0.2.9", True, "127.0.0.1")
HEADER = b"PROXY TCP4 %s 192.0.2.9 40000 50000\r\n"


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    """Shorten the times in which other connections may come."""
    monkeypatch.setattr(waiting_sessions, "LATE_SECONDS", 0.2)
    monkeypatch.setattr(tls_candidates, "RETRY_GRACE_SECONDS", 0.05)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return server_tls(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def port(reactor):
    """The port, at 127.0.0.1 and ::1."""
    with contextlib.ExitStack() as stack:
        four = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        six = stack.enter_context(
            socket.create_server(("::1", four.getsockname()[1]), family=socket.AF_INET6)
        )
        for own in (four, six):
            own.setblocking(False)
        shared = SharedPassivePort(reactor, [four, six])
        shared.start_accepting()
        stack.callback(shared.close)
        yield shared


@pytest.fixture
def begin(reactor, port):
    """Start a session without TLS: ``begin(number, user=..., ends=..., ...settings)``."""
    with contextlib.ExitStack() as stack:

        def made(number, user="ann", ends=LOCAL, **settings):
            one = connector(reactor, ends, **settings)
            one.shared_port, one.session, one.user = port, number, user
            stack.callback(one.close)
            return one

        yield made


@pytest.fixture
def begin_tls(reactor, port, tls):
    """Start a session with PROT P; ``known``: its client is known to resume."""
    with contextlib.ExitStack() as stack:

        def made(number, known=True, user="ann", **facts) -> Session:
            session = Session(reactor, tls, **facts)
            stack.enter_context(contextlib.closing(session))
            one = session.connector
            one.shared_port, one.session, one.user = port, number, user
            session.data_tls.session_reuse.resumed_in_a_row = 2 if known else 0
            session.data_tls.session_reuse.resumes = True if known else None
            return session

        yield made


async def received(reactor, waiting, peer: socket.socket, content: bytes) -> bool:
    """Return whether what a client sends reaches a transfer, and end both."""
    connection = await waiting
    await deferToThread(peer.sendall, content)
    same = await connection.read() == content
    await gone(reactor, connection)
    peer.close()
    return same


async def all_passive(*sessions: Session) -> HostPort:
    """Let sessions wait together, and return the port."""
    for session in sessions:
        place = await session.connector.passive(True, None)
    return place


async def is_closed(peer: socket.socket) -> bool:
    """Return whether the service closes a connection."""
    try:
        return await ended(peer)
    except ConnectionResetError:
        return True


class TestPlaintext:
    @pytest.mark.parametrize("ends", [LOCAL, LOCAL6])
    @pytest.mark.parametrize("early", [True, False])
    @ensureDeferred
    async def test_a_client_connects_before_or_after_its_command(
        self, reactor, port, begin, ends, early
    ):
        session = begin(1, ends=ends)
        for _ in range(3):
            place = await session.passive(True, None)
            assert place == (ends.local, port.port)
            if early:
                peer, waiting = client(place), start(session.take().connection())
            else:
                waiting = start(session.take().connection())
                peer = client(place)
            assert await received(reactor, waiting, peer, b"hello")

    @ensureDeferred
    async def test_an_early_client_that_waits_is_accepted_and_kept(self, reactor, port, begin):
        session, other = begin(1), begin(2)
        place = await session.passive(True, None)
        with client(place) as peer:
            await until(reactor, lambda: not port.waiting.of("127.0.0.1"))
            assert (await other.passive(True, None)).port == port.port
            assert await received(reactor, session.take().connection(), peer, b"early")

    @ensureDeferred
    async def test_an_ipv4_client_of_an_ipv6_listener(self, reactor, port, begin):
        session = begin(1, ends=ControlAddresses("::ffff:127.0.0.1", "::ffff:127.0.0.1"))
        place = await session.passive(False, None)
        assert place == ("127.0.0.1", port.port)
        assert await received(reactor, session.take().connection(), client(place), b"mapped")

    @ensureDeferred
    async def test_strangers_are_closed_at_once(self, reactor, port, begin):
        session = begin(1)
        place = await session.passive(True, None)
        with client(place, STRANGER) as stranger:
            assert await is_closed(stranger)
        assert await received(reactor, session.take().connection(), client(place), b"own")
        with client(place) as nobodys:
            assert await is_closed(nobodys)

    @ensureDeferred
    async def test_addresses_do_not_wait_for_each_other(self, reactor, port, begin):
        one = begin(1)
        other = begin(2, ends=ControlAddresses(STRANGER, "127.0.0.1"))
        places = [await session.passive(True, None) for session in (one, other)]
        assert places[0] == places[1]
        theirs, ours = client(places[0], STRANGER), client(places[0])
        assert await received(reactor, one.take().connection(), ours, b"one")
        assert await received(reactor, other.take().connection(), theirs, b"other")

    @ensureDeferred
    async def test_sessions_of_one_address_take_turns(self, reactor, port, begin):
        sessions = [begin(number, user) for number, user in enumerate(("ann", "bob", "ann"))]
        asked = [start(session.passive(True, None)) for session in sessions]
        for number, session in enumerate(sessions):
            assert all(map(is_pending, asked[number + 1 :]))
            place = await asked[number]
            content = b"%d" % number
            assert await received(reactor, session.take().connection(), client(place), content)

    @ensureDeferred
    async def test_a_connection_that_comes_late_reaches_nobody_else(self, reactor, port, begin):
        one, other = begin(1, "ann"), begin(2, "bob")
        place = await one.passive(True, None)
        asked = start(other.passive(True, None))
        one.close()
        with client(place) as late:
            assert await is_closed(late)
        assert is_pending(asked)
        place = await asked
        assert await received(reactor, other.take().connection(), client(place), b"bob's")

    @ensureDeferred
    async def test_a_cancelled_transfer_ends_the_turn(self, reactor, port, begin):
        one, other = begin(1), begin(2)
        await one.passive(True, None)
        waiting = start(one.take().connection())
        asked = start(other.passive(True, None))
        waiting.cancel()
        with pytest.raises(CancelledError):
            await waiting
        assert (await asked).port == port.port

    @ensureDeferred
    async def test_a_command_cancelled_in_its_turn_leaves_nothing(self, reactor, port, begin):
        async with nothing_left():
            one, other = begin(1), begin(2)
            await one.passive(True, None)
            asked = start(other.passive(True, None))
            asked.cancel()
            with pytest.raises(CancelledError):
                await asked
            one.close()

    @ensureDeferred
    async def test_no_turn_in_time_is_an_error(self, reactor, port, begin):
        one, other = begin(1), begin(2, data_timeout=0.1)
        await one.passive(True, None)
        with pytest.raises(NoPortFree, match="other sessions of this address"):
            await other.passive(True, None)

    @ensureDeferred
    async def test_a_session_that_never_connects_loses_its_turn(self, reactor, port, begin):
        one, other = begin(1, data_timeout=0.1), begin(2)
        await one.passive(True, None)
        assert (await other.passive(True, None)).port == port.port
        with pytest.raises(CannotOpenDataConnection, match="in time"):
            await one.take().connection()

    @ensureDeferred
    async def test_other_users_wait_until_such_a_session_knows(self, reactor, port, begin):
        one, other = begin(1, "ann", data_timeout=0.1), begin(2, "bob")
        place = await one.passive(True, None)
        asked = start(other.passive(True, None))
        await until(reactor, lambda: one._expired is not None)
        await until(reactor, lambda: not port.waiting._addresses["127.0.0.1"].retry.active())
        assert is_pending(asked)
        with client(place) as late:
            assert await is_closed(late)
        one.take()
        assert (await asked).port == port.port

    @ensureDeferred
    async def test_a_new_command_replaces_the_former(self, reactor, port, begin):
        session = begin(1)
        await session.passive(True, None)
        place = await session.passive(False, None)
        assert await received(reactor, session.take().connection(), client(place), b"second")

    @ensureDeferred
    async def test_with_a_range_other_sessions_get_ports_of_their_own(self, reactor, port, begin):
        number = free_port()
        one, other = (begin(1, passive_ports=(number, number)) for _ in range(2))
        places = [await session.passive(True, None) for session in (one, other)]
        assert [place.port for place in places] == [port.port, number]
        peers = list(map(client, places))
        assert await received(reactor, other.take().connection(), peers[1], b"other")
        assert await received(reactor, one.take().connection(), peers[0], b"one")

    @ensureDeferred
    async def test_the_shared_port_is_not_reclaimed_for_the_range(self, reactor, port, begin):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            one, other = (begin(1, passive_ports=(number, number)) for _ in range(2))
            place = await one.passive(True, None)
            with pytest.raises(NoPortFree, match="no port is free"):
                await other.passive(True, None)
        assert await received(reactor, one.take().connection(), client(place), b"one")

    @ensureDeferred
    async def test_an_unused_connection_gets_a_fin(self, reactor, port, begin):
        session = begin(1)
        place = await session.passive(True, None)
        with client(place) as peer:
            session.close()
            assert await ended(peer)
        other = begin(2)
        assert not is_pending(start(other.passive(True, None)))


class TestTLS:
    @versions
    @ensureDeferred
    async def test_sessions_that_resume_wait_together(self, reactor, port, begin_tls, version):
        sessions = [begin_tls(number, version=version) for number in range(5)]
        place = await all_passive(*sessions)
        waiting = [start(session.connector.take().connection()) for session in sessions]
        peers = []
        for session in reversed(sessions):
            peer = client(place)
            peers.append(await deferToThread(session.shake, peer, session.end.session))
        for number, peer in enumerate(reversed(peers)):
            content = b"%d" % number
            assert await received(reactor, waiting[number], peer, content)
            assert sessions[number].data_tls.session_reuse.resumed_in_a_row == 3

    @versions
    @ensureDeferred
    async def test_a_client_becomes_known_to_resume(self, reactor, port, begin_tls, version):
        one, other = (begin_tls(number, known=False, version=version) for number in (1, 2))
        for _ in range(2):
            place = await one.connector.passive(True, None)
            asked = start(other.connector.passive(True, None))
            assert is_pending(asked)
            asked.addErrback(lambda failure: failure.trap(CancelledError))
            asked.cancel()
            waiting = start(one.connector.take().connection())
            peer = await deferToThread(one.shake, client(place), one.end.session)
            assert await received(reactor, waiting, peer, b"data")
        assert one.data_tls.session_reuse.is_reliable
        other.data_tls.session_reuse.resumed_in_a_row = 2
        await one.connector.passive(True, None)
        assert not is_pending(start(other.connector.passive(True, None)))

    @ensureDeferred
    async def test_required_reuse_needs_no_turns(self, reactor, port, begin_tls):
        one, other = (
            begin_tls(number, known=False, require_session_reuse=True) for number in (1, 2)
        )
        for session in (one, other):
            assert not is_pending(start(session.connector.passive(True, None)))

    @ensureDeferred
    async def test_a_client_without_tls_takes_a_turn_of_its_own(self, port, begin, begin_tls):
        one, other = begin_tls(1), begin(2)
        await one.connector.passive(True, None)
        asked = start(other.passive(True, None))
        assert is_pending(asked)
        one.connector.close()
        await asked

    @ensureDeferred
    async def test_a_session_of_nobody_is_held_until_one_session_is_left(
        self, reactor, port, begin_tls
    ):
        one, other = begin_tls(1), begin_tls(2)
        place = await all_passive(one, other)
        waiting = [start(session.connector.take().connection()) for session in (one, other)]
        without = deferToThread(other.shake, client(place))
        await until(reactor, lambda: port._held)
        peer = await deferToThread(one.shake, client(place), one.end.session)
        assert await received(reactor, waiting[0], peer, b"one")
        assert await received(reactor, waiting[1], await without, b"other")
        assert not other.data_tls.session_reuse.is_reliable

    @ensureDeferred
    async def test_a_held_connection_ends_with_a_session_that_may_have_made_it(
        self, reactor, port, begin_tls
    ):
        one, other = begin_tls(1), begin_tls(2)
        place = await all_passive(one, other)
        with client(place) as peer:
            await until(reactor, lambda: port._held)
            one.connector.close()
            assert await is_closed(peer)
        assert not port._held
        assert port.waiting.of("127.0.0.1")

    @ensureDeferred
    async def test_a_connection_of_which_nothing_is_known_is_closed(
        self, reactor, port, begin_tls, monkeypatch
    ):
        monkeypatch.setattr(unidentified_connection, "HOLD_SECONDS", 0.05)
        one, other = begin_tls(1), begin_tls(2)
        place = await all_passive(one, other)
        with client(place) as peer:
            assert await is_closed(peer)
        assert not one.data_tls.session_reuse.is_reliable
        assert not other.data_tls.session_reuse.is_reliable

    @pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x01", b"\x16\x03\x01\x01\x00half"])
    @ensureDeferred
    async def test_held_connections_that_end_are_closed(self, reactor, port, begin_tls, sent):
        one, other = begin_tls(1), begin_tls(2)
        place = await all_passive(one, other)
        for end in (socket.socket.close, send_rst, lambda peer: peer.shutdown(socket.SHUT_WR)):
            peer = client(place)
            peer.sendall(sent)
            await until(reactor, lambda: port._held)
            end(peer)
            await until(reactor, lambda: not port._held)
            peer.close()
        assert one.data_tls.session_reuse.is_reliable

    @ensureDeferred
    async def test_a_hello_in_pieces(self, reactor, port, begin_tls):
        one, other = begin_tls(1), begin_tls(2)
        place = await all_passive(one, other)
        waiting = start(other.connector.take().connection())
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = other.context.wrap_bio(
            incoming, outgoing, server_hostname="x", session=other.end.session
        )
        with client(place) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            hello = outgoing.read()
            for size in (3, 4, 200, 1, len(hello)):
                peer.sendall(hello[:size])
                hello = hello[size:]
                await until(reactor, lambda rest=hello: port._held or not rest)
            await until(reactor, lambda: not port._held)
            incoming.write(await deferToThread(peer.recv, 4096))
            tls.do_handshake()
            peer.sendall(outgoing.read())
            connection = await waiting
            assert other.data_tls.session_reuse.resumed_in_a_row == 3
            await gone(reactor, connection)

    @ensureDeferred
    async def test_only_so_many_connections_are_held(self, reactor, port, begin_tls):
        one, other = begin_tls(1), begin_tls(2)
        place = await all_passive(one, other)
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(client(place)) for _ in range(9)]
            assert await is_closed(peers[-1])
            waiting = start(one.connector.take().connection())
            peers[0].close()
            await until(reactor, lambda: len(port._held["127.0.0.1"]) == 7)
            peer = await deferToThread(one.shake, client(place), one.end.session)
            assert await received(reactor, waiting, peer, b"one")

    @ensureDeferred
    async def test_a_copied_session_id_is_no_proof(self, reactor, port, begin_tls):
        """An attacker names the session of another client, but has not its secret."""
        victim, attacker = begin_tls(1, require_session_reuse=True), begin_tls(2, user="bob")
        place = await victim.connector.passive(True, None)
        await attacker.connector.passive(True, None)
        waiting = start(victim.connector.take().connection())
        hello = _hello_for(victim.data_tls.control_session_id())
        with client(place) as peer:
            peer.sendall(hello)
            assert await is_closed(peer)
            assert is_pending(waiting)
        peer = await deferToThread(victim.shake, client(place), victim.end.session)
        assert await received(reactor, waiting, peer, b"victim's")

    @ensureDeferred
    async def test_who_does_not_resume_waits_for_the_client_that_does(
        self, reactor, port, begin_tls
    ):
        session, attacker = begin_tls(1), begin_tls(2, user="bob")
        place = await session.connector.passive(True, None)
        waiting = start(session.connector.take().connection())
        stolen = await deferToThread(attacker.shake, client(place), attacker.end.session)
        assert is_pending(waiting)
        peer = await deferToThread(session.shake, client(place), session.end.session)
        assert await received(reactor, waiting, peer, b"own")
        assert await is_closed(stolen)
        stolen.close()


def _hello_for(session_id: bytes) -> bytes:
    """Return a ClientHello of TLS 1.2 that names a session."""
    body = b"\x03\x03" + os.urandom(32) + bytes([len(session_id)]) + session_id
    body += b"\x00\x04\xc0\x2b\xc0\x2f" + b"\x01\x00"
    body += (
        b"\x00\x16\x00\x0a\x00\x04\x00\x02\x00\x17\x00\x0d\x00\x04\x00\x02\x04\x03\x00\x17\x00\x00"
    )
    message = b"\x01" + len(body).to_bytes(3) + body
    return b"\x16\x03\x01" + len(message).to_bytes(2) + message


class TestBehindABalancer:
    @ensureDeferred
    async def test_a_header_names_the_client(self, reactor, port, begin):
        one = begin(1, ends=PROXIED)
        other = begin(2, ends=ControlAddresses("192.0.2.2", "192.0.2.9", True, "127.0.0.1"))
        places = [await session.passive(False, None) for session in (one, other)]
        assert [place.port for place in places] == [port.port] * 2
        for session, host in ((other, b"192.0.2.2"), (one, b"192.0.2.1")):
            peer = client(places[0]._replace(host="127.0.0.1"))
            peer.sendall(HEADER % host)
            waiting = start(session.take().connection())
            assert await received(reactor, waiting, peer, b"for " + host)

    @ensureDeferred
    async def test_bytes_after_the_header_are_the_clients(self, reactor, port, begin):
        session = begin(1, ends=PROXIED)
        place = await session.passive(False, None)
        with client(place._replace(host="127.0.0.1")) as peer:
            for piece in (b"PROXY TCP4 192.0.2.1 ", b"192.0.2.9 40000 50000\r", b"\ndata"):
                peer.sendall(piece)
                await until(reactor, lambda last=piece: port._held or last == b"\ndata")
            connection = await session.take().connection()
            assert await connection.read() == b"data"
            await gone(reactor, connection)

    @ensureDeferred
    async def test_the_clients_own_address_counts_too(self, reactor, port, begin):
        session = begin(1, ends=ControlAddresses(STRANGER, "192.0.2.9", True, "10.0.0.1"))
        place = await session.passive(False, None)
        peer = client(place._replace(host="127.0.0.1"), STRANGER)
        assert await received(reactor, session.take().connection(), peer, b"direct")

    @pytest.mark.parametrize(
        "sent",
        [
            HEADER % b"192.0.2.3",
            b"PROXY UNKNOWN\r\n",
            b"PROXY TCP4 nonsense\r\n",
            b"\x00anything",
        ],
    )
    @ensureDeferred
    async def test_a_connection_of_another_client_is_closed(self, reactor, port, begin, sent):
        session = begin(1, ends=PROXIED)
        place = await session.passive(False, None)
        with client(place._replace(host="127.0.0.1")) as peer:
            peer.sendall(sent)
            assert await is_closed(peer)
        assert port.waiting.of("192.0.2.1")

    @ensureDeferred
    async def test_a_header_of_another_host_is_no_header(self, reactor, port, begin):
        """A client that sends a header to the control port cannot take another's connection."""
        victim = begin(1, ends=ControlAddresses("192.0.2.1", "192.0.2.9", True, "10.0.0.1"))
        begin_own = begin(2, "bob", ends=ControlAddresses("192.0.2.7", "x", True, "127.0.0.1"))
        place = await victim.passive(False, None)
        await begin_own.passive(False, None)
        with client(place._replace(host="127.0.0.1")) as peer:
            peer.sendall(HEADER % b"192.0.2.1")
            assert await is_closed(peer)
        assert port.waiting.of("192.0.2.1")

    @ensureDeferred
    async def test_without_a_header_only_a_tls_session_tells(
        self, reactor, port, begin_tls, monkeypatch
    ):
        monkeypatch.setattr(unidentified_connection, "HEADER_SECONDS", 0.05)
        monkeypatch.setattr(unidentified_connection, "HOLD_SECONDS", 0.2)
        session = begin_tls(1, ends=PROXIED)
        place = (await session.connector.passive(False, None))._replace(host="127.0.0.1")
        with client(place) as silent:
            assert await is_closed(silent)
        waiting = start(session.connector.take().connection())
        peer = await deferToThread(session.shake, client(place), session.end.session)
        assert await received(reactor, waiting, peer, b"own")

    @ensureDeferred
    async def test_a_client_on_the_balancers_host_is_served(
        self, reactor, port, begin, monkeypatch
    ):
        monkeypatch.setattr(unidentified_connection, "HEADER_SECONDS", 0.05)
        proxied, direct = begin(1, ends=PROXIED), begin(2)
        await proxied.passive(False, None)
        place = await direct.passive(True, None)
        with client(place) as peer:
            connection = await direct.take().connection()
            await connection.write(b"data")
            assert await deferToThread(peer.recv, 10) == b"data"
            await gone(reactor, connection)


class TestPort:
    @ensureDeferred
    async def test_it_is_open_at_both_families(self, reactor):
        number = free_port()
        async with nothing_left():
            port = open_shared_port(reactor, DataSettings(passive_port=number))
            assert port.port == number
            for host in ("127.0.0.1", "::1"):
                with plain_socket(host) as peer:
                    peer.connect((host, number))
                    assert await is_closed(peer)
            port.close()
            port.close()

    def test_a_taken_port_is_an_error(self, reactor):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            with pytest.raises(CannotOpenSharedPort) as caught:
                open_shared_port(reactor, DataSettings(passive_port=number))
        assert (caught.value.port, caught.value.socketError.errno) == (number, errno.EADDRINUSE)

    @ensureDeferred
    async def test_a_port_taken_at_ipv6_is_an_error_and_leaves_nothing_open(self, reactor):
        number = free_port()
        with socket.create_server(("::1", number), family=socket.AF_INET6):
            async with nothing_left():
                with pytest.raises(CannotOpenSharedPort):
                    open_shared_port(reactor, DataSettings(passive_port=number))

    def test_without_ipv6_it_listens_at_ipv4(self, reactor, monkeypatch):
        def listening(interface, *facts):
            if interface == "::":
                raise OSError(errno.EAFNOSUPPORT, "no IPv6")
            return own

        own = socket.create_server(("127.0.0.1", 0))
        monkeypatch.setattr(shared_port_sockets, "listening_socket", listening)
        port = open_shared_port(reactor, DataSettings(passive_port=50000))
        assert port.port == own.getsockname()[1]
        port.close()

    def test_without_the_setting_there_is_none(self, reactor):
        assert open_shared_port(reactor, DataSettings()) is None

    @ensureDeferred
    async def test_without_descriptors_connections_wait(self, reactor, port, begin, monkeypatch):
        session = begin(1)
        place = await session.passive(True, None)
        waiting = start(session.take().connection())
        real, tried = socket.socket._accept, []

        def accept(own):
            if not tried:
                tried.append(own)
                raise OSError(errno.EMFILE, "Too many open files")
            return real(own)

        monkeypatch.setattr(socket.socket, "_accept", accept)
        assert await received(reactor, waiting, client(place), b"later")
        assert tried

    @ensureDeferred
    async def test_closing_ends_the_wait_for_a_turn(self, reactor, port, begin):
        one, other = begin(1), begin(2)
        await one.passive(True, None)
        asked = start(other.passive(True, None))
        port.close()
        with pytest.raises(NoPortFree):
            await asked
