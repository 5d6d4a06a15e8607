"""The ports that a main process keeps for its workers."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.cred.portal import Portal
from twisted.internet.defer import maybeDeferred

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.net.accepted_tcp import BACKLOG
from ftpservice.service.main_factory import HeldPort, MainFactory, end_others, hold_port
from ftpservice.service.sessions.listeners import Listener
from ftpservice.service.settings.errors import CannotStart
from ftpservice.session.settings import SessionSettings
from ftpservice.session.shared.table_state import SHARED_RECORDS, TableState
from tests.support.open_resources import LoggedErrors

LISTENER = Listener("tcp:0", SimpleNamespace())  # type: ignore[arg-type]  # it is not asked


class Sessions:
    """Counts the ports of its sessions."""

    ports = 0

    def doStart(self) -> None:
        self.ports += 1

    def doStop(self) -> None:
        self.ports -= 1


@pytest.mark.parametrize(("given", "expected"), [(None, BACKLOG), (7, 7)])
@ensureDeferred
async def test_a_held_port_is_not_read_and_has_room_for_many(reactor, given, expected) -> None:
    sessions: Any = Sessions()
    words = () if given is None else (given,)
    port = reactor.listenTCP(0, HeldPort(sessions), *words, interface="127.0.0.1")
    held = hold_port(LISTENER, port)
    assert held not in reactor.getReaders()
    assert sessions.ports == 1
    information = held.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    (backlog,) = struct.unpack_from("I", information, 28)  # of a listening socket
    with open("/proc/sys/net/core/somaxconn") as file:
        assert backlog == min(expected, int(file.read()))
    await maybeDeferred(port.stopListening)
    assert sessions.ports == 0


def test_an_endpoint_without_a_socket_cannot_be_held() -> None:
    with pytest.raises(CannotStart) as refused:
        hold_port(LISTENER, SimpleNamespace())  # type: ignore[arg-type]
    assert "several workers need tcp:" in refused.value.line


class Workers:
    """A supervisor with one worker, in column 1."""

    working = 1
    replaces = True

    def __init__(self) -> None:
        self.told: list[Any] = []
        column = SimpleNamespace(number=1)
        worker = SimpleNamespace(column=column, is_ready=True, send=self.broadcast)
        worker.finish = lambda reason: self.broadcast("finish", reason)
        self.workers = [worker]

    def broadcast(self, *message: Any) -> None:
        self.told.append(message)


@pytest.fixture
def factory(reactor: Any) -> Iterator[MainFactory]:
    table = SharedTable.create(SHARED_RECORDS, 3)
    state = TableState(table, reactor, lambda column, message: None)
    made = MainFactory(Portal(object()), reactor, SessionSettings(), shared_state=state)
    made.supervisor = workers = Workers()  # type: ignore[assignment]  # as far as it is needed
    made.table, made.peers = table, state.peers
    yield made
    assert workers is made.supervisor
    table.close()


def told(factory: MainFactory) -> list[Any]:
    workers: Any = factory.supervisor
    return workers.told  # type: ignore[no-any-return]


def test_a_stop_ends_the_sessions_of_workers(factory: MainFactory) -> None:
    factory.finish_and_disconnect_all("stop")
    assert factory.working_count == 1
    factory.disconnect_all("stop")
    factory.abort_all()
    factory.disconnect_where("kick", "demo", None)
    names = [one[0] for one in told(factory)]
    assert names == ["refuse", "finish", "disconnect_all", "abort_all", "disconnect_where"]


def test_a_stop_leaves_workers_alone_that_go_on_and_passes_their_messages(
    factory: MainFactory,
) -> None:
    """They ask each other while transfers over HTTP delay the next program."""
    factory.leaves_workers = True
    factory.finish_and_disconnect_all("stop")
    factory.disconnect_all("stop")
    factory.abort_all()
    factory.stopFactory()
    assert factory.working_count == 0
    assert told(factory) == []
    factory.pass_on(2, 1, ("ask", 5, "is it alive"))
    factory.pass_on(1, 2, ("ask", 6, "is it alive"))
    assert told(factory) == [("peer", 2, ("ask", 5, "is it alive")), ("gone", 2)]


def test_a_failure_of_the_quotas_does_not_keep_what_a_worker_has_counted(
    factory: MainFactory,
) -> None:
    class Quotas:
        def process_ended(self, _column: int) -> None:
            raise RuntimeError("as it should")

    factory.portal.realm = SimpleNamespace(quotas=Quotas())
    column = factory.table.claim_column()
    with LoggedErrors() as errors:
        factory.process_ended(column)
    assert "not all was given back" in errors.lines[0]
    assert factory.table.claim_column() == column


def test_what_workers_held_that_have_ended_while_the_program_was_replaced_is_given_back(
    factory: MainFactory, reactor: Any
) -> None:
    """The program before this one has not noticed it."""
    factory.portal.realm = SimpleNamespace(quotas=None)
    columns = [factory.table.claim_column() for _ in range(2)]
    states = [
        TableState(SharedTable.attach(factory.table.descriptor, column), reactor)
        for column in columns
    ]
    for state in states:
        assert state.session_limits.take("user", "ann", 2)
    limits: Any = factory.shared_state.session_limits
    assert end_others(factory, [columns[0]]) == [columns[1]]
    assert limits.taken("user", "ann") == 1
    assert factory.table.claimed_columns == {0, columns[0]}
