"""What nodes tell and ask the database about feeds; each function blocks.

A feed is a row: its owner asks other nodes to send records of a kind. What a node sends are rows of
several records each, with numbers that rise within a run. The owner deletes them by their numbers
after it has them: so a row that is written again, or read again, is no second one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ftpservice.cluster.cluster_listener import notify

__all__ = [
    "ALL",
    "FEEDS",
    "RECORDS",
    "OpenFeed",
    "PutResult",
    "RecordRow",
    "keep_feeds",
    "open_feeds",
    "put_records",
    "take_records",
]

ALL = "all"
"""The target of a feed that all other nodes send."""
FEEDS, RECORDS = "feeds", "records"
"""Messages: a node has begun or ended feeds; a node has sent records."""
OWNER_SECONDS = 60.0
"""How long an owner may be gone before nothing more is sent to it."""
MAX_UNREAD_ROWS = 100
"""Rows of a node that the owner of a feed has not received: more have to wait."""
MAX_TAKEN_ROWS = 100
PUT = """
WITH feed AS (
    SELECT feed.id FROM ftpservice_cluster_feed feed
        JOIN ftpservice_cluster_node node ON node.run = feed.owner
        WHERE feed.id = %(feed)s
            AND node.until > clock_timestamp() - make_interval(secs => %(seconds)s)
), unread AS (
    SELECT count(*) < %(most)s AS has_room FROM ftpservice_cluster_record
        WHERE feed = %(feed)s AND run = %(run)s
), stored AS (
    INSERT INTO ftpservice_cluster_record (feed, run, number, node, body)
        SELECT id, %(run)s, %(number)s, %(node)s, %(body)s FROM feed, unread WHERE has_room
        ON CONFLICT DO NOTHING
)
SELECT EXISTS (SELECT FROM feed), has_room,
    EXISTS (SELECT FROM ftpservice_cluster_node WHERE run = %(run)s) FROM unread
"""


class OpenFeed(NamedTuple):
    """A feed that its owner waits for; ``body`` says what is asked, in JSON."""

    id: str
    target: str
    """The name of a node, or `ALL`."""
    body: str
    owner: str = ""
    """The run of the owner, for the nodes that send."""


class RecordRow(NamedTuple):
    """Records of a node; ``body`` is a JSON array."""

    run: str
    node: str
    number: int
    body: str


class PutResult(NamedTuple):
    """Whether the feed goes on, and whether the records are stored."""

    is_open: bool
    is_stored: bool
    is_certain: bool
    """Whether the database knows the node; otherwise a crash has emptied its tables."""


def keep_feeds(connection: Any, run: str, feeds: Sequence[OpenFeed]) -> dict[str, str]:
    """Have these feeds be all that a node owns; returns the names of the other nodes by run."""
    ids = [one.id for one in feeds]
    gone = connection.execute(
        "DELETE FROM ftpservice_cluster_feed WHERE owner = %s AND NOT id = ANY(%s)", (run, ids)
    ).rowcount
    added = 0
    for one in feeds:
        added += connection.execute(
            "INSERT INTO ftpservice_cluster_feed (id, owner, target, body)"
            " SELECT %s, run, %s, %s FROM ftpservice_cluster_node WHERE run = %s"
            " ON CONFLICT DO NOTHING",
            (one.id, one.target, one.body, run),
        ).rowcount
    if gone or added:
        notify(connection, {"kind": FEEDS, "from": run})
    rows = connection.execute(
        "SELECT run, name FROM ftpservice_cluster_node"
        " WHERE run <> %s AND until > clock_timestamp()",
        (run,),
    ).fetchall()
    return {str(other): str(name) for other, name in rows}


def open_feeds(connection: Any, run: str, name: str) -> list[OpenFeed]:
    """Return what other nodes ask a node to send."""
    rows = connection.execute(
        "SELECT feed.id, feed.target, feed.body, feed.owner FROM ftpservice_cluster_feed feed"
        " JOIN ftpservice_cluster_node node ON node.run = feed.owner"
        " WHERE feed.owner <> %s AND feed.target IN (%s, %s)"
        " AND node.until > clock_timestamp() - make_interval(secs => %s)",
        (run, name, ALL, OWNER_SECONDS),
    ).fetchall()
    return [OpenFeed(*map(str, row)) for row in rows]


def put_records(connection: Any, feed: OpenFeed, row: RecordRow) -> PutResult:
    """Store records of a node, and tell the owner of the feed."""
    values = {**row._asdict(), "feed": feed.id, "seconds": OWNER_SECONDS, "most": MAX_UNREAD_ROWS}
    is_open, has_room, is_certain = connection.execute(PUT, values).fetchone()
    if is_open:
        message = {"kind": RECORDS, "from": row.run, "to": feed.owner, "feed": feed.id}
        notify(connection, message)
    return PutResult(bool(is_open), bool(has_room), bool(is_certain))


def take_records(
    connection: Any, feed: str, received: Mapping[str, int]
) -> tuple[list[RecordRow], bool]:
    """Return what has arrived, in order, and whether there is more.

    ``received`` has the number of the last row of each run: those before it are deleted.
    """
    if received:
        connection.execute(
            "DELETE FROM ftpservice_cluster_record record"
            " USING unnest(%s::text[], %s::bigint[]) AS received (run, number)"
            " WHERE record.feed = %s AND record.run = received.run"
            " AND record.number <= received.number",
            (list(received), list(received.values()), feed),
        )
    rows = connection.execute(
        "SELECT run, node, number, body FROM ftpservice_cluster_record"
        " WHERE feed = %s ORDER BY run, number LIMIT %s",
        (feed, MAX_TAKEN_ROWS),
    ).fetchall()
    return [RecordRow(*row) for row in rows], len(rows) == MAX_TAKEN_ROWS
