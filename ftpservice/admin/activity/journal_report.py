"""``ftpservice report`` from the journal itself, while the service runs or not."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftpservice.activity.journal.delivery import JournalDelivery, JournalLimits
from ftpservice.activity.journal.journal_place import JournalPlan
from ftpservice.activity.journal.spool import Spool
from ftpservice.activity.journal.spool_lock import locked_spool
from ftpservice.activity.reports.report_data import ReportData
from ftpservice.activity.reports.report_period import ReportPeriod

__all__ = ["JournalReading", "json_report", "read_journal"]

QUERY_SECONDS = 300.0
BUSY_SECONDS = 30.0
DELIVERY_SECONDS = 60.0


@dataclass(frozen=True)
class JournalReading:
    """The figures of a period."""

    data: ReportData
    waiting: int = 0
    """Bytes of events that are not in the database."""
    dropped: int = 0
    """Events that could not be moved into the database now, and are lost."""


def read_journal(plan: JournalPlan, period: ReportPeriod) -> JournalReading:
    """Return the figures of a period.

    What a service has left in the spool that does not run any more is delivered before. Raises
    `StoreUnavailable`, `LookupError` if there is no journal yet, and `OSError`.
    """
    from ftpservice.activity.journal.journal_database import JournalDatabase
    from ftpservice.activity.reports.report_queries import read_report

    is_read_only = _is_read_only(plan.url.path)
    database = JournalDatabase(plan.url, QUERY_SECONDS, BUSY_SECONDS, is_read_only)
    try:
        waiting, dropped = _deliver(plan, database)
        if plan.url.path is not None and not os.path.exists(plan.url.path):
            raise LookupError(f"there is no journal yet: {plan.url.path} does not exist")
        return JournalReading(read_report(database, period), waiting, dropped)
    finally:
        database.close()


def _is_read_only(path: str | None) -> bool:
    """Return whether nothing can be written where an SQLite file is."""
    if path is None or not os.path.exists(path):
        return False
    return not all(os.access(one, os.W_OK) for one in (path, os.path.dirname(path) or "."))


def _deliver(plan: JournalPlan, database: Any) -> tuple[int, int]:
    """Deliver what waits, if this is the user of the service and it does not run."""
    if not plan.spool.is_dir():
        return 0, 0
    if plan.spool.stat().st_uid == os.geteuid():
        with locked_spool(plan.spool) as is_locked:
            if is_locked:
                spool = Spool(plan.spool, plan.spool_bytes)
                clocks = (time.time, time.monotonic)
                made = (plan.url.place, lambda: database)
                delivery = JournalDelivery(spool, made, JournalLimits(), clocks)
                done = delivery.deliver(DELIVERY_SECONDS)
                return spool.waiting, done.damaged + done.refused
    # The service removes a file when all of it was delivered, but goes on writing the last one.
    older = sorted(plan.spool.glob("*.spool"))[:-1]
    return sum(map(_size, older)), 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # just delivered
        return 0


def json_report(data: ReportData, sessions: Sequence[Mapping[str, Any]] | None) -> str:
    """Return a report and the sessions of now as JSON; None: the service does not run."""
    return json.dumps(data.as_json() | {"sessions": sessions}, indent=1)
