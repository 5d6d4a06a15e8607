"""The sessions of a node for others, and what they make of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.activity.live.live_feed import SILENT_TICKS, LiveFeed
from ftpservice.activity.live.node_sessions import AGAIN_SECONDS, NodeSessions
from ftpservice.events import EventStream, LoginFailed, SessionOpened

Record = dict[str, Any]


class Rows:
    """The sessions of a node, by number: the bytes of their transfers."""

    def __init__(self) -> None:
        self.moved: dict[int, list[int]] = {}

    def rows(self) -> list[Record]:
        return [self._row(*one) for one in self.moved.items()]

    def _row(self, number: int, moved: list[int]) -> Record:
        transfers = [
            {"id": f"{number}-{index}", "path": "/x", "moved": size}
            for index, size in enumerate(moved)
        ]
        last = transfers[-1] if transfers else None
        return {"session": number, "transfer": last, "transfers": transfers}


class Sender:
    """A node whose records a test passes on, as JSON."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock, self.rows = Clock(), Rows()
        self.events = EventStream(lambda error, _event: pytest.fail(str(error)))
        live: Any = self.rows
        self.feed = LiveFeed(live, self.events, self.clock)
        self.sent: list[Record] = []

    def start(self) -> None:
        self.feed.start(lambda record: self.sent.append(json.loads(json.dumps(record))))

    def next(self) -> Record:
        (record,) = self.sent
        self.sent.clear()
        return {"node": self.name, **record}


class Link:
    """What the watching node follows: the records that a test passes on."""

    def __init__(self) -> None:
        self.send: Callable[[Record], object] | None = None
        self.starts = 0

    def start(self, send: Callable[[Record], object]) -> None:
        self.send, self.starts = send, self.starts + 1

    def stop(self) -> None:
        self.send = None

    def pass_on(self, record: Record) -> None:
        assert self.send is not None
        self.send(record)


class Watched:
    """A node that watches another one."""

    def __init__(self) -> None:
        self.sender, self.link, self.clock = Sender("b"), Link(), Clock()
        self.clock.advance(100)
        self.nodes = NodeSessions("a", self.link, self.clock)
        self.nodes.begin()
        self.sender.start()

    def tick(self) -> None:
        self.sender.clock.advance(1)
        self.link.pass_on(self.sender.next())

    def seen(self) -> tuple[list[Any], dict[str, int]]:
        rows: dict[Any, Any] = {}
        moved: dict[str, int] = {}
        self.nodes.add_to(rows, moved)
        assert all(row["node"] == "b" for row in rows.values())
        return sorted(rows), moved


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_all_sessions_come_first_then_what_has_changed(watched: Watched) -> None:
    watched.sender.feed.stop()
    watched.sender.sent.clear()
    watched.sender.rows.moved = {1: [], 2: [10]}
    watched.sender.start()
    watched.link.pass_on(watched.sender.next())
    assert watched.seen() == (["b:1", "b:2"], {"2-0": 10})
    watched.sender.rows.moved = {2: [30, 5], 3: [1]}
    watched.tick()
    assert watched.seen() == (["b:2", "b:3"], {"2-0": 30, "2-1": 5, "3-0": 1})
    watched.sender.rows.moved = {2: [30]}
    watched.tick()
    assert watched.seen() == (["b:2"], {"2-0": 30})
    for _ in range(SILENT_TICKS - 1):
        watched.sender.clock.advance(1)
    assert watched.sender.sent == []  # nothing has changed
    watched.tick()
    assert watched.seen() == (["b:2"], {"2-0": 30})
    assert watched.nodes.names == ["a", "b"]


def test_events_are_counted(watched: Watched) -> None:
    watched.link.pass_on(watched.sender.next())
    watched.sender.events.publish(SessionOpened(0.0, 1, "192.0.2.1", ""))
    watched.sender.events.publish(LoginFailed(0.0, 1, "192.0.2.1", "ann"))
    watched.tick()
    assert watched.nodes.counts() == {"events": 2, "problems": 1}
    assert watched.nodes.counts() == {"events": 0, "problems": 0}


def test_a_node_that_is_gone_is_not_shown_until_it_has_sent_all_again(watched: Watched) -> None:
    watched.sender.rows.moved = {1: [1]}
    watched.link.pass_on(watched.sender.next())
    watched.tick()
    watched.link.pass_on({"node": "b", "gone": True})
    assert watched.seen() == ([], {})
    watched.clock.advance(AGAIN_SECONDS)
    watched.sender.rows.moved = {1: [2]}
    watched.tick()  # it was paused only, and knows nothing of that
    assert watched.seen() == ([], {})
    watched.clock.advance(0)
    assert watched.link.starts == 2
    watched.sender.feed.stop()
    watched.sender.start()
    watched.link.pass_on(watched.sender.next())
    assert watched.seen() == (["b:1"], {"1-0": 2})


def test_without_the_database_nothing_is_known_and_all_is_asked_again_after(
    watched: Watched,
) -> None:
    watched.link.pass_on(watched.sender.next())
    watched.link.pass_on({"away": "no answer"})
    assert (watched.nodes.away, watched.nodes.names) == ("no answer", ["a"])
    watched.link.pass_on({"back": True})
    watched.clock.advance(0)
    assert (watched.link.starts, watched.nodes.away) == (2, "")


def test_nothing_goes_on_after_the_end(watched: Watched) -> None:
    watched.link.pass_on(watched.sender.next())
    watched.link.pass_on({"back": True})
    watched.nodes.end()
    watched.nodes.end()
    watched.clock.advance(10)
    assert (watched.link.send, watched.link.starts, watched.seen()) == (None, 1, ([], {}))
    watched.sender.feed.stop()
    assert watched.sender.clock.getDelayedCalls() == []
