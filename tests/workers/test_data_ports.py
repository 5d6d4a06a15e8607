"""The shared passive ports of a main process, and how the next program goes on with them."""

from __future__ import annotations

import contextlib
import marshal
import os
import socket
from dataclasses import astuple
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from ftpservice.data.shared_port import SharedPassivePort
from ftpservice.data.waiting_sessions import DataPeer
from ftpservice.workers.data_port_shares import DataPortShares
from ftpservice.workers.data_ports import DataPorts
from ftpservice.workers.handover import Handover
from ftpservice.workers.socket_passing import NUMBER
from tests.support.loopback import until
from tests.support.open_resources import nothing_left

HOST = "127.0.0.1"


class Program:
    """A main process; ``told`` are the messages to its workers."""

    def __init__(self, reactor: Any, handover: Handover | None = None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.ports = DataPorts(() if handover is None else handover.data_ports, reactor)
        handed = () if handover is None else handover.workers
        self.ports.take_over(handed)
        for worker in handed:
            shares = self.ports.shares_of(worker["column"])
            assert shares is not None
            shares.send = self.tell(worker["column"])
            shares.tell_turns()

    def tell(self, column: int) -> Any:
        return lambda *message: self.told.append((column, *message))

    def start_worker(self, column: int, port: SharedPassivePort) -> tuple[socket.socket, Any]:
        """Return what the worker receives connections with, and its shares."""
        shares = self.ports.share(column, port, self.tell(column))
        (inherited,) = self.ports.ends_for(column)
        end = socket.socket(fileno=os.dup(inherited))
        assert self.ports.started(column) == (port.port, inherited)
        return end, shares

    def handed_over(self, *columns: int) -> Handover:
        """Return what the next program reads, with descriptors of its own."""
        ports, workers = self.ports.hand_over([{"column": one, "channel": -1} for one in columns])
        handover = Handover(data_ports=ports, workers=workers)
        for worker in handover.workers:
            worker["data_port"]["end"] = os.dup(worker["data_port"]["end"])  # type: ignore[index]
        return Handover(**marshal.loads(marshal.dumps(handover.__dict__)))


@pytest.fixture
def first(reactor):
    """A program whose workers 1 and 2 share a port: itself, the port, ends and shares of both."""
    own = socket.create_server((HOST, 0))
    own.setblocking(False)
    port = SharedPassivePort(reactor, [own])
    program = Program(reactor)
    program.ports.start_accepting(port)
    port.start_accepting()
    with contextlib.ExitStack() as stack:
        found = [program.start_worker(column, port) for column in (1, 2)]
        for end, shares in found:
            stack.callback(shares.close)
            stack.enter_context(end)
        stack.callback(port.close)
        yield program, port, *found


def facts(session: int, user: str = "ann", tls_session: bytes = b"") -> tuple[Any, ...]:
    return astuple(DataPeer(session, user, HOST, tls_session=tls_session))


def wait(shares: DataPortShares, number: int, seconds: float, *about: Any) -> None:
    shares.handlers["data_wait"](number, seconds, *about)


def passed(end: socket.socket) -> tuple[int, socket.socket]:
    """Return who gets a connection, and the connection."""
    end.settimeout(10)
    content, (descriptor,), _flags, _address = socket.recv_fds(end, NUMBER.size, 1)
    number, family = NUMBER.unpack(content)
    return number, socket.socket(family, socket.SOCK_STREAM, 0, descriptor)


@contextlib.contextmanager
def next_program(reactor, handover: Handover):
    program = Program(reactor, handover)
    try:
        yield program
    finally:
        for worker in handover.workers:
            program.ports.worker_ended(worker["column"])
        program.ports.close()


@ensureDeferred
async def test_a_session_of_before_gets_its_connection_from_the_next_program(reactor, first):
    program, port, (end, shares), _other = first
    async with nothing_left():
        wait(shares, 7, 30, *facts(1))
        handover = program.handed_over(1, 2)
        with (
            next_program(reactor, handover) as second,
            socket.create_connection((HOST, port.port)) as client,
        ):
            second.ports.start_accepting(None)
            assert second.told == [(1, "data_turn", 7, True)]
            await until(reactor, lambda: has_input(end))
            number, own = passed(end)
            assert (number, own.getpeername()) == (7, client.getsockname())
            own.close()


def has_input(end: socket.socket) -> bool:
    end.setblocking(False)
    try:
        return bool(end.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@ensureDeferred
async def test_turns_are_kept_in_the_next_program(reactor, first):
    program, _port, (_end, shares), (_other_end, others) = first
    wait(shares, 7, 30, *facts(1))
    wait(others, 8, 30, *facts(2))
    assert program.told == [(1, "data_turn", 7, True)]
    with next_program(reactor, program.handed_over(1, 2)) as second:
        second.ports.start_accepting(None)
        assert second.told == [(1, "data_turn", 7, True)]
        leave(second, 1, 7, connected=True)
        assert second.told[1:] == [(2, "data_turn", 8, True)]
    others.handlers["data_leave"](8, False)


def leave(program: Program, column: int, number: int, connected: bool) -> None:
    shares = program.ports.shares_of(column)
    assert shares is not None
    shares.handlers["data_leave"](number, connected)


@ensureDeferred
async def test_a_connection_that_may_be_late_gets_to_nobody_in_the_next_program(reactor, first):
    program, _port, (_end, shares), _other = first
    wait(shares, 7, 30, *facts(1))
    shares.handlers["data_leave"](7, False)
    with next_program(reactor, program.handed_over(1, 2)) as second:
        second.ports.start_accepting(None)
        others = second.ports.shares_of(2)
        assert others is not None
        wait(others, 8, 0, *facts(2))
        assert second.told == [(2, "data_turn", 8, False)]


@ensureDeferred
async def test_a_session_that_is_not_heard_of_keeps_the_turn_in_the_next_program(reactor, first):
    program, _port, (_end, shares), _other = first
    shares.handlers["data_unheard"](9, *facts(1))
    with next_program(reactor, program.handed_over(1, 2)) as second:
        second.ports.start_accepting(None)
        others = second.ports.shares_of(2)
        assert others is not None
        wait(others, 8, 0, *facts(2, "bob"))
        assert second.told == [(2, "data_turn", 8, False)]


@ensureDeferred
async def test_a_connection_that_is_held_is_held_by_the_next_program(reactor, first):
    program, port, (_end, shares), (end, others) = first
    wait(shares, 7, 30, *facts(1, "ann", b"a" * 32))
    wait(others, 8, 30, *facts(2, "bob", b"b" * 32))
    with socket.create_connection((HOST, port.port)) as client:
        await until(reactor, lambda: port._held)
        with next_program(reactor, program.handed_over(1, 2)) as second:
            second.ports.start_accepting(None)
            leave(second, 1, 7, connected=True)  # so it is that of the other session
            number, own = passed(end)
            with own:
                assert number == 8
                assert own.getpeername() == client.getsockname()
    port.close()


@ensureDeferred
async def test_a_port_of_before_is_closed_when_no_worker_uses_it(reactor, first):
    program, port, *_workers = first
    number = port.port
    handover = program.handed_over(1, 2)
    port.close()
    with next_program(reactor, handover) as second:
        own = socket.create_server((HOST, 0))
        current = SharedPassivePort(reactor, [own])
        second.ports.start_accepting(current)
        assert second.ports.at(number) is not None
        assert [one["port"] for one in second.ports.listening()] == [number, current.port]
        second.ports.worker_ended(1)
        assert second.ports.at(number) is not None
        second.ports.worker_ended(2)
        assert second.ports.at(number) is None
        with socket.socket() as probe:
            assert probe.connect_ex((HOST, number))
        current.close()


@ensureDeferred
async def test_what_a_worker_without_shares_does_not_need(reactor, first):
    program, *_others = first
    assert program.ports.ends_for(3) == []
    assert program.ports.started(3) is None
    program.ports.worker_ended(3)
    assert program.ports.at(None) is None
