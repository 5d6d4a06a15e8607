"""`PassiveChannel`, `ActiveChannel` and `DataConnector` over real sockets."""

import contextlib
import socket

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectBindError
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from benchmarks.ports import free_port
from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.connector import (
    FIRST_DELAY_SECONDS,
    MAX_DELAY_SECONDS,
    ControlAddresses,
    DataConnector,
    PeerRefused,
    WrongFamily,
)
from ftpservice.data.masquerade import MasqueradeAddresses
from ftpservice.data.passive_ports import NoPortFree, PassivePorts
from ftpservice.data.peer_policy import DataSettings, parse_address_rule
from ftpservice.wire.addresses import HostPort
from tests.support.loopback import plain_socket, until
from tests.support.memory_transport import is_pending, outcome, start
from tests.support.open_resources import nothing_left

LOCAL = ControlAddresses("127.0.0.1", "127.0.0.1")
LOCAL6 = ControlAddresses("::1", "::1")


def connector(reactor, ends=LOCAL, **settings) -> DataConnector:
    data = DataSettings(**settings)
    masquerade = MasqueradeAddresses(reactor, data.passive_addresses)
    return DataConnector(reactor, data, PassivePorts(data), masquerade, ends)


def client(place: HostPort, source: str | None = None) -> socket.socket:
    """Connect to a passive port."""
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(plain_socket(place.host))
        if source is not None:
            peer.bind((source, 0))
        peer.connect((place.host, place.port))
        stack.pop_all()
    return peer


@contextlib.contextmanager
def listener(host="127.0.0.1"):
    """Listen as a client does for PORT."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        server.settimeout(20)
        yield server, HostPort(host, server.getsockname()[1])


async def gone(reactor, connection) -> None:
    connection.abort()
    await until(reactor, lambda: connection.lost)


def refuses(place: HostPort) -> bool:
    try:
        client(place).close()
    except ConnectionRefusedError:
        return True
    return False


async def assert_cancelled(waiting):
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting


class TestPassive:
    @ensureDeferred
    async def test_a_client_that_connects_after_the_command_is_waited_for(self, reactor):
        session = connector(reactor)
        place = await session.passive(False, None)
        assert place.host == "127.0.0.1"
        channel = session.take()
        waiting = start(channel.connection())
        assert not channel.connected
        with client(place) as peer:
            connection = await waiting
            peer.sendall(b"hello")
            assert await connection.read() == b"hello"
            assert connection.transport.getPeer().host == "127.0.0.1"
            await gone(reactor, connection)

    @ensureDeferred
    async def test_a_client_that_connects_before_the_command_waits_unread(self, reactor):
        session = connector(reactor)
        place = await session.passive(True, None)
        channel = session.take()
        with client(place) as peer:
            peer.sendall(b"early")
            peer.shutdown(socket.SHUT_WR)
            await until(reactor, lambda: channel.connected)
            connection = await channel.connection()
            assert connection.moved == 0
            assert await connection.read() == b"early"
            assert await connection.read() == b""
            await gone(reactor, connection)

    @ensureDeferred
    async def test_other_addresses_are_closed_at_once(self, reactor):
        session = connector(reactor)
        place = await session.passive(False, None)
        channel = session.take()
        waiting = start(channel.connection())
        for _ in range(3):
            with client(place, "127.0.0.2") as stranger:
                assert await deferToThread(stranger.recv, 1) == b""
        assert not channel.connected
        with client(place) as peer:
            connection = await waiting
            peer.sendall(b"me")
            assert await connection.read() == b"me"
            await gone(reactor, connection)

    @ensureDeferred
    async def test_other_addresses_before_client_and_command(self, reactor):
        session = connector(reactor)
        place = await session.passive(False, None)
        channel = session.take()
        with contextlib.ExitStack() as all_of_them:
            strangers = [all_of_them.enter_context(client(place, "127.0.0.2")) for _ in range(9)]
            peer = all_of_them.enter_context(client(place))
            assert channel.connected
            for stranger in strangers:
                assert await deferToThread(stranger.recv, 1) == b""
            connection = await channel.connection()
            peer.sendall(b"me")
            assert await connection.read() == b"me"
            await gone(reactor, connection)

    @ensureDeferred
    async def test_listening_stops_when_the_client_is_connected(self, reactor):
        session = connector(reactor)
        place = await session.passive(False, None)
        channel = session.take()
        with client(place):
            await until(reactor, lambda: channel.connected)
            assert refuses(place)
            channel.close()

    @ensureDeferred
    async def test_a_second_connection_of_the_client_is_closed(self, reactor):
        session = connector(reactor)
        place = await session.passive(False, None)
        channel = session.take()
        with client(place), client(place) as second:
            await until(reactor, lambda: channel.connected)
            with contextlib.suppress(ConnectionResetError):
                assert await deferToThread(second.recv, 1) == b""
            channel.close()

    @ensureDeferred
    async def test_no_connection_in_time(self, reactor):
        session = connector(reactor, data_timeout=0.05)
        place = await session.passive(False, None)
        with pytest.raises(CannotOpenDataConnection, match=r"0\.05 seconds"):
            await session.take().connection()
        session.close()
        assert refuses(place)

    @ensureDeferred
    async def test_closing_ends_the_wait(self, reactor):
        session = connector(reactor)
        await session.passive(False, None)
        channel = session.take()
        waiting = start(channel.connection())
        channel.close()
        channel.close()
        with pytest.raises(CannotOpenDataConnection, match="closed"):
            await waiting
        with pytest.raises(CannotOpenDataConnection, match="closed"):
            await channel.connection()

    @ensureDeferred
    async def test_an_unused_connection_gets_a_fin(self, reactor):
        session = connector(reactor)
        place = await session.passive(False, None)
        with client(place) as peer:
            peer.sendall(b"unread")
            await until(reactor, lambda: session._prepared.connected)
            session.close()
            assert await deferToThread(peer.recv, 1) == b""

    @ensureDeferred
    async def test_a_connection_not_yet_accepted_gets_a_fin(self, reactor):
        session = connector(reactor)
        place = await session.passive(False, None)
        with client(place) as peer:
            session.close()
            assert await deferToThread(peer.recv, 1) == b""

    @ensureDeferred
    async def test_cancelling_closes_the_port(self, reactor):
        async with nothing_left():
            for _ in range(20):
                session = connector(reactor)
                await session.passive(False, None)
                await assert_cancelled(start(session.take().connection()))
                session.close()

    @ensureDeferred
    async def test_ipv6(self, reactor):
        session = connector(reactor, LOCAL6)
        assert session.family == 2
        for family in (None, 2):
            place = await session.passive(True, family)
            with client(HostPort("::1", place.port)):
                connection = await session.take().connection()
                assert connection.transport.getPeer().host == "::1"
                await gone(reactor, connection)

    @ensureDeferred
    async def test_ipv4_mapped_into_ipv6_is_ipv4(self, reactor):
        session = connector(reactor, ControlAddresses("::ffff:127.0.0.1", "::ffff:127.0.0.1"))
        assert session.family == 1
        place = await session.passive(False, None)
        assert place.host == "127.0.0.1"
        with client(place):
            await gone(reactor, await session.take().connection())

    @ensureDeferred
    async def test_the_family_is_the_control_connections(self, reactor):
        for ends, extended, family in [
            (LOCAL6, False, None),
            (LOCAL6, True, 1),
            (LOCAL, True, 2),
        ]:
            with pytest.raises(WrongFamily):
                await connector(reactor, ends).passive(extended, family)

    @ensureDeferred
    async def test_a_new_port_replaces_the_former(self, reactor):
        session = connector(reactor)
        former = await session.passive(False, None)
        while await session.passive(False, None) == former:
            pass  # by chance
        assert refuses(former)
        session.close()

    @ensureDeferred
    async def test_a_channel_is_taken_once(self, reactor):
        session = connector(reactor)
        assert session.take() is None
        await session.passive(False, None)
        session.take().close()
        assert session.take() is None
        session.close()

    @ensureDeferred
    async def test_a_port_is_released_early(self, reactor):
        """With a range of one port, a session can repeat PASV."""
        with listener() as (_, free):
            pass
        session = connector(reactor, passive_ports=(free.port, free.port))
        for _ in range(3):
            assert (await session.passive(False, None)).port == free.port
        channel = session.take()
        with pytest.raises(NoPortFree):
            await session.passive(False, None)
        channel.close()
        assert (await session.passive(False, None)).port == free.port
        session.close()

    @ensureDeferred
    async def test_no_free_port_is_an_error(self, reactor):
        with listener() as (_, taken):
            session = connector(reactor, passive_ports=(taken.port, taken.port))
            with pytest.raises(NoPortFree):
                await session.passive(False, None)

    @ensureDeferred
    async def test_an_unused_port_is_given_to_another_session(self, reactor):
        port = free_port()
        data = DataSettings(passive_ports=(port, port))
        ports, masquerade = PassivePorts(data), MasqueradeAddresses(reactor, ())
        first, second, third = (
            DataConnector(reactor, data, ports, masquerade, LOCAL) for _ in range(3)
        )
        await first.passive(True)
        place = await second.passive(True)
        assert place.port == port
        assert "before another session needed it" in first.take().problem
        with client(place):
            channel = second._prepared
            await until(reactor, lambda: channel.connected)
            assert (await third.passive(True)).port == port
            connection = await second.take().connection()
            await gone(reactor, connection)
        third.close()

    @ensureDeferred
    async def test_a_port_with_a_waiting_transfer_is_kept(self, reactor):
        port = free_port()
        data = DataSettings(passive_ports=(port, port))
        ports, masquerade = PassivePorts(data), MasqueradeAddresses(reactor, ())
        first, second = (DataConnector(reactor, data, ports, masquerade, LOCAL) for _ in range(2))
        place = await first.passive(True)
        waiting = start(first.take().connection())
        with pytest.raises(NoPortFree):
            await second.passive(True)
        with client(place):
            await gone(reactor, await waiting)

    @ensureDeferred
    async def test_an_unused_port_times_out(self, reactor):
        session = connector(reactor, data_timeout=0.05)
        place = await session.passive(True)
        await until(reactor, lambda: session._prepared.problem)
        assert refuses(place)
        assert session.take().problem == "no connection to the passive port in time"

    @ensureDeferred
    async def test_a_connected_client_does_not_time_out(self, reactor):
        session = connector(reactor, data_timeout=0.05)
        with client(await session.passive(True)):
            await until(reactor, lambda: session._idle_ports._call is None)
            await gone(reactor, await session.take().connection())

    @ensureDeferred
    async def test_listening_on_a_foreign_address_fails(self, reactor):
        session = connector(reactor, ControlAddresses("127.0.0.1", "192.0.2.1"))
        with pytest.raises(CannotOpenDataConnection) as caught:
            await session.passive(False, None)
        assert not isinstance(caught.value, NoPortFree)

    @ensureDeferred
    async def test_behind_a_proxy_it_listens_everywhere(self, reactor):
        session = connector(reactor, ControlAddresses("127.0.0.1", "192.0.2.1", proxied=True))
        place = await session.passive(False, None)
        assert place.host == "192.0.2.1"
        with client(HostPort("127.0.0.1", place.port)):
            await gone(reactor, await session.take().connection())

    @ensureDeferred
    async def test_link_local_addresses_need_no_scope(self, reactor):
        session = connector(reactor, ControlAddresses("::1", "fe80::1"))
        place = await session.passive(True, None)
        with client(HostPort("::1", place.port)):
            await gone(reactor, await session.take().connection())

    @ensureDeferred
    async def test_the_announced_address_depends_on_the_client(self, reactor):
        rules = (parse_address_rule("127.0.0.0/8=203.0.113.5"),)
        session = connector(reactor, passive_addresses=rules)
        assert (await session.passive(False, None)).host == "203.0.113.5"
        session.close()

    @ensureDeferred
    async def test_a_unix_socket_client_is_local(self, reactor):
        session = connector(reactor, ControlAddresses(None, ""))
        place = await session.passive(False, None)
        assert place.host == "127.0.0.1"
        with client(place):
            await gone(reactor, await session.take().connection())

    def test_replies_are_delayed_for_a_client_that_slept(self):
        reactor = MemoryReactorClock()
        session = connector(reactor)
        outcome(start(session.passive(True, None)))
        for breath in (
            FIRST_DELAY_SECONDS,
            2 * FIRST_DELAY_SECONDS,
            4 * FIRST_DELAY_SECONDS,
            MAX_DELAY_SECONDS,
            MAX_DELAY_SECONDS,
        ):
            reactor.advance(1.001)
            session.take().close()
            waiting = start(session.passive(True, None))
            reactor.advance(breath * 0.9)
            assert is_pending(waiting)
            reactor.advance(breath * 0.2)
            assert outcome(waiting).port
        session.close()

    @pytest.mark.parametrize("seconds", [0, 0.5, 1.3, 60])
    def test_other_clients_are_answered_at_once(self, seconds):
        reactor = MemoryReactorClock()
        session = connector(reactor)
        outcome(start(session.passive(True, None)))
        reactor.advance(seconds)
        session.take().close()
        assert outcome(start(session.passive(True, None))).port
        session.close()


class TestActive:
    def test_the_wildcard_address_of_ipv6_is_the_client(self):
        reactor = MemoryReactorClock()
        session = connector(reactor, LOCAL6)
        session.active(HostPort("::", 2000))
        start(session.take().connection())
        assert reactor.tcpClients.pop()[:2] == ("::1", 2000)
        with pytest.raises(PeerRefused):
            connector(reactor).active(HostPort("0.0.0.0", 2000))

    @ensureDeferred
    async def test_active_connections_use_the_control_address(self, reactor):
        session = connector(reactor, ControlAddresses("127.0.0.1", "127.0.0.3"))
        with listener() as (server, place):
            session.active(place)
            channel = session.take()
            assert not channel.connected
            connection = await channel.connection()
            peer, address = server.accept()
            with peer:
                assert address[0] == "127.0.0.3"
                peer.sendall(b"hello")
                assert await connection.read() == b"hello"
                channel.close()
                assert not connection.lost
                await gone(reactor, connection)

    @ensureDeferred
    async def test_behind_a_proxy_it_connects_from_any_address(self, reactor):
        session = connector(reactor, ControlAddresses("127.0.0.1", "192.0.2.1", proxied=True))
        with listener() as (_, place):
            session.active(place)
            await gone(reactor, await session.take().connection())

    @ensureDeferred
    async def test_ipv6(self, reactor):
        session = connector(reactor, LOCAL6)
        with listener("::1") as (_, place):
            session.active(place)
            await gone(reactor, await session.take().connection())

    @ensureDeferred
    async def test_a_refused_connection_is_reported(self, reactor):
        session = connector(reactor)
        with listener() as (_, place):
            pass
        session.active(place)
        with pytest.raises(CannotOpenDataConnection) as caught:
            await session.take().connection()
        assert caught.value.reason == "refused"

    def test_another_connection_error_is_reported(self):
        reactor = MemoryReactorClock()
        session = connector(reactor)
        session.active(HostPort("127.0.0.1", 2000))
        waiting = start(session.take().connection())
        host, port, factory, timeout, local = reactor.tcpClients[0]
        assert (host, port, timeout, local) == ("127.0.0.1", 2000, 30.0, ("127.0.0.1", 0))
        factory.clientConnectionFailed(None, Failure(ConnectBindError(99, "not ours")))
        with pytest.raises(CannotOpenDataConnection, match="not ours"):
            outcome(waiting)

    def test_connecting_without_timeout(self):
        reactor = MemoryReactorClock()
        session = connector(reactor, data_timeout=0)
        session.active(HostPort("127.0.0.1", 2000))
        waiting = start(session.take().connection())
        assert reactor.tcpClients[0][3] is None
        waiting.addErrback(lambda _: None).cancel()

    @ensureDeferred
    async def test_connecting_times_out(self, reactor):
        with full_listener() as place:
            session = connector(reactor, data_timeout=0.1)
            session.active(place)
            with pytest.raises(CannotOpenDataConnection, match="no answer"):
                await session.take().connection()

    @ensureDeferred
    async def test_closing_ends_the_attempt(self, reactor):
        with full_listener() as place:
            session = connector(reactor)
            session.active(place)
            channel = session.take()
            waiting = start(channel.connection())
            await deferLater(reactor, 0.01)
            channel.close()
            with pytest.raises(CannotOpenDataConnection, match="closed"):
                await waiting
            with pytest.raises(CannotOpenDataConnection, match="closed"):
                await channel.connection()

    @ensureDeferred
    async def test_cancelling_leaves_no_resources(self, reactor):
        with full_listener() as place:
            async with nothing_left():
                for seconds in (0, 0.005) * 5:
                    session = connector(reactor)
                    session.active(place)
                    waiting = start(session.take().connection())
                    await deferLater(reactor, seconds)
                    assert is_pending(waiting)
                    await assert_cancelled(waiting)

    @pytest.mark.parametrize(
        ("target", "error"),
        [
            (HostPort("127.0.0.2", 2000), PeerRefused),
            (HostPort("127.0.0.1", 1023), PeerRefused),
            (HostPort("::1", 2000), WrongFamily),
        ],
    )
    def test_active_connections_to_others_are_refused(self, reactor, target, error):
        session = connector(reactor)
        with pytest.raises(error):
            session.active(target)
        assert session.take() is None

    def test_a_refused_target_keeps_the_previous_one(self, reactor):
        session = connector(reactor)
        session.active(HostPort("127.0.0.1", 2000))
        with pytest.raises(PeerRefused):
            session.active(HostPort("127.0.0.2", 2000))
        assert session.take() is not None


@contextlib.contextmanager
def full_listener():
    """Return an address that does not answer: its accept queue is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        place = HostPort("127.0.0.1", server.getsockname()[1])
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((place.host, place.port))
        yield place
