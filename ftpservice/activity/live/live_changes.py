"""What has changed in the sessions since the look before.

The bytes of transfers change all the time, so they are kept beside the rows of the sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["LiveChanges", "Row", "RowKey", "add_rows", "key_of"]

Row = dict[str, Any]
"""A session as `LiveSessions` has it, with the name of its ``node`` in a cluster."""
RowKey = int | str
"""The number of a session, or ``node:number`` in a cluster."""


def key_of(row: Mapping[str, Any]) -> RowKey:
    """Return what tells a session from others."""
    return f"{row['node']}:{row['session']}" if "node" in row else row["session"]


def add_rows(
    found: Iterable[Row], rows: dict[RowKey, Row], moved: dict[str, int], node: str = ""
) -> None:
    """Add sessions of `LiveSessions`, of a node, to rows by key and to bytes by transfer."""
    for row in found:
        del row["transfer"]  # it is one of ``transfers``
        for transfer in row["transfers"]:
            moved[transfer["id"]] = transfer.pop("moved")
        if node:
            row["node"] = node
        rows[key_of(row)] = row


class LiveChanges:
    """The sessions as of the last look."""

    def __init__(self) -> None:
        self.rows: dict[RowKey, Row] = {}
        self.moved: dict[str, int] = {}

    def replace(self, rows: dict[RowKey, Row], moved: dict[str, int]) -> dict[str, Any]:
        """Take new ones; returns the rows that have changed, the keys that are gone, the bytes."""
        before = self.rows
        changed = []
        for key, row in rows.items():
            old = before.get(key)
            if old is not row and old != row:
                changed.append(row)
        gone = [key for key in before if key not in rows]
        progress = [(one, size) for one, size in moved.items() if self.moved.get(one) != size]
        self.rows, self.moved = rows, moved
        return {"changed": changed, "gone": gone, "moved": progress}

    @property
    def snapshot(self) -> dict[str, Any]:
        """All rows and bytes."""
        return {"sessions": list(self.rows.values()), "moved": list(self.moved.items())}
