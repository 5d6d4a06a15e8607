"""The sessions of the other nodes of a cluster, as their `LiveFeed` tells, while somebody watches.

What is known of a node is dropped when it is gone, or when the database does not answer: an old
state must not be taken for a new one. The feeds then begin again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime

from ftpservice.activity.event_feed import Feed
from ftpservice.activity.live.live_changes import Row, RowKey, key_of

__all__ = ["NodeSessions"]

AGAIN_SECONDS = 5.0
"""The least time between two begins of the feeds."""


class _OneNode:
    """What is known of a node."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.rows: dict[RowKey, Row] = {}
        self.moved: dict[str, int] = {}
        self.change(record["node"], record["sessions"], record["moved"])

    def change(self, name: str, changed: list[Row], moved: list[tuple[str, int]]) -> None:
        """Take new rows and bytes; the bytes of ended transfers are dropped."""
        for row in changed:
            row["node"] = name
            key = key_of(row)
            self._forget(key, row)
            self.rows[key] = row
        self.moved.update(moved)

    def remove(self, name: str, number: int) -> None:
        """Remove a session."""
        key = f"{name}:{number}"
        self._forget(key, None)
        self.rows.pop(key, None)

    def _forget(self, key: RowKey, row: Row | None) -> None:
        """Forget the transfers that a session does not have any more."""
        before = self.rows.get(key)
        if before is not None:
            kept = {one["id"] for one in row["transfers"]} if row is not None else set()
            for transfer in before["transfers"]:
                if transfer["id"] not in kept:
                    self.moved.pop(transfer["id"], None)


class NodeSessions:
    """The sessions of other nodes between `begin` and `end`; ``own`` is the name of this node."""

    def __init__(self, own: str, feed: Feed, clock: IReactorTime) -> None:
        self.own = own
        self._feed = feed
        self._clock = clock
        self._nodes: dict[str, _OneNode] = {}
        self._begun_at = 0.0
        self._is_running = False
        self.away = ""
        """Why the sessions of other nodes are not known; empty: they are."""
        self._counts = [0, 0]

    def begin(self) -> None:
        """Ask the other nodes."""
        if not self._is_running:
            self._is_running = True
            self._start()

    def end(self) -> None:
        """Ask no more."""
        if self._is_running:
            self._is_running = False
            self._feed.stop()
            self._forget("")

    def add_to(self, rows: dict[RowKey, Row], moved: dict[str, int]) -> None:
        """Add the sessions, by key, and the bytes of their transfers."""
        for node in self._nodes.values():
            rows.update(node.rows)
            moved.update(node.moved)

    def counts(self) -> dict[str, int]:
        """Return how many events and problems other nodes had since the call before."""
        (events, problems), self._counts = self._counts, [0, 0]
        return {"events": events, "problems": problems}

    @property
    def names(self) -> list[str]:
        """The nodes whose sessions are known."""
        return sorted((self.own, *self._nodes))

    def _start(self) -> None:
        self._forget("")
        self._begun_at = self._clock.seconds()
        self._feed.start(self._take)

    def _forget(self, away: str) -> None:
        self._nodes.clear()
        self._counts = [0, 0]
        self.away = away

    def _take(self, record: dict[str, Any]) -> None:
        name = record.get("node", "")
        if "sessions" in record:
            self._nodes[name] = _OneNode(record)
        elif "changed" in record:
            self._change(name, record)
        elif "gone" in record:
            self._nodes.pop(name, None)
        elif "away" in record:
            self._forget(record["away"])
        elif "back" in record:
            self._again(0.0)

    def _change(self, name: str, record: dict[str, Any]) -> None:
        node = self._nodes.get(name)
        if node is None:  # it was gone for a while
            self._again(AGAIN_SECONDS)
            return
        for number in record["gone"]:
            node.remove(name, number)
        node.change(name, record["changed"], record["moved"])
        self._counts[0] += record["events"]
        self._counts[1] += record["problems"]

    def _again(self, least: float) -> None:
        """Have all nodes send all they have, soon: the feed is within a record."""
        if self._clock.seconds() >= self._begun_at + least:
            self._begun_at = self._clock.seconds()
            self._clock.callLater(0, self._restart)

    def _restart(self) -> None:
        if self._is_running:
            self._feed.stop()
            self._start()
