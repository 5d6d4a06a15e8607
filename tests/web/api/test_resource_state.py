"""Quotas and hooks as the page shows them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from ftpservice.backends.gates.run_record import GATE_OUTCOMES, HOOK_OUTCOMES, HookRun, RunRecord
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.web.api.resource_state import hook_rows, quota_rows


def tree(size: int, files: int, **limits: QuotaLimits) -> Any:
    return SimpleNamespace(
        ledger=SimpleNamespace(used=lambda: (size, files)),
        limits=limits,
    )


def test_the_fullest_quota_is_first() -> None:
    trees = {
        ("a",): tree(50, 1, ann=QuotaLimits(100, None), bob=QuotaLimits(None, 1)),
        ("b",): tree(90, 5, carl=QuotaLimits(100, 50)),
        ("d",): tree(3, 1, eve=QuotaLimits(0, None)),
    }
    book = SimpleNamespace(counted=lambda: list(trees.values()))
    rows = quota_rows(book, 10)  # type: ignore[arg-type]
    assert [(row["user"], row["filled"]) for row in rows] == [
        *(("bob", 1.0), ("eve", 1.0), ("carl", 0.9), ("ann", 0.5)),
    ]
    assert rows[2] == {
        "user": "carl", "bytes": 90, "files": 5, "quota_bytes": 100, "quota_files": 50,
        "filled": 0.9,
    }  # fmt: skip
    assert len(quota_rows(book, 1)) == 1  # type: ignore[arg-type]
    assert quota_rows(None, 10) == []


def test_hooks_tell_when_they_had_their_last_problem() -> None:
    told, asked = RunRecord("orders", HOOK_OUTCOMES), RunRecord("scan", GATE_OUTCOMES)
    told.add(HookRun("hook", "orders", "upload", "", "", 100.0, 2.0, "delivered"))
    hooks: Any = SimpleNamespace(
        ways=[SimpleNamespace(record=told, pending=4)], gates=[SimpleNamespace(record=asked)]
    )
    assert [row["last_problem"] for row in hook_rows(hooks)] == [None, None]
    told.add(HookRun("hook", "orders", "upload", "", "", 200.0, 2.0, "failed"))
    asked.count("failed")
    orders, scan = hook_rows(hooks)
    assert (orders["last_problem"], orders["pending"], orders["gate"]) == (202.0, 4, False)
    assert orders["counts"] == {"delivered": 1, "failed": 1, "dropped": 0}
    assert scan["gate"] is True
    assert scan["last_problem"] > 200.0
    json.dumps([orders, scan])
    assert hook_rows(None) == []
