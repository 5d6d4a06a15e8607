"""Rates of users over the workers of a node, with messages in memory."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.cluster.cluster_node import ClusterNode, ClusterStatus
from ftpservice.cluster.cluster_rates import ClusterRateLimiters, NodeRateLink
from ftpservice.cluster.cluster_statements import NodeFacts
from ftpservice.cluster.rates_of_workers import RateLinkOfWorker, RatesOfWorkers
from ftpservice.session.shared.peer_requests import PeerRequests

ANN = ("ann", True)


class Node:
    """The main process of a node of two, with two workers."""

    def __init__(self) -> None:
        self.is_connected, self.status = True, ClusterStatus("", 2, "")
        self.facts = NodeFacts("n1", "n1", "1")
        self.receivers: list[Any] = []
        self.told: list[dict[str, Any]] = []
        self.clock = Clock()
        self._peers: list[PeerRequests] = []
        for column in range(3):
            self._peers.append(PeerRequests(self._sender(column), self.clock))
        own: Any = cast(ClusterNode, self)
        self.main = ClusterRateLimiters(NodeRateLink(own), self.clock)
        RatesOfWorkers(own, self.main, self._peers[0], lambda: (1, 2))
        links = [RateLinkOfWorker("n1", column, self._peers[column]) for column in (1, 2)]
        self.workers = [ClusterRateLimiters(link, self.clock) for link in links]
        for link, limiters in zip(links, self.workers, strict=True):
            link.hear(limiters.received)

    def _sender(self, source: int) -> Any:
        return lambda column, message: self._peers[column].received(source, message)

    def tell(self, kind: str, **values: Any) -> Deferred[Any]:
        self.told.append({"kind": kind, **values})
        return Deferred()


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
