"""What a node tells and asks the database of its cluster; each function blocks.

All times are those of the database's clock, so the clocks of nodes need not agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = [
    "Claim",
    "FleetView",
    "Grant",
    "NodeFacts",
    "NodeState",
    "beat",
    "claim",
    "database_seconds",
    "forget_gone",
    "known_nodes",
    "leave",
]

MAX_SPARE_PLACES = 64
"""Places beyond those in use that a node gets, for sessions that begin without a question."""
GONE_SECONDS = 3600.0
"""How long a node that is gone is listed."""
BEAT = """
WITH before AS (
    SELECT until > clock_timestamp() AS is_alive FROM ftpservice_cluster_node WHERE run = %(run)s
), beat AS (
    INSERT INTO ftpservice_cluster_node AS node
        (run, name, version, address, until, sessions, health)
        VALUES (%(run)s, %(name)s, %(version)s, coalesce(host(inet_client_addr()), ''),
            clock_timestamp() + make_interval(secs => %(seconds)s), %(sessions)s, %(health)s)
    ON CONFLICT (run) DO UPDATE
        SET until = excluded.until, sessions = excluded.sessions, health = excluded.health,
            version = excluded.version
)
SELECT coalesce((SELECT is_alive FROM before), false),
    array(SELECT run FROM ftpservice_cluster_node
        WHERE run <> %(run)s AND until > clock_timestamp()),
    EXISTS (SELECT 1 FROM ftpservice_cluster_node
        WHERE run <> %(run)s AND name = %(name)s AND until > clock_timestamp())
"""
CLAIM = (
    "SELECT places, is_elsewhere FROM ftpservice_cluster_claim(%s, %s, %s, %s,"
    " %s::bigint[], %s::bigint[], %s::bigint[], %s)"
)
NODES = """
SELECT run, name, version, address, sessions, health, until > clock_timestamp(),
    extract(epoch FROM clock_timestamp() - started)::float8,
    extract(epoch FROM clock_timestamp() - until)::float8
FROM ftpservice_cluster_node ORDER BY name, started
"""


@dataclass(frozen=True)
class NodeFacts:
    """What a node is from its start on; ``run`` is unique, ``name`` is the administrator's."""

    run: str
    name: str
    version: str


@dataclass(frozen=True)
class NodeState:
    """What a node says of itself with each heartbeat."""

    sessions: int = 0
    health: str = "ready"


class FleetView(NamedTuple):
    """What a heartbeat returns."""

    was_alive: bool
    """Whether the node counted as alive until now, and its places as taken."""
    others: tuple[str, ...]
    """The runs of the other nodes that are alive."""
    has_namesake: bool
    """Whether one of them has the same name."""


class Claim(NamedTuple):
    """The places of one key: those with sessions, and those that are needed now."""

    kind: str
    name: str
    used: int
    needed: int
    limit: int


class Grant(NamedTuple):
    """The places that a node has from now on; ``is_elsewhere``: others have unused ones."""

    places: int
    is_elsewhere: bool


def beat(connection: Any, facts: NodeFacts, state: NodeState, seconds: float) -> FleetView:
    """Have a node count as alive for some seconds."""
    values = {**vars(facts), **vars(state), "seconds": seconds}
    row = connection.execute(BEAT, values).fetchone()
    return FleetView(bool(row[0]), tuple(row[1]), bool(row[2]))


def claim(
    connection: Any,
    run: str,
    number: int,
    claims: Sequence[Claim],
    most_spare: int = MAX_SPARE_PLACES,
) -> list[Grant]:
    """Set the places of a node, as far as the limits of all nodes together allow.

    ``number`` is higher with each call of a node: a claim fails that is carried out after a later
    one, or if the node is not in the cluster. ``claims`` are sorted by kind and name here: all
    nodes lock them in the same order.
    """
    order = sorted(range(len(claims)), key=lambda index: claims[index][:2])
    columns = [list(column) for column in zip(*(claims[index] for index in order), strict=True)]
    rows = connection.execute(CLAIM, (run, number, *columns, most_spare)).fetchall()
    found = {index: Grant(*row) for index, row in zip(order, rows, strict=True)}
    return [found[index] for index in range(len(claims))]


def leave(connection: Any, run: str) -> None:
    """Remove a node, whose places are free then."""
    connection.execute("DELETE FROM ftpservice_cluster_node WHERE run = %s", (run,))


def forget_gone(connection: Any) -> None:
    """Remove the nodes that have been gone for long, and requests that nobody has taken back."""
    for table, column in (("node", "until"), ("request", "at")):
        connection.execute(
            f"DELETE FROM ftpservice_cluster_{table}"
            f" WHERE {column} < clock_timestamp() - make_interval(secs => %s)",
            (GONE_SECONDS,),
        )


def database_seconds(connection: Any) -> float:
    """Return the time of the database since the epoch."""
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    return float(row[0])


def known_nodes(connection: Any) -> list[dict[str, Any]]:
    """Return the nodes, also those that are gone."""
    names = ("run", "name", "version", "address", "sessions", "health", "is_alive", "up", "gone")
    rows = connection.execute(NODES).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]
