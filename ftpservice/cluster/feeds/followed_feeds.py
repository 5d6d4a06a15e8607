"""The feeds of other nodes that this node follows.

Each record has the name of its ``node``. The records of a run come in their order, and each once.
Others tell of the nodes: ``begun`` (this one sends from now on), ``gone`` (this one is), ``away``
(why the database cannot be used) and ``back`` (it can again).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Container, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.feeds.feed_statements import (
    ALL,
    RECORDS,
    OpenFeed,
    RecordRow,
    keep_feeds,
    take_records,
)

__all__ = ["FollowedFeed", "FollowedFeeds"]

log = Logger("ftpservice.cluster")

AWAY_TEXT = "the database of the cluster cannot be used: {}"

Record = dict[str, Any]


class FollowedFeed:
    """The records of other nodes, between `start` and `stop`."""

    def __init__(self, feeds: FollowedFeeds, request: Mapping[str, Any], target: str) -> None:
        self._feeds = feeds
        self._target = target
        self._body = json.dumps(request)
        self._send: Callable[[Record], object] = bool
        self._received: dict[str, int] = {}
        """The number of the last row of each run."""
        self._names: dict[str, str] = {}
        """The nodes that have sent something, and are not gone, by their run."""
        self._is_away = self._is_known = False
        self._is_reading = self._reads_again = False
        self.id = ""

    @property
    def facts(self) -> OpenFeed:
        """What the database says of it."""
        return OpenFeed(self.id, self._target, self._body)

    def start(self, send: Callable[[Record], object]) -> None:
        """Call ``send`` with each record."""
        self._send, self.id = send, secrets.token_hex(8)
        self._received, self._names, self._is_away, self._is_known = {}, {}, False, False
        self._feeds.add(self)

    def stop(self) -> None:
        """Send nothing more."""
        self._send = bool
        self._feeds.remove(self)

    def kept(self, others: Mapping[str, str]) -> None:
        """Note the other nodes, by run: the database has the feed."""
        if self._is_away:
            self._is_away = False
            self._send({"back": True})
        if not self._is_known and self._target not in (ALL, *others.values()):
            self._send({"error": f"there is no node {self._target!r} in the cluster"})
        self._is_known = True
        self.alive(others)

    def alive(self, runs: Container[str]) -> None:
        """Tell which nodes are gone that have sent something."""
        for run in [one for one in self._names if one not in runs]:
            name = self._names.pop(run)
            if name not in self._names.values():
                self._send({"node": name, "gone": True})

    def away(self, reason: str) -> None:
        """Tell that the database cannot be used."""
        if self._is_away:
            return
        self._is_away = True
        text = AWAY_TEXT.format(reason)
        is_needed = self._target != ALL and not self._is_known
        self._send({"error": text} if is_needed else {"away": text})

    def read(self) -> None:
        """Read what has arrived."""
        if self._is_reading:
            self._reads_again = True
            return
        self._is_reading, self._reads_again = True, False
        reading = Deferred.fromCoroutine(self._read(self.id)).addErrback(self._not_read)
        reading.addErrback(lambda failure: log.failure("a feed of another node failed", failure))
        reading.addBoth(self._read_again)

    async def _read(self, id: str) -> None:
        """Send the records of rows that are new; each row has a turn of the reactor of its own."""
        node = self._feeds.node
        rows, has_more = await node.feed_calls.run(take_records, id, dict(self._received))
        self._reads_again |= has_more
        for row in rows:
            if id == self.id and row.number > self._received.get(row.run, 0):
                self._take(row)
                await deferLater(node.reactor, 0)

    def _take(self, row: RecordRow) -> None:
        self._received[row.run] = row.number
        self._names[row.run] = row.node
        for record in json.loads(row.body):
            self._send({"node": row.node, **record})

    def _not_read(self, failure: Failure) -> None:
        failure.trap(*UNANSWERED)
        self._feeds.has_failed = True

    def _read_again(self, _none: object) -> None:
        self._is_reading = False
        if self._reads_again and self._feeds.follows(self):
            self.read()


class FollowedFeeds:
    """What this node follows."""

    def __init__(self, node: ClusterNode) -> None:
        self.node = node
        self._open: dict[str, FollowedFeed] = {}
        self._is_keeping = self._keeps_again = False
        self.has_failed = False
        """Whether to ask again after the next heartbeat."""
        node.receivers.append(self.message)
        node.when_connected.append(self._ask)
        node.when_counted_again.append(self._ask)
        node.when_beaten.append(self._beaten)
        node.when_alone.append(self._alone)

    def follow(self, command: str, request: Mapping[str, Any], target: str = ALL) -> FollowedFeed:
        """Return a feed of a node by its name, or of all others."""
        return FollowedFeed(self, {**request, "command": command}, target)

    def follows(self, feed: FollowedFeed) -> bool:
        """Return whether a feed has begun and not ended."""
        return self._open.get(feed.id) is feed

    def add(self, feed: FollowedFeed) -> None:
        """Ask the nodes for a feed."""
        self._open[feed.id] = feed
        self._keep()

    def remove(self, feed: FollowedFeed) -> None:
        """Ask for a feed no more."""
        if self._open.pop(feed.id, None) is not None:
            self._keep()

    def message(self, message: Mapping[str, Any]) -> None:
        """Read what a node has sent."""
        if message["kind"] == RECORDS and message["to"] == self.node.facts.run:
            feed = self._open.get(message["feed"])
            if feed is not None:
                feed.read()

    def _ask(self) -> None:
        """Ask again: the nodes and the database may know nothing of the feeds."""
        self._keep()
        for feed in tuple(self._open.values()):
            feed.read()

    def _beaten(self) -> None:
        for feed in tuple(self._open.values()):
            feed.alive(self.node.others)
        if self.has_failed:
            self.has_failed = False
            self._ask()

    def _alone(self) -> None:
        for feed in tuple(self._open.values()):
            feed.away(self.node.status.problem)

    def _keep(self) -> None:
        """Have the database know the feeds."""
        if self._is_keeping:
            self._keeps_again = True
            return
        self._is_keeping, self._keeps_again = True, False
        feeds = tuple(self._open.values())
        facts = [one.facts for one in feeds]
        keeping = self.node.feed_calls.run(keep_feeds, self.node.facts.run, facts)
        keeping.addCallbacks(
            self._kept, self._not_kept, callbackArgs=(feeds,), errbackArgs=(feeds,)
        )
        keeping.addErrback(lambda failure: log.failure("feeds cannot be followed", failure))
        keeping.addBoth(self._keep_again)

    def _keep_again(self, _none: object) -> None:
        self._is_keeping = False
        if self._keeps_again:
            self._keep()

    def _kept(self, others: dict[str, str], feeds: tuple[FollowedFeed, ...]) -> None:
        for feed in filter(self.follows, feeds):
            feed.kept(others)

    def _not_kept(self, failure: Failure, feeds: tuple[FollowedFeed, ...]) -> None:
        failure.trap(*UNANSWERED)
        self.has_failed = True
        for feed in filter(self.follows, feeds):
            feed.away(failure.getErrorMessage())
