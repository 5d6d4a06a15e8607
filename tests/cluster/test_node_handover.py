"""The program that goes on as a node: what the database holds for it stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred

from ftpservice.cluster.cluster_database import ClusterDatabase
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.cluster_requests import ClusterRequests
from ftpservice.cluster.cluster_statements import NodeFacts, NodeState, known_nodes
from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.cluster.node_handover import (
    continue_node,
    hand_over_node,
    keep_state,
    node_identity,
)
from tests.support.cluster import until

SECONDS = 1.0
LIMIT = 3


class Programs:
    """Makes nodes, each as a program would, and ends those that are left."""

    def __init__(self, url: str, reactor: Any) -> None:
        self._url = url
        self._reactor = reactor
        self._nodes: list[ClusterNode] = []

    def node(self, run: str, name: str, before: dict[str, Any] | None = None) -> ClusterNode:
        """Return a node that has begun; it goes on with what was handed over ``before``."""
        database = ClusterDatabase(cluster_database_url(self._url), self._reactor)
        node = ClusterNode(database, NodeFacts(run, name, "1"), SECONDS)
        node.state = lambda: NodeState(node.limits.taken("user", "ann"))
        if before is not None:
            node.facts = replace(node.facts, version="2")
            continue_node(node, before)
        self._nodes.append(node)
        return node

    async def begin(self, node: ClusterNode) -> ClusterNode:
        node.startService()
        await node.joined
        return node

    async def end(self, node: ClusterNode) -> None:
        self._nodes.remove(node)
        await ensureDeferred(node.close())

    async def close(self) -> None:
        for node in tuple(self._nodes):
            await self.end(node)


@contextmanager
def sampled(programs: Programs, node: ClusterNode) -> Iterator[list[Any]]:
    """Provide the lists of alive nodes that a node sees."""
    found: list[Any] = []
    is_over = False

    async def look() -> None:
        while not is_over:
            rows = await node.calls.run(known_nodes)
            found.append([(row["name"], row["version"]) for row in rows if row["is_alive"]])

    looking = Deferred.fromCoroutine(look())
    looking.addErrback(found.append)
    try:
        yield found
    finally:
        is_over = True


async def take(node: ClusterNode, count: int) -> list[bool]:
    asked = [ensureDeferred(node.limits.obtain("user", "ann", LIMIT)) for _ in range(count)]
    return [await one for one in asked]


@pytest_twisted.ensureDeferred
async def test_the_next_program_has_the_places_and_the_name(url: str, reactor) -> None:
    programs = Programs(url, reactor)
    try:
        first = await programs.begin(programs.node("r1", "one"))
        other = await programs.begin(programs.node("r2", "two"))
        assert await take(first, 2) == [True, True]
        with sampled(programs, other) as seen:
            before = hand_over_node(first)
            await programs.end(first)
            assert await take(other, 2) == [True, False]
            other.limits.release("user", "ann")
            await until(lambda: len(seen) > 3)
            second = programs.node("r1", "one", before)
            assert next(second.row_numbers) > next(first.row_numbers)  # else a feed drops them
            for _ in range(2):  # the sessions of its workers
                assert second.limits.take("user", "ann", 0)
            await programs.begin(second)
            await until(lambda: seen[-1] == [("one", "2"), ("two", "1")])
        assert {len(rows) for rows in seen} == {2}
        assert await take(second, 2) == [True, False]
        assert await take(other, 1) == [False]
        for _ in range(3):
            second.limits.release("user", "ann")
        await until(lambda: ("user", "ann") not in second.limits.leases.holdings)
        assert await take(other, LIMIT) == [True] * LIMIT
    finally:
        await programs.close()


@pytest_twisted.ensureDeferred
async def test_places_of_sessions_that_have_ended_meanwhile_are_given_back(
    url: str, reactor
) -> None:
    programs = Programs(url, reactor)
    try:
        first = await programs.begin(programs.node("r1", "one"))
        other = await programs.begin(programs.node("r2", "two"))
        assert await take(first, LIMIT) == [True] * LIMIT
        before = hand_over_node(first)
        await programs.end(first)
        await programs.begin(programs.node("r1", "one", before))
        taken = 0
        while taken < LIMIT:
            taken += sum(await take(other, 1))
    finally:
        await programs.close()


@pytest_twisted.ensureDeferred
async def test_a_session_waits_until_the_next_program_has_claimed_what_it_uses(
    url: str, reactor
) -> None:
    programs = Programs(url, reactor)
    try:
        first = await programs.begin(programs.node("r1", "one"))
        before = hand_over_node(first)
        await programs.end(first)
        second = programs.node("r1", "one", before)
        waiting = ensureDeferred(second.limits.obtain("user", "ann", LIMIT))
        assert not waiting.called
        await programs.begin(second)
        assert await waiting
    finally:
        await programs.close()


@pytest_twisted.ensureDeferred
async def test_what_a_node_says_stays_the_same_until_its_sessions_are_known_again(
    url: str, reactor
) -> None:
    programs = Programs(url, reactor)
    try:
        first = await programs.begin(programs.node("r1", "one"))
        assert await take(first, 2) == [True, True]
        end = keep_state(first)
        first.limits.release("user", "ann")
        assert first.state() == NodeState(2)
        before = hand_over_node(first)
        end()
        assert first.state() == NodeState(1)
        assert node_identity(first).items() <= before.items()
        await programs.end(first)
        second = await programs.begin(programs.node("r1", "one", before))
        rows = await second.calls.run(known_nodes)
        assert [row["sessions"] for row in rows] == [2]
    finally:
        await programs.close()


@pytest_twisted.ensureDeferred
async def test_another_version_may_say_more_or_less_of_a_node(reactor) -> None:
    programs = Programs("postgresql://127.0.0.1:1/none", reactor)
    try:
        before = hand_over_node(programs.node("r1", "one"))
        before["state"] = {"load": 0.5, "health": "draining"}
        before["limits"] = [("user", "ann", LIMIT, "more")]
        second = programs.node("r1", "one", before | {"more": 1})
        assert second.state_before == NodeState(health="draining")
        assert second.limits.leases.holdings["user", "ann"].limit == LIMIT
    finally:
        await programs.close()


def test_without_a_cluster_nothing_is_handed_over() -> None:
    keep_state(None)()
    assert hand_over_node(None) == node_identity(None) == {}


@pytest_twisted.ensureDeferred
async def test_a_request_of_another_node_is_answered_by_the_next_program(url: str, reactor) -> None:
    programs = Programs(url, reactor)

    def requests(node: ClusterNode, answer: str) -> ClusterRequests:
        made = ClusterRequests(node, {"who": lambda _request: answer}, reactor)
        node.receivers.append(made.received)
        node.when_connected.append(made.catch_up)
        return made

    try:
        first, other = programs.node("r1", "one"), programs.node("r2", "two")
        asking = requests(other, "two")
        requests(first, "first")
        await programs.begin(first)
        await programs.begin(other)
        before = hand_over_node(first)
        await programs.end(first)
        asked = ensureDeferred(asking.ask("who", {}, "all"))
        second = programs.node("r1", "one", before)
        requests(second, "second")
        await programs.begin(second)
        found = await asked
        assert (found.silent, found.problem) == ([], "")
        assert [one["result"] for one in found.answers] == ["second", "two"]
    finally:
        await programs.close()
