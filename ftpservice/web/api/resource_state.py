"""How full the quotas are, and how hooks and gates do, as JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from typing import Any

from ftpservice.activity.hooks.hook_service import HookService
from ftpservice.backends.gates.run_record import RunRecord
from ftpservice.storage.quota.book import QuotaBook

__all__ = ["hook_rows", "quota_rows"]


def quota_rows(book: QuotaBook | None, most: int) -> list[dict[str, Any]]:
    """Return the accounts whose files are counted, the fullest quota first."""
    rows: list[dict[str, Any]] = []
    for tree in () if book is None else book.counted():
        size, files = tree.ledger.used()
        rows += (
            {
                "user": account,
                "bytes": max(0, size),
                "files": max(0, files),
                "quota_bytes": limits.size,
                "quota_files": limits.files,
            }
            for account, limits in tree.limits.items()
        )
    for row in rows:
        row["filled"] = max(
            _part(row["bytes"], row["quota_bytes"]), _part(row["files"], row["quota_files"])
        )
    return nlargest(most, rows, key=lambda row: row["filled"])


def _part(used: int, limit: int | None) -> float:
    if limit is None:
        return 0.0
    return used / limit if limit else 1.0


def hook_rows(hooks: HookService | None) -> list[dict[str, Any]]:
    """Return what became of the events and questions since the start, by hook and gate."""
    if hooks is None:
        return []
    ways: Iterable[Any] = hooks.ways
    told = [_row(way.record, False, way.pending) for way in ways]
    return told + [_row(rule.record, True, 0) for rule in hooks.gates]


def _row(record: RunRecord, is_gate: bool, pending: int) -> dict[str, Any]:
    return {
        "name": record.name,
        "gate": is_gate,
        "pending": pending,
        "counts": dict(record.counts),
        "last_problem": record.problem_at or None,
    }
