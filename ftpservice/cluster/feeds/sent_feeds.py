"""The feeds that this node sends to others.

Records wait here until the database has them: one row at a time, again and again with the same
number if the database does not answer. A crash of it removes the feeds, which their owners ask for
again: until they can have done so, a feed that is not there any more is kept. What does not fit is
dropped, and told by a record ``lost``; the feed then begins again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.activity.event_feed import Feed, HoldingFeed
from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.feeds.feed_statements import (
    FEEDS,
    OpenFeed,
    PutResult,
    RecordRow,
    open_feeds,
    put_records,
)
from ftpservice.concurrency.timers import Deadline

__all__ = ["FeedMaker", "SentFeeds"]

log = Logger("ftpservice.cluster")

SEND_SECONDS = 0.2
"""How long records wait for others, with which they are sent."""
RETRY_SECONDS = 1.0
DOUBT_SECONDS = 15.0
"""After the database was away, or did not know this node: how long feeds are kept that it does not
have."""
MAX_WAITING = 5000
"""Records that wait for the database."""
MAX_RECORDS, MAX_CHARS = 500, 1 << 18
"""Of one row, which has at least one record: to read and to write it takes some milliseconds."""

FeedMaker = Callable[[Mapping[str, Any]], Feed]
"""Returns the feed that a request asks for; raises `BadRequest`."""


class SentFeed:
    """One feed of ``feeds``."""

    def __init__(self, feeds: SentFeeds, facts: OpenFeed) -> None:
        self._feeds = feeds
        self._node = node = feeds.node
        self._facts = facts
        self._feed: Feed | None = None
        self._waiting: list[dict[str, Any]] = []
        self._row: RecordRow | None = None
        """What the database has not confirmed."""
        self._sending: Deferred[None] | None = None
        self._due = Deadline(node.reactor, self._send)
        self._is_scheduled = False

    def begin(self, make: FeedMaker, request: Mapping[str, Any]) -> None:
        """Send the records of a feed; or an ``error`` if this node refuses it."""
        try:
            self._feed = make(request)
        except BadRequest as error:
            self._add({"error": str(error)})
        else:
            self._add({"begun": True})
            self._feed.start(self._add)

    def stop(self) -> None:
        """Send nothing more."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.stop()
        self._due.clear()
        self._waiting.clear()

    async def finish(self) -> None:
        """Send what is left, as far as the database takes it."""
        if isinstance(self._feed, HoldingFeed):
            self._feed.flush()
        while self._waiting or self._row is not None:
            if self._sending is None:
                self._send()
            if self._sending is not None:
                await self._sending
            if self._row is not None:  # it was not stored
                return

    def _add(self, record: dict[str, Any]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._begin_again()
            return
        self._waiting.append(record)
        self._send_within(SEND_SECONDS)

    def _begin_again(self) -> None:
        """Drop what waits, and have the feed begin again."""
        lost, self._waiting = len(self._waiting) + 1, []
        feed = self._feed
        if feed is not None:
            feed.stop()
            self._waiting.append({"lost": lost})
            feed.start(self._add)

    def _send_within(self, seconds: float) -> None:
        if self._sending is None and not self._is_scheduled and not self._node.is_closing:
            self._is_scheduled = True
            self._due.set(seconds)

    def _send(self) -> None:
        self._is_scheduled = False
        self._due.clear()
        if self._row is None and self._waiting:
            self._row = self._next_row()
        if self._row is None or self._sending is not None:
            return
        self._sending = Deferred()
        putting = self._node.feed_calls.run(put_records, self._facts, self._row)
        putting.addCallbacks(self._put, self._not_put)
        putting.addErrback(lambda failure: log.failure("a feed cannot be sent", failure))
        putting.addBoth(self._sent)

    def _next_row(self) -> RecordRow:
        texts: list[str] = []
        size = 0
        for record in self._waiting[:MAX_RECORDS]:
            text = json.dumps(record, separators=(",", ":"))
            size += len(text)
            if texts and size > MAX_CHARS:
                break
            texts.append(text)
        del self._waiting[: len(texts)]
        facts = self._node.facts
        return RecordRow(
            facts.run, facts.name, next(self._node.row_numbers), f"[{','.join(texts)}]"
        )

    def _put(self, result: PutResult) -> float:
        if not result.is_open:
            if result.is_certain and not self._feeds.is_in_doubt:
                self._row = None
                self._feeds.end(self._facts.id)
        elif result.is_stored:
            self._row = None
            return SEND_SECONDS
        return RETRY_SECONDS

    def _not_put(self, failure: Failure) -> float:
        failure.trap(*UNANSWERED)
        return RETRY_SECONDS

    def _sent(self, seconds: float | None) -> None:
        sending, self._sending = self._sending, None
        if self._row is not None or self._waiting:
            self._send_within(seconds or RETRY_SECONDS)
        if sending is not None:
            sending.callback(None)


class SentFeeds:
    """Sends what other nodes ask for; ``feeds`` are those of this node, by the name of a request.

    ``looked`` is called when the first look whether some ask for a feed has succeeded.
    """

    def __init__(
        self, node: ClusterNode, feeds: Mapping[str, FeedMaker], looked: Callable[[], object]
    ) -> None:
        self.node = node
        self._feeds = feeds
        self._looked = looked
        self._doubt_until = 0.0
        self._sent: dict[str, SentFeed] = {}
        self._is_looking = self._looks_again = self._is_finished = False
        self._has_failed = False
        """Whether to look again after the next heartbeat."""
        node.receivers.append(self.received)
        node.when_connected.append(self.look)
        node.when_counted_again.append(self._counted_again)
        node.when_alone.append(self._alone)
        node.when_beaten.append(self._beaten)
        node.before_closing.append(self.finish)

    def received(self, message: Mapping[str, Any]) -> None:
        """Look at the feeds after another node has told of a change."""
        if message["kind"] == FEEDS and message["from"] != self.node.facts.run:
            self.look()

    @property
    def is_in_doubt(self) -> bool:
        """Whether owners may not have asked for their feeds again."""
        return bool(self.node.reactor.seconds() < self._doubt_until)

    def _alone(self) -> None:
        self._doubt_until = math.inf

    def _counted_again(self) -> None:
        if self.node.joined.called:
            self._doubt_until = self.node.reactor.seconds() + DOUBT_SECONDS
        self.look()

    def end(self, id: str) -> None:
        """End a feed that nobody waits for."""
        if id in self._sent:
            self._sent.pop(id).stop()

    def look(self) -> None:
        """Begin and end feeds as others want."""
        if self._is_looking or self._is_finished:
            self._looks_again = True
            return
        self._is_looking, self._looks_again = True, False
        facts = self.node.facts
        looking = self.node.feed_calls.run(open_feeds, facts.run, facts.name)
        looking.addCallbacks(self._found, self._not_found)
        looking.addErrback(lambda failure: log.failure("the feeds of the cluster failed", failure))
        looking.addBoth(self._look_again)

    def _look_again(self, _none: object) -> None:
        self._is_looking = False
        if self._looks_again:
            self.look()

    def _beaten(self) -> None:
        if self._has_failed:
            self.look()

    def _not_found(self, failure: Failure) -> None:
        failure.trap(*UNANSWERED)
        self._has_failed = True

    def _found(self, wanted: list[OpenFeed]) -> None:
        self._has_failed = False
        if self._is_finished:
            return
        ids = {one.id for one in wanted}
        missing = [one for one in self._sent if one not in ids]
        if self.is_in_doubt:
            self._has_failed = bool(missing)
        else:
            for id in missing:
                self.end(id)
        for one in wanted:
            if one.id not in self._sent:
                self._begin(one)
        self._looked()

    def _begin(self, facts: OpenFeed) -> None:
        request = json.loads(facts.body)
        make = self._feeds.get(request.pop("command"), _unknown)
        sent = self._sent[facts.id] = SentFeed(self, facts)
        try:
            sent.begin(make, request)
        except Exception:  # noqa: BLE001 - the other feeds have to go on
            log.failure("a feed for another node failed")

    async def finish(self) -> None:
        """Send the last records, before this node leaves."""
        self._is_finished = True
        for one in tuple(self._sent.values()):
            await one.finish()
            one.stop()
        self._sent.clear()


def _unknown(_request: Mapping[str, Any]) -> Feed:
    raise BadRequest("this version cannot send that")
