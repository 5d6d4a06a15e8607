"""The bans of a cluster: a table that all nodes read, and write to when one begins or is lifted.

A node keeps its bans while the database is away; what has changed meanwhile is written then, and
the later change of a network counts. Times are exchanged as seconds from now, as the clocks of
nodes may differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, NamedTuple

from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.defence.bans import REMEMBERED_SECONDS, Ban, BanList, ban_network
from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_listener import notify
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.events import BanLifted, Event

__all__ = ["BanRow", "ClusterBans", "exchange_bans"]

log = Logger("ftpservice.cluster")

BANS = "bans"
MAX_WRITTEN = 1000
"""Bans that are written at a time."""
READ = """
SELECT network, reason, extract(epoch FROM clock_timestamp() - changed)::float8,
    extract(epoch FROM until - clock_timestamp())::float8, times
FROM ftpservice_cluster_ban
"""
WRITE = """
INSERT INTO ftpservice_cluster_ban AS ban (network, reason, changed, until, times)
    VALUES (%(network)s, %(reason)s, clock_timestamp() - make_interval(secs => %(age)s),
        clock_timestamp() + make_interval(secs => %(left)s), %(times)s)
    ON CONFLICT (network) DO UPDATE
        SET reason = excluded.reason, changed = excluded.changed, until = excluded.until,
            times = excluded.times
        WHERE excluded.changed > ban.changed
"""
FORGET = (
    "DELETE FROM ftpservice_cluster_ban WHERE until < clock_timestamp() - make_interval(secs => %s)"
)


class BanRow(NamedTuple):
    """A ban as it is exchanged; one that was lifted has ended."""

    network: str
    reason: str
    age: float
    """Seconds since it began or was lifted."""
    left: float | None
    """Seconds until it ends, negative after that; None: until it is lifted."""
    times: int


def exchange_bans(
    connection: Any, run: str, changes: Sequence[BanRow], seconds: Callable[[], float]
) -> list[Ban]:
    """Write what has changed, tell the other nodes, and return all bans (blocks)."""
    if changes:
        with connection.cursor() as cursor:
            cursor.executemany(WRITE, [row._asdict() for row in changes])
        connection.execute(FORGET, (REMEMBERED_SECONDS,))
        notify(connection, {"kind": BANS, "from": run})
    rows = connection.execute(READ).fetchall()
    now = seconds()
    return [_ban(BanRow(*row), now) for row in rows]


class ClusterBans:
    """A subscriber of `Banned` and `BanLifted`; ``seconds`` returns the time since the epoch."""

    def __init__(self, node: ClusterNode, bans: BanList, seconds: Callable[[], float]) -> None:
        self._node = node
        self._bans = bans
        self._seconds = seconds
        self._known: dict[str, float] = {}
        """The bans that are in the database: when they began."""
        self._lifted: dict[str, float] = {}
        """The bans that were lifted here, and when, as far as the database does not know it."""
        self._is_asking = self._is_asked = False
        self._has_failed = False
        """Whether to exchange them again after the next heartbeat."""
        node.receivers.append(self.received)
        node.when_connected.append(self.exchange)
        node.when_beaten.append(self._beaten)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, BanLifted):
            network = str(ban_network(ip_network(event.network)))
            self._lifted[network] = self._seconds()
        self.exchange()

    def received(self, message: Mapping[str, Any]) -> None:
        """Look what another node has changed."""
        if message["kind"] == BANS and message["from"] != self._node.facts.run:
            self.exchange()

    def _beaten(self) -> None:
        if self._has_failed:
            self.exchange()

    def exchange(self) -> None:
        """Write what has changed here, and read what others have changed."""
        if self._is_asking:
            self._is_asked = True
            return
        self._is_asking, self._is_asked = True, False
        now, run = self._seconds(), self._node.facts.run
        unknown, lifted = self._unknown(), dict(self._lifted)
        self._is_asked = len(unknown) > MAX_WRITTEN
        unknown = unknown[:MAX_WRITTEN]
        rows = [_row(ban, now) for ban in unknown]
        rows += [BanRow(network, "", now - at, 0.0, 0) for network, at in lifted.items()]
        rows.sort(key=lambda row: row.network)  # all nodes lock them in the same order
        asking = self._node.calls.run(exchange_bans, run, rows, self._seconds)
        asking.addCallbacks(self._exchanged, self._unanswered, callbackArgs=(unknown, lifted))
        asking.addErrback(lambda failure: log.failure("the bans of the cluster failed", failure))
        asking.addBoth(self._again)

    def _again(self, _none: object) -> None:
        self._is_asking = False
        if self._is_asked:
            self.exchange()

    def _unknown(self) -> list[Ban]:
        """Return the bans of this node that the database does not have."""
        known = self._known
        return [ban for ban in self._bans.known_bans() if known.get(str(ban.network)) != ban.since]

    def _unanswered(self, failure: Failure) -> None:
        failure.trap(*UNANSWERED)
        if self._node.is_connected and not self._has_failed:
            log.error("the bans of the cluster: {reason}", reason=failure.getErrorMessage())
        self._has_failed = True

    def _exchanged(self, bans: list[Ban], written: list[Ban], lifted: Mapping[str, float]) -> None:
        """Use the bans of the database, and what has changed here since it was asked."""
        self._has_failed = False
        for network, at in lifted.items():
            if self._lifted.get(network) == at:
                del self._lifted[network]
        was_written = {(ban.network, ban.since) for ban in written}
        unknown = self._unknown()
        newer = [ban for ban in unknown if (ban.network, ban.since) not in was_written]
        found = {str(ban.network): ban for ban in bans if str(ban.network) not in self._lifted}
        self._known = {network: ban.since for network, ban in found.items()}
        found |= {str(ban.network): ban for ban in newer}
        self._bans.load(found.values())


def _row(ban: Ban, now: float) -> BanRow:
    left = None if ban.until == math.inf else ban.until - now
    return BanRow(str(ban.network), ban.reason, now - ban.since, left, ban.times)


def _ban(row: BanRow, now: float) -> Ban:
    until = math.inf if row.left is None else now + row.left
    return Ban(ip_network(row.network), row.reason, now - row.age, until, row.times)
