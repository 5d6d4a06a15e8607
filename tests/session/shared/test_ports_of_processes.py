"""Passive ports that are closed in whatever process, with messages in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.data.passive_ports import IdlePassivePorts
from ftpservice.session.shared.peer_requests import PeerRequests
from ftpservice.session.shared.ports_of_processes import ANSWER_SECONDS, PortsOfProcesses

COLUMNS = (1, 2, 3)


class Holder:
    """A session that has announced a port."""

    is_open = True

    def has_idle_port(self) -> bool:
        return self.is_open

    def close_idle_port(self, problem: str) -> None:
        assert problem
        self.is_open = False


class Processes:
    """Workers, and which of them do not answer."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.hanging: set[int] = set()
        self.gone: set[int] = set()
        self.peers = {column: PeerRequests(self._sender(column), self.clock) for column in COLUMNS}
        self.idle = {column: IdlePassivePorts(self.clock) for column in COLUMNS}
        self.ports = {column: self._ports(column) for column in COLUMNS}

    def _ports(self, column: int) -> PortsOfProcesses:
        ports = PortsOfProcesses(self.peers[column], lambda: set(COLUMNS) - {column})
        ports.own = self.idle[column]
        return ports

    def _sender(self, source: int) -> Callable[[int, tuple[Any, ...]], object]:
        def send(column: int, message: tuple[Any, ...]) -> None:
            if column in self.gone:
                self.peers[source].gone(column)
            elif column not in self.hanging:
                self.peers[column].received(source, message)

        return send

    def hold(self, column: int, address: str, count: int = 1) -> list[Holder]:
        """Have sessions of an address announce ports in the process of a column."""
        made = [Holder() for _ in range(count)]
        for one in made:
            self.idle[column].add(one, address, 0)
        return made

    def reclaim(self, column: int) -> bool | None:
        """Return what a process is told that needs a port; None if it has to wait."""
        found: list[bool] = []
        asking = Deferred.fromCoroutine(self.ports[column].reclaim_port(self.idle[column]))
        asking.addCallback(found.append)
        self.clock.advance(ANSWER_SECONDS / 2)
        if self.hanging and not found:
            self.clock.advance(ANSWER_SECONDS)
        return found[0] if found else None


def are_open(holders: list[Holder]) -> list[bool]:
    return [one.is_open for one in holders]


def test_a_port_of_another_process_is_closed() -> None:
    processes = Processes()
    held = processes.hold(2, "192.0.2.1", 2)
    assert processes.reclaim(1)
    assert are_open(held) == [False, True], "the oldest one"


def test_the_address_with_most_ports_in_all_loses_one_where_it_has_most() -> None:
    processes = Processes()
    own = processes.hold(1, "192.0.2.9", 3)
    spread = [processes.hold(2, "192.0.2.1", 2), processes.hold(3, "192.0.2.1", 3)]
    assert processes.reclaim(1)
    assert are_open(own) == [True, True, True]
    assert [are_open(one) for one in spread] == [[True, True], [False, True, True]]


def test_a_port_of_the_same_process_is_closed_if_its_address_holds_most() -> None:
    processes = Processes()
    own, other = processes.hold(1, "192.0.2.9", 2), processes.hold(2, "192.0.2.1")
    assert processes.reclaim(1)
    assert are_open(own) == [False, True]
    assert are_open(other) == [True]


def test_without_a_port_that_waits_there_is_none() -> None:
    processes = Processes()
    for one in processes.hold(2, "192.0.2.1"):
        one.is_open = False
    assert processes.reclaim(1) is False


def test_a_process_that_hangs_or_has_ended_is_passed_over() -> None:
    processes = Processes()
    processes.hanging, processes.gone = {2}, {3}
    processes.hold(2, "192.0.2.1", 5)
    own = processes.hold(1, "192.0.2.9")
    assert processes.reclaim(1)
    assert are_open(own) == [False]


def test_a_process_of_an_earlier_version_is_passed_over() -> None:
    """It has no answer to this question."""
    processes = Processes()

    async def unknown() -> None:
        return None

    for column in (2, 3):
        processes.peers[column].answer("count idle passive ports", unknown)
    assert processes.reclaim(1) is False


def test_a_process_without_sessions_has_no_ports() -> None:
    processes = Processes()
    processes.ports[2].own = None
    held = processes.hold(3, "192.0.2.1")
    assert processes.reclaim(1)
    assert are_open(held) == [False]
