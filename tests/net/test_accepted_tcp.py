"""A connection that was accepted: what is there already is received without the reactor."""

from __future__ import annotations

import errno
import os
import select
import socket

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.tcp import Port
from twisted.internet.testing import StringTransport

from ftpservice.net.accepted_tcp import (
    BACKLOG,
    MAX_ACCEPTS,
    PAUSE_SECONDS,
    YIELD_SECONDS,
    AcceptedControlTransport,
    AcceptedTransport,
    AcceptLoop,
    set_accepted_transport,
)
from ftpservice.net.descriptor_reserve import DescriptorReserve
from ftpservice.stream.connection import StreamConnection, TransferAborted
from tests.support.loopback import PATIENCE, send_rst, until
from tests.support.memory_transport import is_pending, outcome, start
from tests.support.open_resources import LoggedErrors


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


PEER = ("192.0.2.7", 1234)
EXHAUSTED = OSError(errno.EMFILE, "Too many open files")
ENDED = OSError(errno.ECONNABORTED, "Software caused connection abort")


class ScriptedSocket(socket.socket):
    """A listening socket whose `accept` does what a list says; then nothing waits."""

    def __init__(self):
        super().__init__()
        self.script = []
        self.clients = []

    def connect_later(self):
        """Have the next `accept` return a connection."""
        client, own = socket.socketpair()
        client.settimeout(PATIENCE)
        self.clients.append(client)
        self.script.append(own.detach())

    def _accept(self):
        if not self.script:
            raise BlockingIOError
        step = self.script.pop(0)
        if isinstance(step, OSError):
            raise step
        return step, PEER


class FakePort:
    """What an `AcceptLoop` needs of a port."""

    connected, disconnecting = True, False
    backlog = 10

    def __init__(self):
        self.socket = ScriptedSocket()
        self.reactor = Clock()
        self.factory = self
        self.sessionno = 0
        self.watched = True
        self.begun = []
        self.aborted = 0

    def stopReading(self):
        self.watched = False

    def startReading(self):
        self.watched = True

    def _buildAddr(self, peer):
        return peer

    def buildProtocol(self, peer):
        assert peer == PEER
        return self

    def transport(self, accepted, protocol, peer, port, number, reactor):
        self.begun.append((number, accepted))
        return self

    def makeConnection(self, transport):
        pass

    def abortConnection(self):
        self.aborted += 1


@pytest.fixture
def port():
    port = FakePort()
    yield port
    for end in (*port.socket.clients, *(accepted for _, accepted in port.begun)):
        end.close()
    port.socket.close()


@pytest.fixture
def reserve():
    reserve = DescriptorReserve()
    yield reserve
    reserve.release()


@pytest.fixture
def loop(port, reserve):
    loop = AcceptLoop(port, reserve, lambda peer, error: f"{peer[0]}: {error.strerror}".encode())
    assert port.doRead == loop.accept
    return loop


def test_connections_are_accepted_and_numbered(loop, port):
    for _ in range(5):
        port.socket.connect_later()
    while port.socket.script:
        loop.accept()
    assert [number for number, _ in port.begun] == [0, 1, 2, 3, 4]


def test_a_burst_does_not_keep_the_reactor_for_long(loop, port):
    port.socket.script = [ENDED] * 10 * MAX_ACCEPTS
    turns = []
    while port.socket.script:
        before = len(port.socket.script)
        loop.accept()
        turns.append(before - len(port.socket.script))
    assert max(turns) == MAX_ACCEPTS
    assert port.watched


def test_connections_that_have_ended_are_skipped(loop, port):
    port.socket.script = [ENDED] * 3
    port.socket.connect_later()
    while port.socket.script:
        loop.accept()
    assert len(port.begun) == 1
    assert port.watched


def test_without_a_descriptor_all_that_wait_are_answered_and_closed(loop, port, reserve):
    port.socket.script = [EXHAUSTED]
    for _ in range(3):
        port.socket.connect_later()
    loop.accept()
    assert not port.begun
    assert [client.recv(100) for client in port.socket.clients] == [
        b"192.0.2.7: Too many open files"
    ] * 3
    assert [client.recv(1) for client in port.socket.clients] == [b""] * 3
    assert port.watched and not port.reactor.getDelayedCalls()
    assert reserve.release()


def test_without_a_descriptor_connections_may_be_left_to_others(loop, port, reserve):
    asked = []
    loop.leaves_exhausted = lambda error: not asked.append(error.errno)
    port.socket.script = [EXHAUSTED]
    port.socket.connect_later()
    loop.accept()
    assert asked == [errno.EMFILE]
    assert len(port.socket.script) == 1, "it is not accepted"
    assert not port.watched
    port.reactor.advance(PAUSE_SECONDS)
    assert port.watched
    loop.accept()
    assert len(port.begun) == 1


def test_a_connection_near_the_limit_is_told(loop, port):
    told = []
    loop.near_limit = lambda: told.append(len(port.begun))
    for _ in range(2):
        port.socket.connect_later()
    loop.last_descriptor = port.socket.script[0]
    loop.accept()
    assert told == []
    loop.last_descriptor = port.socket.script[0] - 1
    loop.accept()
    assert told == [1]
    assert len(port.begun) == 2


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINVAL]
)
def test_where_that_fails_too_the_port_is_not_watched_for_a_moment(loop, port, number):
    error = OSError(number, os.strerror(number))
    port.socket.script = [error, error]
    loop.accept()
    assert not port.watched
    port.reactor.advance(PAUSE_SECONDS)
    assert port.watched
    port.socket.connect_later()
    loop.accept()
    assert len(port.begun) == 1


def test_without_a_reserve_the_port_is_not_watched_until_there_is_one(
    loop, port, reserve, monkeypatch
):
    reserve.release()
    monkeypatch.setattr(reserve, "hold", lambda: False)
    port.socket.script = [EXHAUSTED]
    loop.accept()
    assert not port.watched
    monkeypatch.undo()
    port.reactor.advance(PAUSE_SECONDS)
    assert port.watched
    assert reserve.release()


def test_a_port_that_was_closed_meanwhile_is_not_watched(loop, port):
    port.socket.script = [EXHAUSTED, EXHAUSTED]
    loop.accept()
    port.disconnecting = True
    port.reactor.advance(PAUSE_SECONDS)
    assert not port.watched


def test_a_loop_that_was_stopped_has_no_timer(loop, port):
    port.socket.script = [EXHAUSTED, EXHAUSTED]
    loop.accept()
    loop.stop()
    loop.stop()
    assert not port.reactor.getDelayedCalls()


@pytest.mark.parametrize("step", ["buildProtocol", "transport", "makeConnection"])
def test_an_error_ends_only_its_own_connection(loop, port, monkeypatch, step):
    def fail(*_words):
        raise LookupError("no such session")

    monkeypatch.setattr(port, step, fail)
    port.socket.connect_later()
    with LoggedErrors() as logged:
        loop.accept()
    assert len(logged.lines) == 1 and "no such session" in logged.lines[0]
    if step == "makeConnection":
        assert port.aborted == 1
    else:
        assert port.socket.clients[0].recv(1) == b""
    monkeypatch.undo()
    port.socket.connect_later()
    loop.accept()
    assert len(port.begun) == (2 if step == "makeConnection" else 1)


def test_a_factory_may_refuse_a_connection(loop, port, monkeypatch):
    monkeypatch.setattr(port, "buildProtocol", lambda peer: None)
    port.socket.connect_later()
    loop.accept()
    assert port.socket.clients[0].recv(1) == b""
    assert not port.begun


def test_a_peer_that_is_refused_early_gets_no_session(loop, port):
    loop.answer_early = {PEER: b"not now"}.get
    for refuses in (True, False):
        loop.refuses_early = refuses
        port.socket.connect_later()
        loop.accept()
    assert port.socket.clients[0].recv(100) == b"not now"
    assert port.socket.clients[0].recv(1) == b""
    assert len(port.begun) == 1


@pytest.mark.parametrize(("given", "places"), [(Port.backlog, BACKLOG), (10, 10)])
def test_a_port_has_places_for_a_burst_unless_a_number_was_given(reactor, reserve, given, places):
    found = []

    class Listening(socket.socket):
        def listen(self, backlog):
            found.append(backlog)

    port = Port(0, Factory(), given, reactor=reactor)
    with Listening() as port.socket:
        port.socket.listen(given)
        AcceptLoop(port, reserve, lambda peer, error: b"")
    assert found[-1] == places


class OtherProcess:
    """The other process that accepts on the socket; three sessions more are too many."""

    sessions = 0
    is_alone = False

    def __init__(self, port):
        self.port = port

    def gets_it(self, has_left):
        return self.is_alone or (not has_left and len(self.port.begun) - self.sessions >= 3)


@pytest.fixture
def other(loop, port):
    other = OtherProcess(port)
    loop.share(other.gets_it)
    for _ in range(8):
        port.socket.connect_later()
    port.doRead()
    return other


def test_of_those_that_wait_this_process_takes_its_share_at_once(other, port):
    assert len(port.begun) == 3
    assert port.watched
    other.sessions = 4
    port.doRead()
    assert len(port.begun) == 7
    port.socket.script.clear()
    other.sessions = 9
    port.doRead()
    assert (len(port.begun), port.watched) == (7, True)


def test_what_others_do_not_accept_either_is_accepted_one_by_one(other, port):
    for count in (4, 5):
        port.doRead()
        assert not port.watched
        port.reactor.advance(YIELD_SECONDS)
        assert port.watched
        port.doRead()
        assert len(port.begun) == count


def test_what_only_others_can_serve_waits_for_them(other, port):
    other.is_alone = True
    for _ in range(5):
        port.doRead()
        assert (len(port.begun), port.watched) == (3, False)
        port.reactor.advance(YIELD_SECONDS)
    other.is_alone = False
    port.doRead()
    assert len(port.begun) == 4


def test_when_sessions_end_here_connections_are_accepted_again_at_once(loop, other, port):
    port.doRead()
    loop.look_again()
    assert not port.watched
    other.sessions = 1  # as if one had ended here
    loop.look_again()
    assert port.watched and not port.reactor.getDelayedCalls()
    port.doRead()
    assert len(port.begun) == 4


def test_a_port_that_has_nothing_to_refuse_with_is_not_watched_earlier(loop, other, port):
    other.sessions = 8
    port.socket.script = [EXHAUSTED, EXHAUSTED]
    port.doRead()
    assert not port.watched
    loop.look_again()
    assert not port.watched
    port.reactor.advance(PAUSE_SECONDS)
    assert port.watched
