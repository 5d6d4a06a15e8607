"""The documents of a cluster in its database; each function blocks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ftpservice.cluster.cluster_listener import notify

__all__ = [
    "DOCUMENTS",
    "Check",
    "CommonDocument",
    "begin_change",
    "commit",
    "document",
    "put",
    "roll_back",
    "versions",
]

DOCUMENTS = "documents"
"""The message that a document has changed."""
IDLE_SECONDS = 5
"""How long a node may hold a document between two statements: others wait for it."""
READ = "SELECT origin, version, body FROM ftpservice_cluster_document WHERE name = %s"


Check = Callable[[dict[str, Any]], object]
"""Raises `ValueError` for a content that cannot be used."""


class CommonDocument(NamedTuple):
    """A document, or what a file has of one.

    ``origin`` names its history, empty for a file that is no copy. ``version`` rises in it; 0: the
    document does not exist.
    """

    origin: str
    version: int
    content: dict[str, Any]


def versions(connection: Any, names: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return origin and version of each document that exists."""
    rows = connection.execute(
        "SELECT name, origin, version FROM ftpservice_cluster_document WHERE name = ANY(%s)",
        (list(names),),
    ).fetchall()
    return {str(name): (str(origin), int(version)) for name, origin, version in rows}


def document(connection: Any, name: str, check: Check) -> CommonDocument | None:
    """Return a document; None if it does not exist. Raises `ValueError` if it is damaged."""
    return _document(connection.execute(READ, (name,)).fetchone(), check)


def begin_change(connection: Any, name: str, origin: str, check: Check) -> CommonDocument:
    """Begin a transaction, and lock a document; without one, that of ``origin`` has version 0.

    A node that is stopped within it keeps others waiting for some seconds only. Raises `ValueError`
    if the document is damaged.
    """
    connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
    connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    connection.execute(
        "INSERT INTO ftpservice_cluster_document (name, origin, version, body)"
        " VALUES (%s, %s, 0, '{}') ON CONFLICT DO NOTHING",
        (name, origin),
    )
    found = _document(connection.execute(f"{READ} FOR UPDATE", (name,)).fetchone(), check)
    assert found is not None
    return found


def put(connection: Any, name: str, new: CommonDocument) -> None:
    """Replace the document that is locked, and tell the nodes when that is committed."""
    connection.execute(
        "UPDATE ftpservice_cluster_document"
        " SET origin = %s, version = %s, body = %s, changed = clock_timestamp() WHERE name = %s",
        (new.origin, new.version, json.dumps(new.content), name),
    )
    notify(connection, {"kind": DOCUMENTS, "from": ""})


def commit(connection: Any) -> None:
    """End the transaction."""
    connection.execute("COMMIT")


def roll_back(connection: Any) -> None:
    """End the transaction without a change."""
    connection.execute("ROLLBACK")


def _document(row: Sequence[Any] | None, check: Check) -> CommonDocument | None:
    """Return what a row says; raises `ValueError` if that cannot be used."""
    if row is None:
        return None
    try:
        content = json.loads(row[2])
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    check(content)
    return CommonDocument(str(row[0]), int(row[1]), content)
