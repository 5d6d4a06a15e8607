"""One feed from those of several nodes: order, times, and what is told of the nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.service.cluster.merged_feeds import (
    HOLD_SECONDS,
    TICK_SECONDS,
    EventsOfNodes,
    FeedOfNode,
    TraceOfNodes,
)

Record = dict[str, Any]


class Source:
    """A feed whose records a test sends."""

    def __init__(self) -> None:
        self.send: Callable[[Record], object] | None = None

    def start(self, send: Callable[[Record], object]) -> None:
        self.send = send

    def stop(self) -> None:
        self.send = None

    def say(self, **record: Any) -> None:
        assert self.send is not None
        self.send(record)


class Merged:
    """The events of this node, ``a``, and of others, on a clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.here, self.others = Source(), Source()
        self.got: list[Record] = []
        self.feed = EventsOfNodes(self.clock, self.clock.seconds, "a", self.here, self.others)
        self.feed.start(self.got.append)

    def after(self, seconds: float) -> list[tuple[str, str]]:
        self.clock.pump([TICK_SECONDS] * round(seconds / TICK_SECONDS))
        return [(one["node"], one["line"]) for one in self.got if "line" in one]


@pytest.fixture
def merged() -> Merged:
    return Merged()


def test_events_come_in_the_order_of_their_times(merged: Merged) -> None:
    merged.here.say(at=999.9, line="third")
    merged.others.say(node="b", at=999.5, line="first")
    merged.others.say(node="c", at=999.7, line="second")
    assert merged.after(HOLD_SECONDS + 0.2) == [("b", "first"), ("c", "second"), ("a", "third")]


def test_those_of_one_node_keep_their_order_whatever_its_clock_says(merged: Merged) -> None:
    for at, line in ((5000.0, "1"), (400.0, "2"), (999.0, "3")):
        merged.others.say(node="b", at=at, line=line)
    merged.here.say(at=1000.0, line="own")
    assert merged.after(HOLD_SECONDS + 0.2) == [("b", "1"), ("b", "2"), ("b", "3"), ("a", "own")]


def test_an_event_that_is_late_comes_at_once(merged: Merged) -> None:
    merged.here.say(at=1000.0, line="own")
    merged.after(3)
    merged.others.say(node="b", at=1000.5, line="late")
    assert merged.after(TICK_SECONDS) == [("a", "own"), ("b", "late")]


def test_what_happens_to_nodes_is_a_notice(merged: Merged) -> None:
    merged.others.say(away="the database of the cluster cannot be used: gone")
    merged.others.say(back=True)
    merged.others.say(node="b", begun=True)
    merged.others.say(node="b", error="not here")
    merged.others.say(node="b", gone=True)
    merged.others.say(node="b", lost=7)
    merged.after(2)
    texts = [one["notice"] for one in merged.got]
    assert [text.partition(";")[0] for text in texts] == [
        "the database of the cluster cannot be used: gone",
        "the other nodes are followed again",
        "b is followed",
        "b: not here",
        "b is gone",
        "b: 7 records were dropped",
    ]


def test_nothing_is_left_after_the_end(merged: Merged) -> None:
    merged.here.say(at=1000.0, line="own")
    merged.feed.stop()
    assert merged.here.send is merged.others.send is None
    assert merged.clock.getDelayedCalls() == []
    assert merged.got == []


def test_traces_have_the_times_of_the_first_and_one_header() -> None:
    here, others, got = Source(), Source(), list[Record]()
    feed = TraceOfNodes("a", here, others)
    feed.start(got.append)
    others.say(node="b", trace=1, since=100.5, follows=True)
    others.say(node="b", session=1, at=0.25, command="NOOP")
    here.say(trace=1, since=100.0, follows=True)
    here.say(session=1, at=0.1, command="PWD")
    others.say(node="c", error="there is no session")
    others.say(node="b", gone=True)
    feed.stop()
    assert got == [
        {"trace": 1, "since": 100.0, "follows": True, "node": "a"},
        {"node": "b", "session": 1, "at": 0.75, "command": "NOOP"},
        {"session": 1, "at": 0.1, "command": "PWD", "node": "a"},
        {"notice": "b is gone; it is followed again when it is back"},
    ]
    assert here.send is others.send is None


def test_the_trace_of_a_session_ends_with_its_node() -> None:
    source, got = Source(), list[Record]()
    feed = FeedOfNode(source)
    feed.start(got.append)
    source.say(node="b", trace=1, since=1.0, follows=False)
    source.say(node="b", gone=True)
    assert got[1] == {"error": "b is gone"}
    feed.stop()
    assert source.send is None
