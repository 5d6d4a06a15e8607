"""The events for the page: a snapshot, then deltas."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.activity.live.node_sessions import NodeSessions
from ftpservice.events import LoginFailed, SessionOpened
from ftpservice.web.api.live_stream import CHECK_TICKS, MAX_LISTENERS, LiveStream
from ftpservice.web.api.recent_events import RecentEvents
from ftpservice.web.http.problems import Problem


class Browser:
    """A request that is being answered with events."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Any]] = []
        self.lost: Deferred[None] = Deferred()
        self.producer: Any = None
        self.is_finished = False

    def write(self, data: bytes) -> None:
        kind, value = data.decode().rstrip("\n").split("\n")
        found = (kind.removeprefix("event: "), json.loads(value.removeprefix("data: ")))
        self.written.append(found)

    def notifyFinish(self) -> Deferred[None]:
        return self.lost

    def setHeader(self, _name: bytes, _value: bytes) -> None:
        pass

    def registerProducer(self, producer: Any, _streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def finish(self) -> None:
        self.is_finished = True
        self.lost.callback(None)


class Others:
    """What the other nodes send; a feed."""

    def __init__(self) -> None:
        self.send: Callable[[dict[str, Any]], object] | None = None

    def start(self, send: Callable[[dict[str, Any]], object]) -> None:
        self.send = send

    def stop(self) -> None:
        self.send = None

    def say(self, **record: Any) -> None:
        assert self.send is not None
        self.send({"node": "b", **record})


class Stream:
    def __init__(self, others: Others | None = None) -> None:
        self.clock, self.rows, self.recent = Clock(), dict[int, int | None](), RecentEvents()
        live = SimpleNamespace(rows=lambda: [self.row(*one) for one in self.rows.items()])
        parts = SimpleNamespace(
            live=live,
            past=SimpleNamespace(recent=self.recent),
            nodes=None if others is None else NodeSessions("a", others, self.clock),
            seconds=self.clock.seconds,
            started=0.0,
        )
        self.stream = LiveStream(parts, self.clock)  # type: ignore[arg-type]
        self.may_listen = True

    def row(self, number: int, moved: int | None) -> dict[str, Any]:
        transfers = []
        if moved is not None:
            transfers = [{"id": f"{number}-1", "moved": 7}, {"id": f"{number}-2", "moved": moved}]
        last = transfers[-1] if transfers else None
        return {"session": number, "transfer": last, "transfers": transfers}

    def browser(self) -> Browser:
        async def may_listen() -> bool:
            return self.may_listen

        browser = Browser()
        self.stream.listen(browser, may_listen)  # type: ignore[arg-type]
        return browser


@pytest.fixture
def stream() -> Stream:
    return Stream()


def test_a_snapshot_then_what_has_changed(stream: Stream) -> None:
    stream.rows = {1: None, 2: 10}
    browser = stream.browser()
    ((kind, snapshot),) = browser.written
    assert kind == "snapshot"
    assert [row["session"] for row in snapshot["sessions"]] == [1, 2]
    assert snapshot["moved"] == [["2-1", 7], ["2-2", 10]]
    assert snapshot["sessions"][1]["transfers"] == [{"id": "2-1"}, {"id": "2-2"}]
    stream.rows = {2: 30, 3: None}
    stream.recent(SessionOpened(0.0, 3, "192.0.2.1", ""))
    stream.clock.advance(1)
    delta = browser.written[1][1]
    assert [row["session"] for row in delta["changed"]] == [3]
    assert delta["gone"] == [1]
    assert delta["moved"] == [["2-2", 30]]
    assert [event["kind"] for event in delta["events"]] == ["session opened"]
    stream.clock.advance(1)
    assert browser.written[2][1]["changed"] == browser.written[2][1]["events"] == []


def test_in_a_cluster_the_sessions_of_other_nodes_are_among_them() -> None:
    others = Others()
    stream = Stream(others)
    assert others.send is None
    stream.rows = {1: 10}
    browser = stream.browser()
    first = browser.written[0][1]
    assert [row["node"] for row in first["sessions"]] == ["a"]
    assert (first["node"], first["nodes"], first["away"]) == ("a", ["a"], "")
    row = {"session": 1, "transfers": [{"id": "b-1"}]}
    others.say(sessions=[row], moved=[["b-1", 5]])
    stream.clock.advance(1)
    delta = browser.written[1][1]
    assert [(one["node"], one["session"]) for one in delta["changed"]] == [("b", 1)]
    assert (delta["moved"], delta["nodes"]) == ([["b-1", 5]], ["a", "b"])
    others.say(changed=[], gone=[1], moved=[], events=3, problems=1)
    stream.rows = {}
    stream.clock.advance(1)
    delta = browser.written[2][1]
    assert sorted(delta["gone"]) == ["a:1", "b:1"]
    assert delta["elsewhere"] == {"events": 3, "problems": 1}
    others.say(away="no answer")
    stream.clock.advance(1)
    assert browser.written[3][1]["away"] == "no answer"
    browser.lost.callback(None)
    assert others.send is None


def test_one_more_listener_takes_no_event_from_the_others(stream: Stream) -> None:
    first = stream.browser()
    stream.recent(LoginFailed(0.0, 1, "192.0.2.1", "ann"))
    second = stream.browser()
    stream.clock.advance(1)
    assert [event["kind"] for event in first.written[1][1]["events"]] == ["login failed"]
    assert second.written[0][1]["last"] == int(first.written[1][1]["events"][0]["id"])


def test_there_is_no_timer_without_a_listener(stream: Stream) -> None:
    browser, other = stream.browser(), stream.browser()
    browser.lost.callback(None)
    assert stream.clock.getDelayedCalls()
    other.lost.callback(None)
    assert stream.clock.getDelayedCalls() == []


def test_a_browser_that_does_not_read_gets_a_snapshot_later(stream: Stream) -> None:
    browser = stream.browser()
    browser.producer.pauseProducing()
    stream.rows = {1: 5}
    for _ in range(3):
        stream.clock.advance(1)
    assert len(browser.written) == 1
    browser.producer.resumeProducing()
    stream.clock.advance(1)
    assert [kind for kind, _ in browser.written] == ["snapshot", "snapshot"]
    assert browser.written[1][1]["moved"] == [["1-1", 7], ["1-2", 5]]


def test_it_ends_when_the_caller_may_no_longer_listen(stream: Stream) -> None:
    browser = stream.browser()
    stream.may_listen = False
    for _ in range(CHECK_TICKS):
        stream.clock.advance(1)
    assert browser.is_finished
    assert stream.clock.getDelayedCalls() == []


def test_the_end_of_one_listener_does_not_end_the_others(stream: Stream) -> None:
    def write_after_the_end(_data: bytes) -> None:
        assert not ended.is_finished, "as `twisted.web` says"

    ended = stream.browser()
    ended.write = write_after_the_end  # type: ignore[method-assign]
    (listener,) = stream.stream._listeners
    listener.may_listen = refused
    other = stream.browser()
    for _ in range(CHECK_TICKS + 2):
        stream.clock.advance(1)
    assert ended.is_finished
    assert len(other.written) == 1 + CHECK_TICKS + 2


async def refused() -> bool:
    return False


def test_the_number_of_listeners_is_bounded(stream: Stream) -> None:
    for _ in range(MAX_LISTENERS):
        stream.browser()
    with pytest.raises(Problem, match="already"):
        stream.browser()
    stream.stream.stop()
