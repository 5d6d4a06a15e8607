"""Which events somebody wants to see, and events as JSON values: the columns of the journal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftpservice.activity.journal.journal_rows import LOST

__all__ = ["DIRECT", "PROBLEM_KINDS", "EventQuery", "event_json"]

PROBLEM_KINDS = (
    *("login failed", "session refused", "handshake failed", "session stalled"),
    *("upload refused", "command refused", "command failed", LOST),
)
"""Kinds that are problems always; others are by their outcome."""
NAMES = {"at": "when", "number": "session", "session": "session_id", "account": "user"}
"""The API's names of columns, as those of sessions, where they differ from the journal's."""
DIRECT = {"kind": "kind", "address": "address", "session": "session", "node": "node"}
"""Fields of a query that a column has to equal."""


@dataclass(frozen=True)
class EventQuery:
    """Events from ``since`` until just before ``until``; an empty text asks for nothing."""

    since: float
    until: float
    user: str = ""
    kind: str = ""
    address: str = ""
    session: str = ""
    """The id of a session."""
    node: str = ""
    """The node of a cluster."""
    path: str = ""
    """The file, as the account sees it; with ``user``, also by its name on the disk."""
    problems: bool = False
    before: str = ""
    """The id of an event at ``until``: events at that time with lower ids are wanted, too."""
    limit: int = 100

    def wants(self, row: Mapping[str, Any]) -> bool:
        """Return whether an event that is not in a database is one of these."""
        return (
            self.since <= row["at"] < self.until
            and (not self.user or row["account"] == self.user)
            and all(getattr(self, name) in ("", row[column]) for name, column in DIRECT.items())
            and (not self.path or self.path in (row["path"], row["target"]))
            and (not self.problems or is_problem(row))
        )


def is_problem(row: Mapping[str, Any]) -> bool:
    """Return whether an operator should look at an event."""
    kind = row["kind"]
    if kind == "transfer":
        return bool(row["outcome"] != "complete")
    return kind in PROBLEM_KINDS or (kind == "certificate" and row["action"] == "failed")


def event_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as JSON values, by the columns of its row."""
    return {NAMES.get(name, name): _finite(value) for name, value in row.items()}


def _finite(value: Any) -> Any:
    is_number = not isinstance(value, float) or math.isfinite(value)
    return value if is_number else None  # JSON has no other numbers
