"""The shared passive port of another process: turns, connections passed on, what ends with it."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from ftpservice.data.data_tls import SessionReuseHabit
from ftpservice.data.shared_port import SharedPassivePort
from ftpservice.data.waiting_sessions import DataPeer
from ftpservice.stream.connection import StreamConnection
from ftpservice.workers.data_port_shares import DataPortShares
from ftpservice.workers.process.remote_shared_port import RemoteSharedPort
from ftpservice.workers.socket_passing import pass_socket, passing_pair
from tests.scenarios.data.test_data_connections import gone
from tests.support.loopback import send_rst, until
from tests.support.memory_transport import is_pending, outcome, start
from tests.support.open_resources import LoggedErrors, nothing_left

HOST = "127.0.0.1"
PATIENCE = 30


class Link:
    """A channel between both sides, in one process."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
        self.sent: deque[str] = deque()

    def send(self, name: str, *values: Any) -> None:
        self.sent.append(name)
        self.handlers[name](*values)


class Worker:
    """A worker's end of the port, and the main process's."""

    def __init__(self, port: SharedPassivePort) -> None:
        up, self.down = Link(), Link()
        own, end_of_worker = passing_pair()
        self.shares = DataPortShares(port, own, self.down.send)
        up.handlers = self.shares.handlers
        end: Any = up
        self.port = RemoteSharedPort(port.port, end, end_of_worker, port.reactor)
        self.down.handlers = {"data_turn": self.port.turn, "data_doubt": self.port.doubt}

    def close(self) -> None:
        self.port.close()
        self.shares.close()


class Times(Clock):
    """A clock with given times, one after the other."""

    def __init__(self, *times: float) -> None:
        super().__init__()
        self.times = list(times)

    def seconds(self) -> float:
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]


def is_reset(own: socket.socket) -> bool:
    try:
        own.getpeername()
    except OSError:
        return True
    return False


@pytest.fixture
def port(reactor):
    own = socket.create_server((HOST, 0))
    own.setblocking(False)
    shared = SharedPassivePort(reactor, [own])
    shared.start_accepting()
    with contextlib.closing(shared):
        yield shared


@pytest.fixture
def workers(port):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Worker(port))) for _ in range(2)]


def accepting(listener, connection: StreamConnection) -> list[str]:
    """Accept one connection at a listener; returns the addresses of those that have come."""
    taken: list[str] = []

    def accept_peer(host):
        taken.append(host)
        listener.close_now()
        return connection

    listener.accept_peer = accept_peer
    return taken


def peer(session: int, user: str = "ann", tls_session: bytes = b"") -> DataPeer:
    return DataPeer(session, user, HOST, tls_session=tls_session)


@ensureDeferred
async def test_a_connection_is_passed_to_the_worker_that_waits(reactor, port, workers):
    listener = await workers[1].port.open_listener(peer(1), None, 0)
    assert listener.port == port.port
    connection = StreamConnection(reactor, 60)
    taken = accepting(listener, connection)
    with socket.create_connection((HOST, port.port)):
        await until(reactor, lambda: taken)
        await gone(reactor, connection)
    assert taken == [HOST]
    assert not port.waiting.of(HOST)
    assert port.waiting.enter(listener)


@ensureDeferred
async def test_sessions_of_two_workers_take_turns(reactor, port, workers):
    first = await workers[0].port.open_listener(peer(1), None, 0)
    assert await workers[1].port.open_listener(peer(2), None, 0) is None
    asked = start(workers[1].port.open_listener(peer(2), None, 30))
    assert is_pending(asked)
    first._has_accepted = True
    first.close_now()
    assert outcome(asked).is_open


@ensureDeferred
async def test_a_cancelled_turn_is_given_up(reactor, port, workers):
    first = await workers[0].port.open_listener(peer(1), None, 0)
    asked = start(workers[1].port.open_listener(peer(2), None, 30))
    asked.cancel()
    with pytest.raises(CancelledError):
        await asked
    first.close()
    assert not port.waiting.of(HOST)


@ensureDeferred
async def test_what_a_worker_held_ends_with_it(reactor, port, workers):
    async with nothing_left():
        first = await workers[0].port.open_listener(peer(1), None, 0)
        asked = start(workers[0].port.open_listener(peer(2), None, 30))
        workers[0].port.lose_touch(peer(3))
        workers[0].shares.close()
        assert not port.waiting.of(HOST)
        assert not port.waiting._addresses[HOST].turns
        assert not port.waiting._addresses[HOST].unheard
        asked.cancel()
        first.close()
        with contextlib.suppress(CancelledError):
            await asked


@ensureDeferred
async def test_a_session_that_was_lost_touch_with_is_heard_from(port, workers):
    workers[0].port.lose_touch(peer(1))
    assert port.waiting._addresses[HOST].unheard == {1: "ann"}
    workers[0].port.hear_from(peer(1))
    assert not port.waiting._addresses[HOST].unheard


@ensureDeferred
async def test_doubts_reach_the_worker(port, workers):
    habit = SessionReuseHabit()
    habit.resumed_in_a_row = 2
    await workers[0].port.open_listener(peer(1, tls_session=b"1"), habit, 0)
    (share,) = port.waiting.of(HOST)
    share.doubt()
    assert not habit.is_reliable
    workers[0].port.doubt(99)


@ensureDeferred
async def test_a_connection_for_nobody_is_closed(reactor, workers):
    ours, theirs = socket.socketpair()
    with theirs:
        assert pass_socket(workers[0].shares.end, 99, ours)
        workers[0].port.accept_pending()
        assert theirs.recv(1) == b""


def test_a_connection_for_a_process_that_is_gone_is_closed():
    end, other = passing_pair()
    ours, theirs = socket.socketpair()
    other.close()
    with end, theirs:
        assert not pass_socket(end, 1, ours)
        assert theirs.recv(1) == b""


@ensureDeferred
async def test_a_connection_that_was_reset_on_its_way_ends_no_other(reactor, port, workers):
    listener = await workers[0].port.open_listener(peer(1), None, 0)
    connection = StreamConnection(reactor, 60)
    taken = accepting(listener, connection)
    with socket.create_server((HOST, 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        send_rst(client)
        await until(reactor, lambda: is_reset(accepted))
        assert pass_socket(workers[0].shares.end, 1, accepted)
    with socket.create_connection((HOST, port.port)):
        await until(reactor, lambda: taken)
        await gone(reactor, connection)


@ensureDeferred
async def test_a_session_that_fails_to_take_its_connection_ends_no_other(reactor, port, workers):
    listener = await workers[0].port.open_listener(peer(1), None, 0)
    hosts = []

    def accept_peer(host):
        hosts.append(host)
        raise RuntimeError("this session has no memory")

    listener.accept_peer = accept_peer
    with LoggedErrors() as errors:
        for count in (1, 2):
            with socket.create_connection((HOST, port.port), timeout=PATIENCE) as client:
                await until(reactor, lambda count=count: len(hosts) == count)
                assert client.recv(1) == b""
    assert len(errors.lines) == 2
    listener.close_now()


@ensureDeferred
async def test_a_turn_that_comes_at_once_is_left_again(port, workers):
    """The time of a late connection ends between two looks at the clock."""
    first = await workers[0].port.open_listener(peer(1, tls_session=b"1"), None, 0)
    first.close_now()
    late = port.waiting._addresses[HOST].late_until
    port.waiting._clock = Times(late - 0.1, late)
    asked = start(workers[1].port.open_listener(peer(2), None, 30))
    port.waiting._clock = port.reactor
    listener = outcome(asked)
    assert listener.is_open
    listener.close_now()
    assert not port.waiting.of(HOST)


@ensureDeferred
async def test_nobody_waits_for_a_turn_when_the_port_is_closed(port, workers):
    first = await workers[0].port.open_listener(peer(1), None, 0)
    asked = start(workers[1].port.open_listener(peer(2), None, 30))
    assert is_pending(asked)
    workers[1].port.close()
    assert outcome(asked) is None
    assert not port.waiting._addresses[HOST].turns
    assert await workers[1].port.open_listener(peer(3), None, 30) is None
    first.close_now()


def test_a_connection_that_ended_while_others_were_given_away_is_left_alone(port, monkeypatch):
    class Held:
        host = key = HOST
        requires_header = False

    first, second = Held(), Held()
    port._held[HOST] = [first, second]
    seen = []

    def identify(connection):
        seen.append(connection)
        port._held.clear()

    monkeypatch.setattr(port, "_identify", identify)
    port._changed(HOST, False)
    assert seen == [first]
