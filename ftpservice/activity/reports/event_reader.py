"""Reads events from the database of the journal (blocks)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, desc, or_, select

from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_rows import (
    COLUMNS,
    original_text,
    stored_account,
    stored_text,
)
from ftpservice.activity.journal.journal_table import JOURNAL
from ftpservice.activity.reports.event_query import DIRECT, PROBLEM_KINDS, EventQuery, event_json

__all__ = ["read_events"]

MAX_NAMES = 20
"""Names on the disk that a path of an account has had."""
ROW = JOURNAL.c


def read_events(database: JournalDatabase, query: EventQuery) -> list[dict[str, Any]]:
    """Return the events of a query as JSON values, the latest first; raises `StoreUnavailable`."""
    statement = select(*(ROW[name] for name in COLUMNS)).where(_time(query), *_filters(query))
    ordered = statement.order_by(desc(ROW.at), desc(ROW.id)).limit(query.limit)
    with database.database.transaction() as connection:
        if query.path:
            ordered = ordered.where(_file(connection, query))
        elif query.user:
            ordered = ordered.where(ROW.account == stored_account(query.user))
        rows = connection.execute(ordered).all()
    return [event_json(dict(zip(COLUMNS, map(_original, row), strict=True))) for row in rows]


def _time(query: EventQuery) -> Any:
    within = and_(ROW.at >= query.since, ROW.at < query.until)
    if not query.before:
        return within
    return or_(within, and_(ROW.at == query.until, ROW.id < query.before))


def _filters(query: EventQuery) -> list[Any]:
    conditions = [
        ROW[column] == stored_text(getattr(query, name))
        for name, column in DIRECT.items()
        if getattr(query, name)
    ]
    if query.problems:
        conditions.append(
            or_(
                ROW.kind.in_(PROBLEM_KINDS),
                and_(ROW.kind == "transfer", ROW.outcome != "complete"),
                and_(ROW.kind == "certificate", ROW.action == "failed"),
            )
        )
    return conditions


def _file(connection: Connection, query: EventQuery) -> Any:
    """Return the condition for a file: by its path, and what the disk calls it for an account."""
    path = stored_text(query.path)
    is_named = or_(ROW.path == path, ROW.target == path)
    if not query.user:
        return is_named
    is_own = and_(ROW.account == stored_account(query.user), is_named)
    of_account = and_(ROW.account == stored_account(query.user), ROW.path == path)
    names = select(ROW.storage_name).where(of_account, ROW.storage_name != "").distinct()
    found = connection.execute(names.limit(MAX_NAMES)).scalars().all()
    return or_(is_own, ROW.storage_name.in_(found)) if found else is_own


def _original(value: Any) -> Any:
    return original_text(value) if isinstance(value, str) else value
