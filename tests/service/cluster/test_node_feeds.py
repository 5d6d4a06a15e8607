"""Which nodes a request for a feed means."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.service.cluster.merged_feeds import EventsOfNodes, FeedOfNode, TraceOfNodes
from ftpservice.service.cluster.node_feeds import NodeFeeds, feeds_of_one

SESSION = "0123456789ab-17"


class Quiet:
    """A feed without records; ``wanted`` is what was asked for."""

    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted

    def start(self, _send: object) -> None:
        pass

    def stop(self) -> None:
        pass


class Followed:
    """What was asked of other nodes."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str]] = []

    def follow(self, command: str, request: Mapping[str, Any], target: str) -> Quiet:
        self.asked.append((command, dict(request), target))
        return Quiet(request)


class Node:
    """The node ``a``, whose other node has a session."""

    def __init__(self) -> None:
        facts = SimpleNamespace(name="a")
        node: Any = SimpleNamespace(reactor=Clock(), facts=facts)
        self.followed: Any = Followed()
        feeds = NodeFeeds(node, self.followed, self.who, lambda: 0.0)
        self.made: list[dict[str, Any]] = []
        self.feeds = feeds.spread({"log": self.make, "trace": self.make})

    def make(self, request: Mapping[str, Any]) -> Quiet:
        self.made.append(dict(request))
        return Quiet(request)

    def who(self) -> Deferred[Any]:
        answers = [{"node": "c", "error": "x"}, {"node": "b", "result": [{"id": SESSION}]}]
        return succeed({"answers": answers, "silent": [], "problem": ""})

    def trace(self, target: str, **words: Any) -> Any:
        found = self.feeds["trace"]({"target": target, **words})
        return found.result if isinstance(found, Deferred) else found


@pytest.fixture
def node() -> Node:
    return Node()


def test_the_log_is_that_of_this_node_of_another_or_of_all(node: Node) -> None:
    assert isinstance(node.feeds["log"]({}), Quiet)
    assert isinstance(node.feeds["log"]({"node": "a", "everywhere": True}), Quiet)
    assert node.followed.asked == []
    assert isinstance(node.feeds["log"]({"node": "b", "user": "x"}), FeedOfNode)
    assert isinstance(node.feeds["log"]({"everywhere": True, "node": None}), EventsOfNodes)
    assert node.followed.asked == [("log", {"user": "x"}, "b"), ("log", {}, "all")]


def test_an_account_is_traced_everywhere_and_who_asks_is_named(node: Node) -> None:
    assert isinstance(node.trace("ann", by="uid 0"), TraceOfNodes)
    wanted = {"target": "ann", "is_user": True}
    assert node.made == [{**wanted, "by": "uid 0"}]
    assert node.followed.asked == [("trace", {**wanted, "by": "uid 0 at a"}, "all")]
    assert isinstance(node.trace("17", is_user=True), TraceOfNodes)
    assert isinstance(node.trace("ann", node="b"), FeedOfNode)


def test_a_session_is_traced_at_its_node(node: Node) -> None:
    assert isinstance(node.trace("17"), Quiet)
    assert isinstance(node.trace("a:17"), Quiet)
    assert node.made == [{"target": "17"}, {"target": "17"}]
    assert isinstance(node.trace("b:17"), FeedOfNode)
    assert isinstance(node.trace(SESSION), FeedOfNode)
    asked = [("trace", {"target": "17"}, "b"), ("trace", {"target": SESSION}, "b")]
    assert node.followed.asked == asked
    assert isinstance(node.trace("f" * 12 + "-1"), TraceOfNodes)  # an account may have such a name


def test_without_a_cluster_another_node_is_refused() -> None:
    feeds = feeds_of_one({"log": Quiet})
    assert feeds["log"]({"everywhere": True, "user": "x"}).wanted == {"user": "x"}
    with pytest.raises(BadRequest, match="in no cluster"):
        feeds["log"]({"node": "b"})
