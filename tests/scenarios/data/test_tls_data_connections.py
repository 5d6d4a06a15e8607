"""Data connections with TLS over real sockets: handshakes, session reuse, failures."""

from __future__ import annotations

import contextlib
import socket
import ssl
from functools import partial

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError
from twisted.internet.threads import deferToThread

from ftpservice.data import tls_candidates
from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.connector import DataConnector
from ftpservice.data.data_tls import DataTLSContext
from ftpservice.data.listener import DataListener
from ftpservice.net.tls import handshake
from ftpservice.net.tls.transport import TLSTransport
from tests.scenarios.data.test_data_connections import (
    LOCAL,
    LOCAL6,
    client,
    connector,
    gone,
    listener,
    refuses,
)
from tests.support.loopback import descriptors, send_rst, until
from tests.support.memory_transport import is_pending, start
from tests.support.tls_endpoints import BOTH, TLS13, client_context, pair, server_tls, shake

versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


class Session:
    """A session with TLS and PROT P, and its client."""

    def __init__(self, reactor, tls, version=TLS13, ends=LOCAL, **settings) -> None:
        self.context = client_context(version)
        ours, theirs = pair()
        control = tls.wrap(ours, data=False)
        self.end = self.context.wrap_socket(
            theirs, do_handshake_on_connect=False, server_hostname="x"
        )
        shake(self.end, control)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.end.recv(1)  # the ticket
        self.data_tls: DataTLSContext | None = DataTLSContext(
            tls.contexts, lambda: control.session.id
        )
        self.connector: DataConnector = connector(reactor, ends, **settings)
        self.connector.protection = self
        self.ends = ours, theirs, control, self.end

    @property
    def data(self) -> bool:
        return self.data_tls is not None

    def next_data_tls(self) -> DataTLSContext | None:
        return self.data_tls

    def shake(self, plain: socket.socket, session=None) -> ssl.SSLSocket:
        """Do the handshake as the client; blocks."""
        return self.context.wrap_socket(
            plain, session=session, suppress_ragged_eofs=False, server_hostname="x"
        )

    def close(self) -> None:
        self.connector.close()
        for end in self.ends:
            end.close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return server_tls(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def begin(reactor, tls):
    """Start a session: ``begin(version=..., ends=..., ...settings)``."""
    with contextlib.ExitStack() as stack:

        def made(**facts) -> Session:
            return stack.enter_context(contextlib.closing(Session(reactor, tls, **facts)))

        yield made


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    """Shorten the time in which a failed connection waits for another one."""
    monkeypatch.setattr(tls_candidates, "RETRY_GRACE_SECONDS", 0.05)
    monkeypatch.setattr(handshake, "FIRST_BYTES_SECONDS", 0.05)


def listens(reactor) -> bool:
    """Return whether a listener is watched."""
    return any(isinstance(reader, DataListener) for reader in reactor.getReaders())


async def ended(peer: socket.socket) -> bool:
    """Return whether a peer gets a FIN, possibly after data."""
    peer.settimeout(20)

    def read() -> bool:
        while socket.socket.recv(peer, 4096):
            pass
        return True

    return await deferToThread(read)


class TestPassive:
    @pytest.mark.parametrize("ends", [LOCAL, LOCAL6], ids=["ipv4", "ipv6"])
    @versions
    @ensureDeferred
    async def test_a_handshake_before_the_command(self, reactor, begin, version, ends):
        session = begin(version=version, ends=ends)
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            assert not channel.connected
            with await deferToThread(session.shake, plain, session.end.session) as peer:
                await until(reactor, lambda: channel.connected)
                connection = await channel.connection()
                assert peer.session_reused
                peer.sendall(b"hello")
                assert await connection.read() == b"hello"
                await gone(reactor, connection)

    @ensureDeferred
    async def test_an_early_client_is_remembered(self, reactor, begin):
        session = begin()
        with (
            client(await session.connector.passive(True)) as plain,
            await deferToThread(session.shake, plain),
        ):
            first = session.connector.take()
            await until(reactor, lambda: first.connected)
            assert not listens(reactor)
            await gone(reactor, await first.connection())
        await session.connector.passive(True)
        assert listens(reactor)

    @ensureDeferred
    async def test_the_command_accepts_a_waiting_connection(self, reactor, begin):
        session = begin()
        for _ in range(2):
            with client(await session.connector.passive(True)) as plain:
                assert not listens(reactor)
                waiting = start(session.connector.take().connection())
                with await deferToThread(session.shake, plain):
                    await gone(reactor, await waiting)

    @versions
    @ensureDeferred
    async def test_a_handshake_after_the_command(self, reactor, begin, version):
        session = begin(version=version)
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            waiting = start(channel.connection())
            await until(reactor, lambda: channel._candidates is not None)
            assert is_pending(waiting)
            with await deferToThread(session.shake, plain):
                await gone(reactor, await waiting)

    @ensureDeferred
    async def test_a_silent_client_times_out(self, begin):
        session = begin(handshake_timeout=0.05)
        with client(await session.connector.passive(True)) as plain:
            with pytest.raises(CannotOpenDataConnection, match=r"no TLS in 0\.05 seconds"):
                await session.connector.take().connection()
            assert await ended(plain)

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            (b"in clear\r\n", "no TLS: that was not TLS"),
            (b"GET / HTTP/1.0\r\n\r\n", "no TLS: that was HTTP"),
        ],
        ids=["ftp", "http"],
    )
    @ensureDeferred
    async def test_garbage_is_reported(self, begin, said, reason):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            plain.sendall(said)
            with pytest.raises(CannotOpenDataConnection) as caught:
                await session.connector.take().connection()
            assert caught.value.reason == reason
            assert await ended(plain)

    @ensureDeferred
    async def test_a_reset_handshake_is_reported(self, begin):
        session = begin()
        place = await session.connector.passive(True)
        waiting = start(session.connector.take().connection())
        send_rst(client(place))
        with pytest.raises(CannotOpenDataConnection, match="no TLS: the connection ended before"):
            await waiting

    @ensureDeferred
    async def test_a_failure_before_the_command_is_reported_after_it(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            plain.sendall(b"in clear\r\n")
            await until(reactor, lambda: not channel.connected and channel._candidates is not None)
            assert await ended(plain)
            with pytest.raises(CannotOpenDataConnection, match="not TLS"):
                await channel.connection()

    @ensureDeferred
    async def test_cancelling_ends_a_handshake(self, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            waiting = start(session.connector.take().connection())
            waiting.cancel()
            with pytest.raises(CancelledError):
                await waiting
            assert await ended(plain)

    @ensureDeferred
    async def test_cancelling_during_a_handshake(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            waiting = start(channel.connection())
            await until(reactor, lambda: channel._candidates is not None)
            waiting.cancel()
            with pytest.raises(CancelledError):
                await waiting
            assert await ended(plain)

    @ensureDeferred
    async def test_an_unused_connection_gets_close_notify(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            with await deferToThread(session.shake, plain) as peer:
                await until(reactor, lambda: channel.connected)
                channel.close()
                peer.settimeout(20)
                assert await deferToThread(peer.recv, 1) == b""

    @ensureDeferred
    async def test_other_addresses_are_refused_before_the_handshake(self, reactor, begin):
        session = begin()
        place = await session.connector.passive(True)
        channel = session.connector.take()
        with client(place, "127.0.0.2") as stranger:
            assert await ended(stranger)
        with (
            client(place) as plain,
            await deferToThread(session.shake, plain),
        ):
            await gone(reactor, await channel.connection())

    @ensureDeferred
    async def test_no_resources_are_left(self, reactor, begin):
        session = begin(handshake_timeout=0.01)
        before = descriptors()
        for _ in range(10):
            place = await session.connector.passive(True)
            with client(place), pytest.raises(CannotOpenDataConnection):
                await session.connector.take().connection()
        await until(reactor, lambda: descriptors() <= before)


class TestWhose:
    @versions
    @ensureDeferred
    async def test_every_data_connection_resumes_the_same_session(self, reactor, begin, version):
        session = begin(version=version, require_session_reuse=True)
        again = session.end.session
        for _ in range(12):
            with client(await session.connector.passive(True)) as plain:
                waiting = start(session.connector.take().connection())
                with await deferToThread(session.shake, plain, again) as peer:
                    connection = await waiting
                    assert peer.session_reused
                    await gone(reactor, connection)

    @versions
    @ensureDeferred
    async def test_other_sessions_are_refused_if_reuse_is_required(self, begin, version):
        session, thief = (begin(version=version, require_session_reuse=True) for _ in range(2))
        thief.context = session.context  # Python's ssl keeps sessions to their contexts
        other = begin(version=version)
        other_shake = partial(other.shake, session=other.end.session)
        for shaken in (session.shake, other_shake):
            with client(await session.connector.passive(True)) as plain:
                waiting = start(session.connector.take().connection())
                peer = await deferToThread(shaken, plain)
            with peer:
                with pytest.raises(
                    CannotOpenDataConnection, match="not that of the control connection"
                ):
                    await waiting
                assert await ended(peer)

    @versions
    @ensureDeferred
    async def test_another_session_is_refused_before_the_command(self, reactor, begin, version):
        session = begin(version=version, require_session_reuse=True)
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            assert not channel.connected  # it is let in
            with await deferToThread(session.shake, plain) as peer:
                assert await ended(peer)
                assert not channel.connected
                with pytest.raises(
                    CannotOpenDataConnection, match="not that of the control connection"
                ):
                    await channel.connection()

    @ensureDeferred
    async def test_the_session_id_of_the_control_connection_counts(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            waiting = start(session.connector.take().connection())
            with await deferToThread(session.shake, plain, session.end.session):
                connection = await waiting
                data = connection.transport
                assert isinstance(data, TLSTransport)
                contexts = session.data_tls.contexts
                for proven in (False, True):
                    assert session.data_tls.is_of(data, proven=proven)
                    assert not DataTLSContext(contexts, bytes).is_of(data, proven=proven)
                    other = DataTLSContext(contexts, lambda: b"other")
                    assert not other.is_of(data, proven=proven)
                assert DataTLSContext.of(data) is None  # made by nobody's AUTH
                await gone(reactor, connection)

    @ensureDeferred
    @pytest.mark.parametrize("requires_reuse", [False, True])
    async def test_the_session_is_read_only_where_a_hello_is_no_proof(
        self, reactor, begin, requires_reuse
    ):
        """Python may never free what it reads: 1 KiB for each data connection."""
        session = begin(require_session_reuse=requires_reuse)
        with client(await session.connector.passive(True)) as plain:
            waiting = start(session.connector.take().connection())
            with await deferToThread(session.shake, plain, session.end.session):
                connection = await waiting
                assert session.data_tls.session_reuse.resumes is True
                assert ("session_id" in vars(connection.transport)) is requires_reuse
                await gone(reactor, connection)

    @ensureDeferred
    async def test_a_client_that_resumes_nothing_has_no_session_read(self, reactor, begin):
        session, read = begin(), []
        session.data_tls = DataTLSContext(session.data_tls.contexts, lambda: read.append(1) or b"")
        with client(await session.connector.passive(True)) as plain:
            waiting = start(session.connector.take().connection())
            with await deferToThread(session.shake, plain):
                await gone(reactor, await waiting)
        assert read == []

    @ensureDeferred
    async def test_a_connection_from_before_prot_is_refused(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector._prepared
            await until(reactor, lambda: channel.connected or channel._candidates is not None)
            session.data_tls = None
            assert session.connector.take() is None
            assert await ended(plain)


def silent(place):
    """Connect without starting a handshake."""
    return client(place)


def garbage(place):
    """Connect and send garbage."""
    plain = client(place)
    plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return plain


def half(place):
    """Connect and send the beginning of a ClientHello."""
    plain = client(place)
    plain.sendall(b"\x16\x03\x01\x02\x00\x01")
    return plain


def gone_again(place):
    """Connect and close."""
    plain = client(place)
    plain.close()
    return plain


def broken(place):
    """Connect and send an RST."""
    plain = client(place)
    send_rst(plain)
    return plain


SCANNERS = {one.__name__: one for one in (silent, garbage, half, gone_again, broken)}
scanners = pytest.mark.parametrize("scanner", SCANNERS.values(), ids=SCANNERS)


class TestStrangersAtTheSameAddress:
    """Other clients connect to the port first; the transfer still belongs to its owner."""

    @scanners
    @ensureDeferred
    async def test_others_before_the_command_do_not_use_up_the_port(self, reactor, begin, scanner):
        session = begin()
        place = await session.connector.passive(True)
        with scanner(place):
            channel = session.connector.take()
            await until(reactor, lambda: channel._candidates is not None)
            with client(place) as plain:
                waiting = start(channel.connection())
                with await deferToThread(session.shake, plain, session.end.session):
                    await gone(reactor, await waiting)

    @scanners
    @ensureDeferred
    async def test_others_after_the_command_do_not_use_up_the_port(
        self, reactor, begin, scanner, monkeypatch
    ):
        monkeypatch.setattr(tls_candidates, "RETRY_GRACE_SECONDS", 20)
        session = begin()
        place = await session.connector.passive(True)
        channel = session.connector.take()
        waiting = start(channel.connection())
        with scanner(place):
            await until(reactor, lambda: channel._candidates is not None)
            with (
                client(place) as plain,
                await deferToThread(session.shake, plain, session.end.session),
            ):
                await gone(reactor, await waiting)

    @ensureDeferred
    async def test_several_silent_connections(self, reactor, begin):
        session = begin()
        place = await session.connector.passive(True)
        with contextlib.ExitStack() as stack:
            for _ in range(tls_candidates.MAX_CANDIDATES - 1):
                stack.enter_context(silent(place))
            waiting = start(session.connector.take().connection())
            plain = stack.enter_context(client(place))
            with await deferToThread(session.shake, plain, session.end.session):
                await gone(reactor, await waiting)

    @ensureDeferred
    async def test_more_connections_wait_for_a_free_slot(self, reactor, begin):
        session = begin(handshake_timeout=0.3)
        place = await session.connector.passive(True)
        with contextlib.ExitStack() as stack:
            for _ in range(tls_candidates.MAX_CANDIDATES):
                stack.enter_context(silent(place))
            channel = session.connector.take()
            waiting = start(channel.connection())
            await until(reactor, lambda: channel._candidates.is_full)
            plain = stack.enter_context(client(place))
            with await deferToThread(session.shake, plain, session.end.session):
                await gone(reactor, await waiting)

    @versions
    @ensureDeferred
    async def test_a_resumed_session_is_preferred(self, reactor, begin, version):
        session = begin(version=version)
        place = await session.connector.passive(True)
        channel = session.connector.take()
        with (
            client(place) as other,
            await deferToThread(session.shake, other) as thief,
            client(place) as plain,
        ):
            waiting = start(channel.connection())
            with await deferToThread(session.shake, plain, session.end.session) as owner:
                connection = await waiting
                assert connection.transport.session_reused
                owner.sendall(b"mine")
                assert await connection.read() == b"mine"
                assert await ended(thief)
                await gone(reactor, connection)

    @ensureDeferred
    async def test_a_connection_without_resumption_is_accepted_later(
        self, reactor, begin, monkeypatch
    ):
        monkeypatch.setattr(tls_candidates, "RESUMPTION_GRACE_SECONDS", 0.05)
        session = begin()
        place = await session.connector.passive(True)
        waiting = start(session.connector.take().connection())
        with silent(place) as other, client(place) as plain:
            with await deferToThread(session.shake, plain) as owner:
                connection = await waiting
                owner.sendall(b"mine")
                assert await connection.read() == b"mine"
                await gone(reactor, connection)
            assert await ended(other)

    @ensureDeferred
    async def test_a_client_that_never_resumes_is_accepted_at_once(
        self, reactor, begin, monkeypatch
    ):
        monkeypatch.setattr(tls_candidates, "RESUMPTION_GRACE_SECONDS", 600)
        session = begin()
        for scanner in (None, silent):
            place = await session.connector.passive(True)
            waiting = start(session.connector.take().connection())
            with contextlib.ExitStack() as stack:
                if scanner is not None:
                    stack.enter_context(scanner(place))
                plain = stack.enter_context(client(place))
                with await deferToThread(session.shake, plain):
                    await gone(reactor, await waiting)
        assert session.data_tls.session_reuse.resumes is False

    @ensureDeferred
    async def test_a_flood_of_connections_times_out(self, reactor, begin):
        session = begin(handshake_timeout=0.2, data_timeout=0.1)
        place = await session.connector.passive(True)
        waiting = start(session.connector.take().connection())
        with silent(place):
            with pytest.raises(CannotOpenDataConnection, match="no TLS in"):
                await waiting
            assert refuses(place)


class TestRefused:
    """A transfer that is refused ends its data connection without an RST (RFC 959 §4.2: 550)."""

    @versions
    @pytest.mark.parametrize("let_in", [True, False], ids=["let in", "in the backlog"])
    @ensureDeferred
    async def test_a_handshake_is_ended_in_order(self, reactor, begin, version, let_in):
        session = begin(version=version)
        with client(await session.connector.passive(True)) as plain:
            if let_in:
                channel = session.connector._prepared
                channel.watch()
                await until(reactor, lambda: channel._candidates is not None)
            session.connector.close()
            peer = await deferToThread(session.shake, plain, session.end.session)
            assert peer.session_reused
            assert await deferToThread(peer.recv, 1) == b""  # an RST or a bare FIN would raise
            peer.unwrap().close()

    @ensureDeferred
    async def test_plaintext_received_before_is_read(self, reactor):
        session = connector(reactor)
        with client(await session.passive(True)) as plain:
            plain.sendall(b"an upload that is refused")
            session.close()
            plain.settimeout(20)
            assert await deferToThread(plain.recv, 1) == b""
            plain.sendall(b"more of it")
            plain.shutdown(socket.SHUT_WR)
            assert await deferToThread(plain.recv, 1) == b""


class TestActive:
    @pytest.mark.parametrize(
        ("ends", "host"), [(LOCAL, "127.0.0.1"), (LOCAL6, "::1")], ids=["ipv4", "ipv6"]
    )
    @versions
    @ensureDeferred
    async def test_the_service_is_the_tls_server_in_active_mode(
        self, reactor, begin, version, ends, host
    ):
        session = begin(version=version, ends=ends, require_session_reuse=True)
        with listener(host) as (server, place):
            session.connector.active(place)
            waiting = start(session.connector.take().connection())
            plain, _ = await deferToThread(server.accept)
            with await deferToThread(session.shake, plain, session.end.session) as peer:
                connection = await waiting
                await connection.write(b"hello")
                peer.settimeout(20)
                assert await deferToThread(peer.recv, 100) == b"hello"
                await gone(reactor, connection)

    @ensureDeferred
    async def test_another_client_is_refused(self, begin):
        session = begin(require_session_reuse=True)
        with listener() as (server, place):
            session.connector.active(place)
            waiting = start(session.connector.take().connection())
            plain, _ = await deferToThread(server.accept)
            with await deferToThread(session.shake, plain) as peer:
                with pytest.raises(
                    CannotOpenDataConnection, match="not that of the control connection"
                ):
                    await waiting
                assert await ended(peer)

    @ensureDeferred
    async def test_a_silent_client_times_out(self, begin):
        session = begin(handshake_timeout=0.05)
        with listener() as (server, place):
            session.connector.active(place)
            waiting = start(session.connector.take().connection())
            plain, _ = await deferToThread(server.accept)
            with plain:
                with pytest.raises(CannotOpenDataConnection, match=r"no TLS in 0\.05 seconds"):
                    await waiting
                assert await ended(plain)

    @ensureDeferred
    async def test_cancelling_ends_a_handshake(self, begin):
        session = begin()
        with listener() as (server, place):
            session.connector.active(place)
            waiting = start(session.connector.take().connection())
            plain, _ = await deferToThread(server.accept)
            with plain:
                waiting.cancel()
                with pytest.raises(CancelledError):
                    await waiting
                assert await ended(plain)
