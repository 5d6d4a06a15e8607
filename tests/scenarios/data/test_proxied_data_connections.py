"""Data connections that come through a load balancer, with a header of the PROXY protocol."""

import contextlib
import socket
from ipaddress import ip_address, ip_network

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from ftpservice.data import proxied_connection, unidentified_connection
from ftpservice.data.connector import ControlAddresses
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.shared_port import SharedPassivePort
from ftpservice.wire.addresses import HostPort
from ftpservice.wire.proxy_header import MAX_HEADER_SIZE, V2_SIGNATURE
from tests.scenarios.data.test_data_connections import client, connector, gone
from tests.scenarios.data.test_shared_port import is_closed
from tests.scenarios.data.test_tls_data_connections import Session
from tests.support.loopback import until
from tests.support.memory_transport import start
from tests.support.open_resources import nothing_left
from tests.support.tls_endpoints import server_tls

CLIENT, SERVER = "192.0.2.1", "192.0.2.9"
BALANCER = "127.0.0.1"
PROXIED = ControlAddresses(CLIENT, SERVER, True, BALANCER)
BALANCERS = (ip_network("127.0.0.1"), ip_network("::1"))
STRANGER = "127.0.0.2"


def version_1(host: str = CLIENT) -> bytes:
    return b"PROXY TCP4 %s %s 40000 50000\r\n" % (host.encode(), SERVER.encode())


def version_2(host: str = CLIENT, command: int = 1, more: bytes = b"") -> bytes:
    address = ip_address(host)
    family = 0x11 if address.version == 4 else 0x21
    facts = 2 * address.packed + bytes(4) + more
    return V2_SIGNATURE + bytes((0x20 | command, family)) + len(facts).to_bytes(2) + facts


WRONG = {
    "of-another-client": version_2("192.0.2.7"),
    "local": version_2(command=0),
    "unknown": b"PROXY UNKNOWN\r\n",
    "cut-short": V2_SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
    "oversized": version_2(more=bytes(MAX_HEADER_SIZE)),
    "endless-line": b"PROXY TCP4 " + b"1" * 200,
    "nonsense": b"\x00" * 20,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "data": b"some bytes of a file",
}


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return server_tls(tmp_path_factory.mktemp("papers"))


@pytest.fixture(params=["own-port", "shared-port"])
def shared(request, reactor):
    """The shared port, or None: each session has a port of its own."""
    with contextlib.ExitStack() as stack:
        if request.param == "own-port":
            yield None
            return
        own = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        own.setblocking(False)
        is_balancer = DataSettings(passive_proxied=BALANCERS).is_balancer
        port = SharedPassivePort(reactor, [own], is_balancer)
        port.start_accepting()
        stack.callback(port.close)
        yield port


@pytest.fixture
def begin(reactor, shared):
    """Start a session: ``begin(ends, ...settings)``."""
    with contextlib.ExitStack() as stack:
        numbers = iter(range(1, 100))

        def made(ends=PROXIED, **settings):
            one = connector(reactor, ends, **{"passive_proxied": BALANCERS, **settings})
            one.shared_port, one.session, one.user = shared, next(numbers), "ann"
            stack.callback(one.close)
            return one

        yield made


async def at_balancer(session) -> HostPort:
    """Let a session wait; return where its balancer connects to."""
    return (await session.passive(False, None))._replace(host=BALANCER)


async def has_content(reactor, waiting, peer: socket.socket, content: bytes) -> bool:
    """Return whether the service reads exactly that, and end the connection."""
    connection = await waiting
    await deferToThread(peer.shutdown, socket.SHUT_WR)
    read = b""
    while piece := await connection.read():
        read += piece
    await gone(reactor, connection)
    return read == content


class TestHeaders:
    @pytest.mark.parametrize("header", [version_1(), version_2(), version_2(more=bytes(1000))])
    @pytest.mark.parametrize("early", [True, False])
    @ensureDeferred
    async def test_the_client_is_the_one_of_the_header(self, reactor, begin, header, early):
        session = begin()
        place = await at_balancer(session)
        waiting = None if early else start(session.take().connection())
        with client(place) as peer:
            peer.sendall(header + b"file")
            waiting = waiting or session.take().connection()
            assert await has_content(reactor, waiting, peer, b"file")

    @pytest.mark.parametrize("header", [version_1(), version_2()])
    @ensureDeferred
    async def test_a_header_in_pieces(self, reactor, begin, header):
        session = begin()
        place = await at_balancer(session)
        waiting = start(session.take().connection())
        with client(place) as peer:
            for index in range(len(header)):
                peer.sendall(header[index : index + 1])
                if index % 5 == 0:
                    await until(reactor, lambda: True)
            peer.sendall(b"file")
            assert await has_content(reactor, waiting, peer, b"file")

    @ensureDeferred
    async def test_an_address_of_ipv4_written_as_ipv6(self, reactor, begin):
        session = begin()
        place = await at_balancer(session)
        waiting = start(session.take().connection())
        with client(place) as peer:
            peer.sendall(version_2(f"::ffff:{CLIENT}") + b"file")
            assert await has_content(reactor, waiting, peer, b"file")

    @ensureDeferred
    async def test_a_client_of_ipv6_behind_a_balancer_that_uses_ipv4(self, reactor, begin):
        session = begin(ControlAddresses("2001:db8::1", "2001:db8::9", True, BALANCER))
        place = (await session.passive(True, None))._replace(host=BALANCER)
        waiting = start(session.take().connection())
        with client(place) as peer:
            peer.sendall(version_2("2001:db8::1") + b"file")
            assert await has_content(reactor, waiting, peer, b"file")

    @pytest.mark.parametrize("sent", WRONG.values(), ids=WRONG)
    @ensureDeferred
    async def test_any_other_connection_is_closed_and_the_next_one_served(
        self, reactor, begin, sent
    ):
        session = begin()
        place = await at_balancer(session)
        waiting = start(session.take().connection())
        with client(place) as wrong:
            wrong.sendall(sent)
            assert await is_closed(wrong)
        with client(place) as peer:
            peer.sendall(version_2() + b"file")
            assert await has_content(reactor, waiting, peer, b"file")

    @pytest.mark.parametrize("sent", [b"", version_2()[:20], version_1()[:-1]])
    @ensureDeferred
    async def test_an_incomplete_header_is_waited_for_in_bounded_time(
        self, reactor, begin, sent, monkeypatch
    ):
        monkeypatch.setattr(proxied_connection, "HEADER_SECONDS", 0.1)
        monkeypatch.setattr(unidentified_connection, "HOLD_SECONDS", 0.1)
        session = begin()
        place = await at_balancer(session)
        waiting = start(session.take().connection())
        with client(place) as silent:
            silent.sendall(sent)
            assert await is_closed(silent)
        with client(place) as peer:
            peer.sendall(version_2() + b"file")
            assert await has_content(reactor, waiting, peer, b"file")

    @ensureDeferred
    async def test_a_header_of_a_host_that_is_no_balancer_is_no_header(self, reactor, begin):
        """Its connection is refused by its address, as every stranger's is."""
        session = begin()
        place = await at_balancer(session)
        waiting = start(session.take().connection())
        with client(place, STRANGER) as stranger:
            stranger.sendall(version_2())
            assert await is_closed(stranger)
        with client(place) as peer:
            peer.sendall(version_2() + b"file")
            assert await has_content(reactor, waiting, peer, b"file")

    @ensureDeferred
    async def test_clients_connect_to_the_service_directly_too(self, reactor, begin):
        session = begin(ControlAddresses(STRANGER, BALANCER))
        place = await session.passive(False, None)
        waiting = start(session.take().connection())
        with client(place, STRANGER) as peer:
            await deferToThread(peer.sendall, b"file")
            assert await has_content(reactor, waiting, peer, b"file")

    @ensureDeferred
    async def test_many_clients_of_one_balancer_connect_before_their_headers_arrive(
        self, reactor, begin
    ):
        hosts = [f"192.0.2.{number}" for number in range(100, 120)]
        sessions = [begin(ControlAddresses(host, SERVER, True, BALANCER)) for host in hosts]
        places = [await at_balancer(session) for session in sessions]
        waiting = [start(session.take().connection()) for session in sessions]
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(client(place)) for place in places]
            await until(reactor, lambda: True)
            for host, peer in zip(hosts, peers, strict=True):
                peer.sendall(version_2(host) + host.encode())
            for host, peer, connection in zip(hosts, peers, waiting, strict=True):
                assert await has_content(reactor, connection, peer, host.encode())


class TestEnd:
    @ensureDeferred
    async def test_connections_without_a_header_are_closed_with_the_session(self, reactor):
        async with nothing_left():
            session = connector(reactor, PROXIED, passive_proxied=BALANCERS)
            place = await at_balancer(session)
            with client(place) as silent:
                channel = session.take()
                assert not channel.connected
                channel.close()
                assert await is_closed(silent)

    @ensureDeferred
    async def test_only_some_connections_wait_for_their_header(self, reactor):
        session = connector(reactor, PROXIED, passive_proxied=BALANCERS)
        place = await at_balancer(session)
        channel = session.take()
        with contextlib.ExitStack() as stack:
            for _ in range(proxied_connection.MAX_PROXIED):
                stack.enter_context(client(place))
            last = stack.enter_context(client(place))
            assert not channel.connected
            assert await is_closed(last)
        with client(place) as peer:
            await until(reactor, lambda: not channel.connected)
            peer.sendall(version_2() + b"file")
            assert await has_content(reactor, channel.connection(), peer, b"file")

    @ensureDeferred
    async def test_a_late_client_is_closed_in_order(self, reactor):
        """The kernel would send an RST, and the client might lose the reply to its command."""
        session = connector(reactor, PROXIED, passive_proxied=BALANCERS)
        place = await at_balancer(session)
        with client(place) as peer:
            peer.sendall(version_2())
            session.close()
            assert await deferToThread(peer.recv, 1) == b""


@pytest.mark.parametrize("is_early", [True, False])
@ensureDeferred
async def test_tls_begins_after_the_header(reactor, tls, shared, is_early):
    session = Session(reactor, tls, ends=PROXIED, passive_proxied=BALANCERS)
    session.connector.shared_port, session.connector.session = shared, 1
    with contextlib.closing(session):
        place = await at_balancer(session.connector)
        waiting = None if is_early else start(session.connector.take().connection())
        plain = client(place)
        plain.sendall(version_2())
        shaken = deferToThread(session.shake, plain, session.end.session)
        waiting = waiting or start(session.connector.take().connection())
        peer = await shaken
        connection = await waiting
        await deferToThread(peer.sendall, b"secret")
        assert await connection.read() == b"secret"
        await gone(reactor, connection)
        peer.close()


def test_only_networks_are_balancers():
    with pytest.raises(TypeError, match="passive_proxied"):
        DataSettings(passive_proxied=("127.0.0.1",))
    settings = DataSettings(passive_proxied=BALANCERS)
    assert settings.is_balancer("127.0.0.1")
    assert settings.is_balancer("::ffff:127.0.0.1")
    assert not settings.is_balancer("127.0.0.2")
    assert not DataSettings().is_balancer("127.0.0.1")
