"""The bans of a cluster: a table that all nodes read, and write to when one begins or is lifted.

A message names the networks whose bans have changed, and the other nodes read these. A node that
may have missed messages compares all bans, in the thread of the database, and takes over what
differs in slices. A node keeps its bans while the database is away; what has changed meanwhile is
written then, and the later change of a network counts. Times are exchanged as seconds from now, as
the clocks of nodes may differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.defence.bans import (
    MAX_BANS,
    REMEMBERED_SECONDS,
    Ban,
    BanList,
    ban_network,
)
from ftpservice.accounts.defence.networks import Network
from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_listener import notify
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.events import BanLifted, Banned, Event

__all__ = ["BanDifference", "BanQuestion", "BanRow", "ClusterBans", "exchange_bans"]

log = Logger("ftpservice.cluster")

BANS = "bans"
MAX_WRITTEN = 1000
"""Bans that are written at a time."""
NETWORKS_PER_MESSAGE = 100
"""A message of NOTIFY has less than 8,000 bytes."""
SLICE = 200
"""Bans that are taken over before the reactor has its turn."""
SAME_SECONDS = 2.0
"""The difference of two times that are taken for the same one: messages take their time."""
READ = """
SELECT network, reason, extract(epoch FROM clock_timestamp() - changed)::float8,
    extract(epoch FROM until - clock_timestamp())::float8, times
FROM ftpservice_cluster_ban
"""
READ_ALL = f"{READ} ORDER BY until DESC NULLS FIRST LIMIT {MAX_BANS}"
READ_SOME = f"{READ} WHERE network = ANY(%s)"
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

T = TypeVar("T")


class BanRow(NamedTuple):
    """A ban as it is exchanged; one that was lifted has ended."""

    network: str
    reason: str
    age: float
    """Seconds since it began or was lifted."""
    left: float | None
    """Seconds until it ends, negative after that; None: until it is lifted."""
    times: int

    def is_same(self, other: BanRow | None) -> bool:
        """Return whether both are of the same ban."""
        if other is None or (self.reason, self.times) != (other.reason, other.times):
            return False
        ends = (math.inf if row.left is None else row.left for row in (self, other))
        return abs(self.age - other.age) < SAME_SECONDS and math.isclose(
            *ends, rel_tol=0.0, abs_tol=SAME_SECONDS
        )


class BanQuestion(NamedTuple):
    """What a node writes, and what it asks."""

    unwritten: Sequence[Ban]
    """The bans that the database may not have."""
    lifted: Mapping[str, float]
    """The bans that were lifted here, and when."""
    asked: Sequence[str] = ()
    """The networks that another node has changed."""
    all_here: Sequence[Ban] | None = None
    """All bans of the node, to be compared with those of the database."""


class BanDifference(NamedTuple):
    """What the bans of the database are, other than those of the node."""

    bans: list[Ban]
    absent: list[Network]
    """Networks without a ban."""
    settled: list[Ban]
    """The bans that were unwritten and are not any more."""
    invalid: frozenset[str] = frozenset()
    """What the table has in place of networks."""


def exchange_bans(
    connection: Any, run: str, question: BanQuestion, seconds: Callable[[], float]
) -> BanDifference:
    """Write what the database does not have, tell the other nodes, and read (blocks)."""
    now = seconds()
    whole = question.all_here
    if whole is not None:
        found = _read(connection, READ_ALL)
    else:
        found = _read(connection, READ_SOME, list(question.asked)) if question.asked else {}
    own = {row.network: row for row in (_row(ban, now) for ban in question.unwritten)}
    missing = [row for row in own.values() if not row.is_same(found.get(row.network))]
    later = {row.network for row in missing[MAX_WRITTEN:]}
    changes = missing[:MAX_WRITTEN]
    changes += [BanRow(network, "", now - at, 0.0, 0) for network, at in question.lifted.items()]
    if changes:
        _write(connection, run, changes)
        found |= _read(connection, READ_SOME, [row.network for row in changes])
    invalid = frozenset(name for name in found if _network(name) is None)
    for name in invalid:
        del found[name]
    here = own if whole is None else {row.network: row for row in (_row(ban, now) for ban in whole)}
    names = here if whole is not None else question.asked
    gone = [_network(name) for name in names if name not in found and name not in own]
    absent = [network for network in gone if network is not None]
    differing = [row for row in found.values() if not row.is_same(here.get(row.network))]
    settled = [ban for ban in question.unwritten if str(ban.network) not in later]
    return BanDifference([_ban(row, now) for row in differing], absent, settled, invalid)


def _network(name: str) -> Network | None:
    """Return the network of a row, None if it is not written as a node writes it."""
    try:
        network = ban_network(ip_network(name))
    except ValueError:
        return None
    return network if str(network) == name else None


def _read(connection: Any, statement: str, *values: Any) -> dict[str, BanRow]:
    rows = connection.execute(statement, values).fetchall()
    return {row[0]: BanRow(*row) for row in rows}


def _write(connection: Any, run: str, changes: list[BanRow]) -> None:
    """Write bans, and tell the other nodes: both or neither."""
    changes.sort(key=lambda row: row.network)  # all nodes lock them in the same order
    with connection.transaction():
        with connection.cursor() as cursor:
            cursor.executemany(WRITE, [row._asdict() for row in changes])
        for part in _parts([row.network for row in changes], NETWORKS_PER_MESSAGE):
            notify(connection, {"kind": BANS, "from": run, "networks": part})
    connection.execute(FORGET, (REMEMBERED_SECONDS,))


class ClusterBans:
    """A subscriber of `Banned` and `BanLifted`; ``seconds`` returns the time since the epoch."""

    def __init__(self, node: ClusterNode, bans: BanList, seconds: Callable[[], float]) -> None:
        self._node = node
        self._bans = bans
        self._seconds = seconds
        self._unwritten = {str(ban.network): ban for ban in bans.table.all()}
        """The bans of this node that the database may not have."""
        self._lifted: dict[str, float] = {}
        """The bans that were lifted here, and when, as far as the database does not know it."""
        self._asked: dict[str, None] = {}
        """The networks that other nodes have changed since the last exchange."""
        self._asks_all = True
        """Whether messages may have been lost."""
        self._is_asking = self._is_asked = False
        self._has_failed = False
        """Whether to exchange them again after the next heartbeat."""
        self._invalid: frozenset[str] = frozenset()
        """The invalid networks that were logged."""
        node.receivers.append(self.received)
        node.when_connected.append(self.exchange_all)
        node.when_beaten.append(self._beaten)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Banned):
            ban = self._bans.table.ban_for(ip_network(event.network))
            if ban is not None:
                self._lifted.pop(event.network, None)
                self._unwritten[event.network] = ban
                if len(self._unwritten) > MAX_BANS:
                    del self._unwritten[next(iter(self._unwritten))]
        elif isinstance(event, BanLifted):
            network = str(ban_network(ip_network(event.network)))
            self._unwritten.pop(network, None)
            self._lifted[network] = self._seconds()
        self.exchange()

    def received(self, message: Mapping[str, Any]) -> None:
        """Look what another node has changed."""
        if message["kind"] != BANS or message["from"] == self._node.facts.run:
            return
        networks = message.get("networks")
        if networks is None or len(self._asked) > MAX_BANS:
            self._asks_all = True
        else:
            self._asked.update(dict.fromkeys(map(str, networks)))
        self.exchange()

    def _beaten(self) -> None:
        if self._has_failed:
            self.exchange()

    def exchange_all(self) -> None:
        """Compare all bans: messages may have been lost."""
        self._asks_all = True
        self.exchange()

    def exchange(self) -> None:
        """Write what has changed here, and read what others have changed."""
        if self._is_asking:
            self._is_asked = True
            return
        self._is_asking, self._is_asked = True, False
        asking = Deferred.fromCoroutine(self._exchange(self._question()))
        asking.addErrback(self._failed)
        asking.addBoth(self._again)

    def _again(self, _none: object) -> None:
        self._is_asking = False
        if self._is_asked:
            self.exchange()

    def _question(self) -> BanQuestion:
        """Return what is to be written and asked next."""
        lifted, asked = dict(self._lifted), tuple(self._asked)
        self._asked.clear()
        if self._asks_all:
            self._asks_all = False
            return BanQuestion(tuple(self._unwritten.values()), lifted, (), self._bans.table.all())
        return BanQuestion(tuple(islice(self._unwritten.values(), MAX_WRITTEN)), lifted, asked)

    async def _exchange(self, question: BanQuestion) -> None:
        calls, run = self._node.calls, self._node.facts.run
        found = await calls.run(exchange_bans, run, question, self._seconds)
        self._has_failed = False
        for network, at in question.lifted.items():
            if self._lifted.get(network) == at:
                del self._lifted[network]
        for ban in found.settled:
            if self._unwritten.get(str(ban.network)) is ban:
                del self._unwritten[str(ban.network)]
        self._is_asked |= bool(self._unwritten)
        self._tell_invalid(found.invalid)
        for networks in _parts(found.absent, SLICE):
            self._bans.change((), [one for one in networks if not self._has_changed(one)])
            await deferLater(self._node.reactor, 0)
        for bans in _parts(found.bans, SLICE):
            self._bans.change([one for one in bans if not self._has_changed(one.network)])
            await deferLater(self._node.reactor, 0)

    def _tell_invalid(self, names: frozenset[str]) -> None:
        if names - self._invalid:
            log.error(
                "rows of ftpservice_cluster_ban are ignored, as their networks are not written like"
                " 203.0.113.0/24 or 203.0.113.7/32: {rows}",
                rows=", ".join(map(repr, islice(sorted(names - self._invalid), 10))),
            )
            self._invalid |= names

    def _has_changed(self, network: Network) -> bool:
        """Return whether a ban of this node is later than what the database has."""
        name = str(network)
        return name in self._unwritten or name in self._lifted

    def _failed(self, failure: Failure) -> None:
        self._asks_all = True
        if failure.check(*UNANSWERED) is None:
            log.failure("the bans of the cluster failed", failure)
            return
        if self._node.is_connected and not self._has_failed:
            log.error("the bans of the cluster: {reason}", reason=failure.getErrorMessage())
        self._has_failed = True


def _parts(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _row(ban: Ban, now: float) -> BanRow:
    left = None if ban.until == math.inf else ban.until - now
    return BanRow(str(ban.network), ban.reason, now - ban.since, left, ban.times)


def _ban(row: BanRow, now: float) -> Ban:
    until = math.inf if row.left is None else now + row.left
    return Ban(ip_network(row.network), row.reason, now - row.age, until, row.times)
