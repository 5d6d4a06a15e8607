"""A connection that was accepted: what is there already is received without the reactor."""

from __future__ import annotations

import select
import socket

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport

from ftpservice.net.accepted_tcp import (
    AcceptedControlTransport,
    AcceptedTransport,
    set_accepted_transport,
)
from ftpservice.stream.connection import StreamConnection, TransferAborted
from tests.support.loopback import PATIENCE, send_rst, until
from tests.support.memory_transport import is_pending, outcome, start


class Ends:
    """Both ends of a connection."""

    def __init__(self, reactor) -> None:
        self.reactor = reactor
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.peer = socket.create_connection(listening.getsockname(), PATIENCE)
            self.own, place = listening.accept()
        self.data = StreamConnection(reactor, PATIENCE)
        self.transport = AcceptedTransport(self.own, self.data, place, reactor)
        self.data.makeConnection(self.transport)

    def arrives(self, what: int = select.POLLIN) -> None:
        """Wait until the kernel has what was sent, and the reactor does nothing."""
        poll = select.poll()
        poll.register(self.own, what)
        assert poll.poll(PATIENCE * 1000)

    @property
    def is_watched(self) -> bool:
        return self.transport in self.reactor.getReaders()


@pytest.fixture
def ends(reactor):
    ends = Ends(reactor)
    yield ends
    ends.peer.close()
    ends.data.abort()


def test_what_is_there_with_its_end_is_read_at_once(ends):
    ends.peer.sendall(b"little")
    ends.peer.shutdown(socket.SHUT_WR)
    ends.arrives(select.POLLRDHUP)
    assert outcome(start(ends.data.read())) == b"little"
    assert outcome(start(ends.data.read())) == b""
    assert not ends.is_watched


def test_an_end_alone_is_read_at_once(ends):
    ends.peer.shutdown(socket.SHUT_WR)
    ends.arrives(select.POLLRDHUP)
    assert outcome(start(ends.data.read())) == b""
    assert not ends.is_watched


@ensureDeferred
async def test_what_comes_behind_it_is_waited_for(ends):
    ends.peer.sendall(b"first")
    ends.arrives()
    assert outcome(start(ends.data.read())) == b"first"
    waiting = start(ends.data.read())
    assert is_pending(waiting)
    assert ends.is_watched
    ends.peer.sendall(b"second")
    assert await waiting == b"second"


@ensureDeferred
async def test_what_is_not_there_yet_is_waited_for(ends):
    waiting = start(ends.data.read())
    assert is_pending(waiting)
    ends.peer.sendall(b"late")
    ends.peer.close()
    assert await waiting == b"late"
    assert await ends.data.read() == b""


def test_an_rst_behind_what_is_there_is_a_cut(ends):
    ends.peer.sendall(b"half")
    send_rst(ends.peer)
    ends.arrives(select.POLLHUP)
    with pytest.raises(TransferAborted):
        while outcome(start(ends.data.read())):
            pass
    assert ends.data.lost


@ensureDeferred
async def test_much_comes_whole(ends):
    whole = bytes(range(256)) * 4096
    ends.peer.setblocking(False)
    sent = ends.peer.send(whole)
    ends.arrives()
    received = outcome(start(ends.data.read()))
    sending = start(_send(ends, whole[sent:]))
    while piece := await ends.data.read():
        received += piece
    await sending
    assert received == whole


async def _send(ends, rest: bytes) -> None:
    """Send what does not block, and the rest when there is room."""
    while rest:
        try:
            rest = rest[ends.peer.send(rest) :]
        except BlockingIOError:
            await until(ends.reactor, lambda: _has_room(ends.peer))
    ends.peer.shutdown(socket.SHUT_WR)


def _has_room(peer: socket.socket) -> bool:
    poll = select.poll()
    poll.register(peer, select.POLLOUT)
    return bool(poll.poll(0))


class Recorder(Protocol):
    """A session that records how its connection ends."""

    def __init__(self) -> None:
        self.lost: list[object] = []

    def connectionLost(self, reason=connectionDone) -> None:
        self.lost.append(reason.value)


@pytest.fixture
def control_port(reactor):
    factory = Factory.forProtocol(Recorder)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    set_accepted_transport(port)
    yield port
    port.stopListening()


def test_a_control_connection_has_the_options_of_its_port_and_knows_its_hosts(control_port):
    place = control_port.socket.getsockname()
    with socket.create_connection(place, PATIENCE) as peer:
        own, peer_place = control_port.socket.accept()
        session = Recorder()
        transport = control_port.transport(
            own, session, peer_place, control_port, 1, control_port.reactor
        )
        session.makeConnection(transport)
        assert isinstance(transport, AcceptedControlTransport)
        assert transport.hosts() == ("127.0.0.1", "127.0.0.1")
        assert transport.getPeer().port == peer.getsockname()[1]
        assert transport.getHost().port == place[1]
        for level, option in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.SOL_SOCKET, socket.SO_OOBINLINE),
        ):
            assert own.getsockopt(level, option)
        assert transport in control_port.reactor.getReaders()
        assert transport.close_after_peer()
        assert transport not in control_port.reactor.getReaders()
        assert len(session.lost) == 1


def test_ports_of_other_kinds_keep_their_transports():
    port = StringTransport()
    set_accepted_transport(port)
    assert not hasattr(port, "transport")
