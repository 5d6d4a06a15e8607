"""Reads the figures of a report from the database of the journal (blocks)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    Connection,
    Double,
    Integer,
    and_,
    case,
    cast,
    desc,
    distinct,
    func,
    or_,
    select,
)

from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_rows import LOST, original_text, stored_account
from ftpservice.activity.journal.journal_table import JOURNAL
from ftpservice.activity.reports.report_data import (
    FailedLogins,
    HourOfTransfers,
    JournalTransfer,
    NodeTotals,
    ProblemRow,
    ReportData,
    UserTransfers,
)
from ftpservice.activity.reports.report_period import ReportPeriod

__all__ = ["ReportReader", "read_report"]

MAX_ROWS = 1000
MAX_HOURS = 24 * 366 * 2
MAX_PROBLEMS = 100
MAX_SLOW = 50
SLOW_SECONDS = 1.0
"""The least duration of a transfer that can be one of the slowest."""
HOUR = 3600
ROW = JOURNAL.c
SIZE = cast(func.coalesce(ROW.bytes, 0), Double)  # a sum of integers can overflow
IS_TRANSFER = ROW.kind == "transfer"
NODE = func.coalesce(ROW.node, "")
IS_COMPLETE = and_(IS_TRANSFER, ROW.outcome == "complete")


def read_report(database: JournalDatabase, period: ReportPeriod) -> ReportData:
    """Return the figures of a period; raises `StoreUnavailable`."""
    with database.database.transaction() as connection:
        reader = ReportReader(connection, period, database.database.is_sqlite)
        totals, failures = reader.totals()
        return ReportData(
            period,
            totals,
            failures,
            reader.users(),
            reader.failed_logins(),
            reader.hours(),
            reader.problems(),
            reader.slowest(),
            reader.nodes(),
        )


class ReportReader:
    """The queries of one report."""

    def __init__(self, connection: Connection, period: ReportPeriod, is_sqlite: bool) -> None:
        self._connection = connection
        conditions = [ROW.at >= period.since, ROW.at < period.until]
        if period.user:
            conditions.append(ROW.account == stored_account(period.user))
        self._within = and_(*conditions)
        self._has_user = bool(period.user)
        # A cast rounds in PostgreSQL.
        self._hour = cast(ROW.at / HOUR, Integer) if is_sqlite else func.floor(ROW.at / HOUR)

    def _rows(self, statement: Any) -> Iterable[Any]:
        return self._connection.execute(statement.where(self._within))

    def totals(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the counts, and those of failed logins by reason."""
        kind, action, outcome = ROW.kind, ROW.action, ROW.outcome
        counts = (func.sum(ROW.events), func.sum(SIZE))
        statement = select(kind, action, outcome, *counts).group_by(kind, action, outcome)
        totals = dict.fromkeys(TOTALS, 0)
        failures: dict[str, int] = {}
        for kind_, action_, outcome_, number, size in self._rows(statement):
            name = _total_name(kind_, action_, outcome_)
            if kind_ == "login failed":
                failures[action_] = failures.get(action_, 0) + int(number)
            if name:
                totals[name] += int(number)
            if kind_ == "transfer":
                totals[f"bytes_{_direction(action_)}"] += int(size)
        if self._has_user:  # a session has no account before its login
            of_user = select(func.count(distinct(ROW.session))).where(kind == "login")
            found = self._connection.execute(of_user.where(self._within))
            totals["sessions"] = int(found.scalar_one())
        return totals, failures

    def users(self) -> list[UserTransfers]:
        """Return the accounts with the most bytes."""
        columns = [
            _count(and_(IS_COMPLETE, ROW.action == "upload")),
            _sum(SIZE, ROW.action == "upload"),
            _count(and_(IS_COMPLETE, ROW.action == "download")),
            _sum(SIZE, ROW.action == "download"),
            _count(ROW.outcome == "aborted"),
            _count(ROW.outcome == "refused"),
        ]
        statement = select(ROW.account, *columns).where(IS_TRANSFER).group_by(ROW.account)
        ordered = statement.order_by(desc(func.sum(SIZE)), ROW.account).limit(MAX_ROWS)
        return [
            UserTransfers(original_text(name), *map(int, counts))
            for name, *counts in self._rows(ordered)
        ]

    def failed_logins(self) -> list[FailedLogins]:
        """Return who failed to log in from where, the most frequent first."""
        by = (ROW.account, ROW.address, ROW.action)
        statement = select(*by, func.count(), func.max(ROW.at)).where(ROW.kind == "login failed")
        ordered = statement.group_by(*by).order_by(desc(func.count()), *by).limit(MAX_ROWS)
        return [
            FailedLogins(original_text(user), original_text(address), reason, int(times), last)
            for user, address, reason, times, last in self._rows(ordered)
        ]

    def hours(self) -> list[HourOfTransfers]:
        """Return the hours in which something happened, in their order."""
        opened = ROW.kind == ("login" if self._has_user else "session opened")
        statement = select(
            self._hour,
            _count(opened),
            _count(IS_COMPLETE),
            _sum(SIZE, and_(IS_TRANSFER, ROW.action == "upload")),
            _sum(SIZE, and_(IS_TRANSFER, ROW.action == "download")),
        ).where(or_(IS_TRANSFER, opened))
        ordered = statement.group_by(self._hour).order_by(self._hour).limit(MAX_HOURS)
        return [
            HourOfTransfers(float(hour) * HOUR, *map(int, counts))
            for hour, *counts in self._rows(ordered)
        ]

    def problems(self) -> list[ProblemRow]:
        """Return the last errors and refusals."""
        who, what = (ROW.account, ROW.address), (ROW.kind, ROW.action, ROW.path)
        texts = (*who, *what, ROW.outcome, ROW.detail, NODE)
        is_problem = or_(
            and_(IS_TRANSFER, ROW.outcome != "complete"),
            and_(ROW.kind == "upload refused", ROW.transfer == ""),  # others are transfers
            ROW.kind.in_(("command failed", "session stalled", LOST)),
            and_(ROW.kind == "certificate", ROW.action == "failed"),
        )
        statement = select(ROW.at, *texts).where(is_problem)
        ordered = statement.order_by(desc(ROW.at)).limit(MAX_PROBLEMS)
        return [ProblemRow(at, *map(original_text, words)) for at, *words in self._rows(ordered)]

    def slowest(self) -> list[JournalTransfer]:
        """Return the complete transfers with the lowest rates."""
        texts = (ROW.account, ROW.address, ROW.action, ROW.path)
        statement = select(ROW.at, *texts, ROW.bytes, ROW.seconds, ROW.rate, NODE)
        slow = statement.where(IS_COMPLETE, ROW.seconds >= SLOW_SECONDS, ROW.bytes > 0)
        ordered = slow.order_by(ROW.rate, ROW.at).limit(MAX_SLOW)
        return [
            JournalTransfer(
                at,
                original_text(user),
                original_text(address),
                action,
                original_text(path),
                *numbers,
            )
            for at, user, address, action, path, *numbers in self._rows(ordered)
        ]

    def nodes(self) -> list[NodeTotals]:
        """Return what happened at each node, if there are rows of nodes."""
        opened = ROW.kind == ("login" if self._has_user else "session opened")
        statement = select(
            NODE,
            _count(opened),
            _count(ROW.kind == "login"),
            _count(ROW.kind == "login failed"),
            _count(and_(IS_COMPLETE, ROW.action == "upload")),
            _sum(SIZE, and_(IS_TRANSFER, ROW.action == "upload")),
            _count(and_(IS_COMPLETE, ROW.action == "download")),
            _sum(SIZE, and_(IS_TRANSFER, ROW.action == "download")),
            _count(and_(IS_TRANSFER, ROW.outcome != "complete")),
        )
        ordered = statement.group_by(NODE).order_by(NODE).limit(MAX_ROWS)
        found = [NodeTotals(name, *map(int, counts)) for name, *counts in self._rows(ordered)]
        return found if any(one.node for one in found) else []


TOTALS = (
    *("sessions", "sessions_refused", "logins", "logins_failed", "handshakes_failed"),
    *("uploads", "bytes_up", "downloads", "bytes_down", "aborted", "refused"),
    *("uploads_refused", "commands_refused", "commands_failed", "files_changed", "files_expired"),
    *("admin_actions", "bans", "lost"),
)
KINDS = {
    "session opened": "sessions",
    "session refused": "sessions_refused",
    "login": "logins",
    "login failed": "logins_failed",
    "handshake failed": "handshakes_failed",
    "upload refused": "uploads_refused",
    "command refused": "commands_refused",
    "command failed": "commands_failed",
    "file": "files_changed",
    "file expired": "files_expired",
    "admin": "admin_actions",
    LOST: "lost",
}


def _total_name(kind: str, action: str, outcome: str) -> str | None:
    if kind == "transfer":
        return f"{action}s" if outcome == "complete" else outcome
    if kind == "ban":
        return "bans" if action == "ban" else None
    return KINDS.get(kind)


def _direction(action: str) -> str:
    return "up" if action == "upload" else "down"


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _sum(value: Any, condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, value), else_=0)), 0)
