"""What a node tells and asks the database of its cluster about quotas; each function blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = [
    "RoomClaim",
    "RoomGrant",
    "alive_runs",
    "known_trees",
    "leave_trees",
    "set_count",
    "take_rooms",
]

MAX_SPARE_BYTES = 64 << 20
MAX_SPARE_FILES = 256
"""What a node gets at most beyond what it needs, for uploads that begin without a question."""
ROOM = (
    "SELECT * FROM ftpservice_cluster_room(%s, %s, %s, %s, %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s, %s)"
)
LOCK_TREE = "SELECT 1 FROM ftpservice_cluster_quota WHERE id = %s FOR UPDATE"
COUNTED = """
WITH counted AS (
    UPDATE ftpservice_cluster_quota
        SET size = %(size)s, files = %(files)s, counted = clock_timestamp(), is_in_doubt = false
        WHERE id = %(tree)s AND %(runs)s::text[] <@ array(
            SELECT share.run FROM ftpservice_cluster_share share WHERE share.tree = %(tree)s)
        AND NOT EXISTS (
            SELECT FROM ftpservice_cluster_share share
                JOIN ftpservice_cluster_node node ON node.run = share.run
                WHERE share.tree = %(tree)s AND share.run <> ALL(%(runs)s::text[])
                    AND node.until > clock_timestamp())
        RETURNING id
)
DELETE FROM ftpservice_cluster_share share USING counted
    WHERE share.tree = counted.id AND share.run <> ALL(%(runs)s::text[])
"""
LEAVE = """
WITH left_ones AS (
    DELETE FROM ftpservice_cluster_share WHERE run = %(run)s
        AND (%(tree)s::bigint IS NULL OR tree = %(tree)s) RETURNING *
)
UPDATE ftpservice_cluster_quota one
    SET size = one.size + left_ones.size, files = one.files + left_ones.files,
        is_in_doubt = one.is_in_doubt OR left_ones.room_size > 0 OR left_ones.room_files > 0
    FROM left_ones WHERE one.id = left_ones.tree
"""


class RoomClaim(NamedTuple):
    """What a node has added to a tree since it began, and what it needs."""

    place: str
    roots: str
    size: int
    files: int
    kept_size: int
    """What was reserved and is not used yet, to be kept."""
    kept_files: int
    needed_size: int
    needed_files: int
    size_limit: int | None
    files_limit: int | None


class RoomGrant(NamedTuple):
    """The use of a tree by all nodes, and what is reserved for this one from now on."""

    tree: int
    use_size: int
    use_files: int
    room_size: int
    room_files: int
    others_size: int
    """What is reserved for others, which they may not have used."""
    others_files: int
    age: float | None
    """Seconds since the tree was counted; None: it never was."""
    is_in_doubt: bool
    is_new: bool
    """Whether the database did not know the tree, or its roots."""


def take_rooms(
    connection: Any,
    run: str,
    number: int,
    claims: Sequence[RoomClaim],
    most: tuple[int, int] = (MAX_SPARE_BYTES, MAX_SPARE_FILES),
) -> list[RoomGrant]:
    """Record what a node has added to trees, and reserve what it needs.

    ``number`` is higher with each claim of a node: one fails that is carried out after a later
    one, or if the node is not in the cluster. All nodes lock trees in the order of their places.
    """
    order = sorted(range(len(claims)), key=lambda index: claims[index].place)
    columns = [list(column) for column in zip(*(claims[index] for index in order), strict=True)]
    rows = connection.execute(ROOM, (run, number, *columns, *most)).fetchall()
    found = {index: RoomGrant(*row) for index, row in zip(order, rows, strict=True)}
    return [found[index] for index in range(len(claims))]


def set_count(connection: Any, tree: int, size: int, files: int, runs: Sequence[str]) -> None:
    """Record a count: the use without what the nodes, ``runs``, have added since they began.

    What others have added, which are gone, was counted, and counts no more beside that. Nothing is
    recorded if one of the nodes has left meanwhile, or counted as gone, as what it has added would
    be missing then, or if another one is there again.
    """
    values = {"tree": tree, "size": size, "files": files, "runs": list(runs)}
    with connection.transaction():
        connection.execute(LOCK_TREE, (tree,))
        connection.execute(COUNTED, values)


def leave_trees(connection: Any, run: str, tree: int | None = None) -> None:
    """Record that a node has a tree no more, or none of them; what it has added stays."""
    connection.execute(LEAVE, {"run": run, "tree": tree})


def known_trees(connection: Any) -> list[tuple[int, str, str]]:
    """Return the trees that nodes have: number, place, roots."""
    rows = connection.execute(
        "SELECT id, place, roots FROM ftpservice_cluster_quota one WHERE EXISTS"
        " (SELECT 1 FROM ftpservice_cluster_share share WHERE share.tree = one.id)"
    ).fetchall()
    return [(int(number), str(place), str(roots)) for number, place, roots in rows]


def alive_runs(connection: Any, run: str) -> frozenset[str]:
    """Return the runs of the other nodes that are alive."""
    rows = connection.execute(
        "SELECT run FROM ftpservice_cluster_node WHERE run <> %s AND until > clock_timestamp()",
        (run,),
    ).fetchall()
    return frozenset(str(row[0]) for row in rows)
