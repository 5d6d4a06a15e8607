"""One feed from that of this node and those of the others; each record has its ``node``."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.activity.event_feed import Feed

__all__ = ["EventsOfNodes", "FeedOfNode", "TraceOfNodes"]

log = Logger("ftpservice.cluster")

HOLD_SECONDS = 1.0
"""How long events wait for earlier ones of other nodes."""
TICK_SECONDS = 0.1
MAX_EARLY = 10_000
"""Records of other nodes before the trace of this one has begun."""

Record = dict[str, Any]
Send = Callable[[Record], object]


def notice_of(record: Mapping[str, Any]) -> str:
    """Return what a record of `FollowedFeed` about the nodes tells; empty for others."""
    if "away" in record:
        return f"{record['away']}; only this node is followed until it can"
    if "back" in record:
        return "the other nodes are followed again"
    if record.get("gone") is True:
        return f"{record['node']} is gone; it is followed again when it is back"
    if "begun" in record:
        return f"{record['node']} is followed"
    if "lost" in record:
        return f"{record['node']}: {record['lost']} records were dropped"
    return ""


class FeedOfNode:
    """The feed of one other node; the trace of a session ends when the node is gone."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._send: Send = bool
        self._is_of_session = False

    def start(self, send: Send) -> None:
        """Call ``send`` with each record, or a ``notice``."""
        self._send = send
        self._feed.start(self._take)

    def stop(self) -> None:
        """Send nothing more."""
        self._send = bool
        self._feed.stop()

    def _take(self, record: Record) -> None:
        notice = notice_of(record)
        if "trace" in record:
            self._is_of_session = not record["follows"]
        if record.get("gone") is True and self._is_of_session:
            self._send({"error": f"{record['node']} is gone"})
        else:
            self._send({"notice": notice} if notice else record)


class EventsOfNodes:
    """Events in the order of their times; those of one node always in the order of that node.

    An event is sent after `HOLD_SECONDS`, or at once if it arrives later than that. A node whose
    clock is ahead delays nothing: then the time of the arrival counts.
    """

    def __init__(
        self, clock: Any, seconds: Callable[[], float], own: str, here: Feed, others: Feed
    ) -> None:
        self._own = own
        self._seconds = seconds
        self._feeds = (here, others)
        self._send: Send = bool
        self._held: list[tuple[float, int, Record]] = []
        self._numbers = count()
        self._last: dict[str, float] = {}
        """The time that counts of the last event of each node."""
        self._timer = LoopingCall(self._tick)
        self._timer.clock = clock

    def start(self, send: Send) -> None:
        """Call ``send`` with each record: an event, or a ``notice``."""
        self._send = send
        started = self._timer.start(TICK_SECONDS, now=False)
        started.addErrback(lambda failure: log.failure("the events of nodes failed", failure))
        for feed in self._feeds:
            feed.start(self._take)

    def stop(self) -> None:
        """Send nothing more."""
        self._send = bool
        if self._timer.running:
            self._timer.stop()
        for feed in self._feeds:
            feed.stop()
        self._held.clear()

    def _take(self, record: Record) -> None:
        now, notice = self._seconds(), notice_of(record)
        name = record.get("node", self._own)
        if "error" in record:
            notice = f"{name}: {record['error']}"
        shown = {"notice": notice} if notice else {"node": name, **record}
        at = max(self._last.get(name, 0.0), min(record.get("at", now), now))
        self._last[name] = at
        heapq.heappush(self._held, (at, next(self._numbers), shown))

    def _tick(self) -> None:
        until = self._seconds() - HOLD_SECONDS
        while self._held and self._held[0][0] <= until:
            self._send(heapq.heappop(self._held)[2])


class TraceOfNodes:
    """The records of the traces of all nodes, with times since this node's has begun."""

    def __init__(self, own: str, here: Feed, others: Feed) -> None:
        self._own = own
        self._feeds = (here, others)
        self._send: Send = bool
        self._since: float | None = None
        self._shifts: dict[str, float] = {}
        """By how much the trace of each node has begun later than that of this one."""
        self._early: list[Record] = []

    def start(self, send: Send) -> None:
        """Call ``send`` with each record."""
        self._send = send
        here, others = self._feeds
        others.start(self._take)
        here.start(self._take_own)

    def stop(self) -> None:
        """Send nothing more."""
        self._send = bool
        for feed in self._feeds:
            feed.stop()
        self._early.clear()

    def _take_own(self, record: Record) -> None:
        self._send({**record, "node": self._own})
        if "trace" in record and self._since is None:
            self._since = record["since"]
            early, self._early = self._early, []
            for one in early:
                self._take(one)

    def _take(self, record: Record) -> None:
        """Send a record of another node; the first one of each says when it has begun."""
        if self._since is None:
            if len(self._early) < MAX_EARLY:
                self._early.append(record)
            return
        name, notice = record.get("node", ""), notice_of(record)
        if notice:
            self._send({"notice": notice})
        elif "trace" in record:
            self._shifts[name] = record["since"] - self._since
        elif "at" in record:
            at = max(0.0, round(record["at"] + self._shifts.get(name, 0.0), 6))
            self._send({**record, "at": at})
