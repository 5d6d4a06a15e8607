"""Rates of users over the workers of a node, with messages in memory."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ftpservice.cluster.cluster_node import ClusterNode, ClusterStatus
from ftpservice.cluster.cluster_rates import ClusterRateLimiters, NodeRateLink
from ftpservice.cluster.cluster_statements import NodeFacts
from ftpservice.cluster.rates_of_workers import RateLinkOfWorker, RatesOfWorkers
from ftpservice.session.shared.peer_requests import PeerRequests
from tests.cluster.test_cluster_rates import transfer

ANN = ("ann", True)


class Node:
    """The main process of a node of two, with two workers."""

    def __init__(self) -> None:
        self.is_connected, self.status = True, ClusterStatus("", 2, "")
        self.facts = NodeFacts("n1", "n1", "1")
        self.receivers: list[Any] = []
        self.before_closing: list[Any] = []
        self.is_handed_over = False
        self.answers = True
        """Whether the main process gets the messages of its workers."""
        self.told: list[dict[str, Any]] = []
        self.clock = Clock()
        self._peers: list[PeerRequests] = []
        for column in range(3):
            self._peers.append(PeerRequests(self._sender(column), self.clock))
        own: Any = cast(ClusterNode, self)
        self.main = ClusterRateLimiters(NodeRateLink(own), self.clock)
        RatesOfWorkers(own, self.main, self._peers[0], lambda: (1, 2))
        links = [
            RateLinkOfWorker("n1", column, self._peers[column], self.clock) for column in (1, 2)
        ]
        self.workers = [ClusterRateLimiters(link, self.clock) for link in links]
        for link, limiters in zip(links, self.workers, strict=True):
            link.hear(limiters.received)

    def _sender(self, source: int) -> Any:
        def send(column: int, message: tuple[Any, ...]) -> None:
            if column or self.answers:
                self._peers[column].received(source, message)

        return send

    def tell(self, kind: str, **values: Any) -> Deferred[Any]:
        self.told.append({"kind": kind, **values})
        return succeed(None)


def test_each_worker_has_a_part_and_other_nodes_are_told_of_each() -> None:
    node = Node()
    limiters = [one.join(ANN, 9000.0) for one in node.workers]
    node.clock.pump([0.1] * 15)
    assert [one.rate for one in limiters] == [4500.0, 4500.0]
    assert {one["from"] for one in node.told} == {"n1/1", "n1/2"}
    for receive in node.receivers:
        receive({"kind": "rates", "from": "n2", "keys": [ANN]})
    assert [one.rate for one in limiters] == [3000.0, 3000.0]


def test_without_the_database_the_part_of_the_node_is_that_of_its_workers_together() -> None:
    node = Node()
    node.is_connected = False
    limiters = [one.join(ANN, 9000.0) for one in node.workers]
    node.clock.pump([0.1] * 25)
    assert [one.rate for one in limiters] == [3000.0, 3000.0]
    assert node.told == []


def test_while_the_main_process_is_replaced_all_use_what_they_did_before() -> None:
    node = Node()
    limiters = [one.join(ANN, 9000.0) for one in node.workers]
    for limiter in limiters:
        transfer(limiter)
    for receive in node.receivers:
        receive({"kind": "rates", "from": "n2", "keys": [ANN], "seconds": 30.0})
    node.clock.pump([0.1] * 15)
    assert [one.rate for one in limiters] == [3000.0, 3000.0]
    node.told.clear()
    node.is_handed_over = True
    for closing in node.before_closing:
        Deferred.fromCoroutine(closing())
    told = {one["from"]: (one["keys"], one["seconds"]) for one in node.told}
    assert told == {f"n1/{column}": ([ANN], 30.0) for column in (1, 2)}
    node.answers = False
    node.clock.pump([0.1] * 100)
    assert [one.rate for one in limiters] == [3000.0, 3000.0]
    node.answers = True
    node.workers[1].leave(ANN)
    node.clock.pump([0.1] * 250)
    assert limiters[0].rate == 9000.0


def test_nothing_is_told_for_longer_by_a_node_that_leaves() -> None:
    node = Node()
    node.workers[0].join(ANN, 9000.0)
    node.clock.advance(0.1)
    node.told.clear()
    for closing in node.before_closing:
        Deferred.fromCoroutine(closing())
    assert node.told == []
