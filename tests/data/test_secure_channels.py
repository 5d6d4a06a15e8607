"""Data connections under TLS over real sockets: when TLS begins, whose they are, how they fail."""

from __future__ import annotations

import contextlib
import socket
import ssl
from functools import partial

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError
from twisted.internet.threads import deferToThread

from ftpservice.data.channel import CannotConnect
from ftpservice.data.connector import DataConnector
from ftpservice.data.cover import Cover
from ftpservice.data.door import Door
from ftpservice.tls.transport import TLSTransport
from tests.data.test_channels import LOCAL, LOCAL6, client, connector, gone, listener
from tests.flow.loopback import descriptors, send_rst, until
from tests.flow.memory import is_pending, start
from tests.tls.parties import BOTH, TLS13, client_context, pair, server_tls, shake

versions = pytest.mark.parametrize("version", BOTH.values(), ids=BOTH)


class Session:
    """A session under TLS whose data is under TLS too, and its client."""

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
        self.cover: Cover | None = Cover(tls.contexts, control.session.id)
        self.connector: DataConnector = connector(reactor, ends, **settings)
        self.connector.cover = lambda: self.cover
        self.ends = ours, theirs, control, self.end

    def shake(self, plain: socket.socket, session=None) -> ssl.SSLSocket:
        """Shake hands as the client; blocks."""
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
    """Begin a session: ``begin(version=..., ends=..., ...settings)``."""
    with contextlib.ExitStack() as stack:

        def made(**facts) -> Session:
            return stack.enter_context(contextlib.closing(Session(reactor, tls, **facts)))

        yield made


def listens(reactor) -> bool:
    """Tell whether somebody is watched for at a door."""
    return any(isinstance(reader, Door) for reader in reactor.getReaders())


async def ended(peer: socket.socket) -> bool:
    """Tell whether a peer gets a FIN, whatever comes before it."""
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
    async def test_a_handshake_may_come_before_the_command(self, reactor, begin, version, ends):
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
    async def test_a_client_that_was_early_once_is_not_kept_waiting_again(self, reactor, begin):
        session = begin()
        with (
            client(await session.connector.passive(True)) as plain,
            await deferToThread(session.shake, plain),
        ):
            first = session.connector.take()
            assert not listens(reactor)
            await until(reactor, lambda: first.connected)
            await gone(reactor, await first.connection())
        await session.connector.passive(True)
        assert listens(reactor)

    @ensureDeferred
    async def test_one_that_waits_for_its_command_is_let_in_by_that(self, reactor, begin):
        session = begin()
        for _ in range(2):
            with client(await session.connector.passive(True)) as plain:
                assert not listens(reactor)
                waiting = start(session.connector.take().connection())
                with await deferToThread(session.shake, plain):
                    await gone(reactor, await waiting)

    @versions
    @ensureDeferred
    async def test_or_behind_it(self, reactor, begin, version):
        session = begin(version=version)
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            waiting = start(channel.connection())
            await until(reactor, lambda: channel._arrival is None)  # it came, and is waited for
            assert is_pending(waiting)
            with await deferToThread(session.shake, plain):
                await gone(reactor, await waiting)

    @ensureDeferred
    async def test_who_does_not_shake_hands_is_not_waited_for_for_ever(self, begin):
        session = begin(handshake_timeout=0.05)
        with client(await session.connector.passive(True)) as plain:
            with pytest.raises(CannotConnect, match=r"no TLS in 0\.05 seconds"):
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
    async def test_garbage_is_told(self, begin, said, reason):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            plain.sendall(said)
            with pytest.raises(CannotConnect) as caught:
                await session.connector.take().connection()
            assert caught.value.reason == reason
            assert await ended(plain)

    @ensureDeferred
    async def test_who_breaks_the_handshake_too(self, begin):
        session = begin()
        place = await session.connector.passive(True)
        waiting = start(session.connector.take().connection())
        send_rst(client(place))
        with pytest.raises(CannotConnect, match="no TLS: the connection ended before"):
            await waiting

    @ensureDeferred
    async def test_a_failure_before_the_command_is_told_behind_it(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            plain.sendall(b"in clear\r\n")
            await until(reactor, lambda: not channel.connected and channel._arrival is not None)
            assert await ended(plain)
            with pytest.raises(CannotConnect, match="not TLS"):
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
    async def test_cancelling_in_the_middle_of_one_too(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            waiting = start(channel.connection())
            await until(reactor, lambda: channel._arrival is None)
            waiting.cancel()
            with pytest.raises(CancelledError):
                await waiting
            assert await ended(plain)

    @ensureDeferred
    async def test_a_client_that_nobody_asks_for_gets_an_end_of_tls(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            with await deferToThread(session.shake, plain) as peer:
                await until(reactor, lambda: channel.connected)
                channel.close()
                peer.settimeout(20)
                assert await deferToThread(peer.recv, 1) == b""

    @ensureDeferred
    async def test_strangers_never_shake_hands(self, reactor, begin):
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
    async def test_nothing_is_left_behind(self, reactor, begin):
        session = begin(handshake_timeout=0.01)
        before = descriptors()
        for _ in range(10):
            place = await session.connector.passive(True)
            with client(place), pytest.raises(CannotConnect):
                await session.connector.take().connection()
        await until(reactor, lambda: descriptors() <= before)


class TestWhose:
    @versions
    @ensureDeferred
    async def test_every_one_goes_on_with_the_same_session(self, reactor, begin, version):
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
    async def test_others_are_refused_where_it_is_required(self, begin, version):
        session, thief = (begin(version=version, require_session_reuse=True) for _ in range(2))
        thief.context = session.context  # Python's ssl keeps sessions to their contexts
        other = begin(version=version)
        other_shake = partial(other.shake, session=other.end.session)
        for shaken in (session.shake, other_shake):
            with client(await session.connector.passive(True)) as plain:
                waiting = start(session.connector.take().connection())
                peer = await deferToThread(shaken, plain)
            with peer:
                with pytest.raises(CannotConnect, match="not that of the control connection"):
                    await waiting
                assert await ended(peer)

    @versions
    @ensureDeferred
    async def test_a_thief_is_refused_before_the_command_too(self, reactor, begin, version):
        session = begin(version=version, require_session_reuse=True)
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector.take()
            assert not channel.connected  # it is let in
            with await deferToThread(session.shake, plain) as peer:
                assert await ended(peer)
                assert not channel.connected
                with pytest.raises(CannotConnect, match="not that of the control connection"):
                    await channel.connection()

    @ensureDeferred
    async def test_the_control_connections_number_says_it(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            waiting = start(session.connector.take().connection())
            with await deferToThread(session.shake, plain, session.end.session):
                connection = await waiting
                data = connection.transport
                assert isinstance(data, TLSTransport)
                assert session.cover.is_of(data)
                assert not Cover(session.cover.contexts, b"").is_of(data)
                assert not Cover(session.cover.contexts, b"other").is_of(data)
                assert Cover.of(data) is None  # made by nobody's AUTH
                await gone(reactor, connection)

    @ensureDeferred
    async def test_one_that_began_before_prot_changed_is_none(self, reactor, begin):
        session = begin()
        with client(await session.connector.passive(True)) as plain:
            channel = session.connector._prepared
            await until(reactor, lambda: channel.connected or channel._arrival is not None)
            session.cover = None
            assert session.connector.take() is None
            assert await ended(plain)


class TestActive:
    @pytest.mark.parametrize(
        ("ends", "host"), [(LOCAL, "127.0.0.1"), (LOCAL6, "::1")], ids=["ipv4", "ipv6"]
    )
    @versions
    @ensureDeferred
    async def test_we_are_the_server_of_what_we_connect(self, reactor, begin, version, ends, host):
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
    async def test_who_is_not_that_client_is_refused(self, begin):
        session = begin(require_session_reuse=True)
        with listener() as (server, place):
            session.connector.active(place)
            waiting = start(session.connector.take().connection())
            plain, _ = await deferToThread(server.accept)
            with await deferToThread(session.shake, plain) as peer:
                with pytest.raises(CannotConnect, match="not that of the control connection"):
                    await waiting
                assert await ended(peer)

    @ensureDeferred
    async def test_who_does_not_shake_hands_is_not_waited_for_for_ever(self, begin):
        session = begin(handshake_timeout=0.05)
        with listener() as (server, place):
            session.connector.active(place)
            waiting = start(session.connector.take().connection())
            plain, _ = await deferToThread(server.accept)
            with plain:
                with pytest.raises(CannotConnect, match=r"no TLS in 0\.05 seconds"):
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
