"""Reads rates over time and the totals of users from the database of the journal (blocks).

A row is written at the end of a transfer or session. What took long is spread evenly over its
duration, so that a transfer of an hour is no peak in its last minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import Double, Integer, and_, cast, desc, func, or_, select

from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_table import JOURNAL
from ftpservice.activity.reports.report_period import ReportPeriod
from ftpservice.activity.reports.report_queries import ReportReader

__all__ = ["History", "read_history", "read_users"]

MAX_LONG = 20_000
"""Rows that are spread one by one: the last ones."""
ROW = JOURNAL.c
IS_TRANSFER = ROW.kind == "transfer"
SIZE = cast(func.coalesce(ROW.bytes, 0), Double)
SERIES = UP, DOWN, SESSIONS, TRANSFERS = "up", "down", "sessions", "transfers"


@dataclass
class History:
    """Steps of ``step`` seconds from ``since`` on, each with a mean for each series."""

    since: float
    until: float
    step: float

    def __post_init__(self) -> None:
        self.count = max(1, round((self.until - self.since) / self.step))
        self._means = {name: [0.0] * self.count for name in SERIES}
        self._rises = {name: [0.0] * self.count for name in SERIES}
        """Besides: by how much the rate is higher from a step on than in the step before."""

    @property
    def series(self) -> dict[str, list[float]]:
        """The mean of each step, by series."""
        return {
            name: [mean + max(0.0, rate) for mean, rate in zip(means, rates, strict=True)]
            for name, means in self._means.items()
            for rates in (accumulate(self._rises[name]),)
        }

    def copy(self) -> History:
        """Return a history with the same values, to add to."""
        other = History(self.since, self.until, self.step)
        other._means = {name: list(values) for name, values in self._means.items()}
        other._rises = {name: list(values) for name, values in self._rises.items()}
        return other

    def spread(self, name: str, begin: float, end: float, amount: float) -> None:
        """Add an amount that came evenly between two times, however many steps that are."""
        means, seconds = self._means[name], end - begin
        first = max(0, int((begin - self.since) // self.step))
        last = min(self.count - 1, int((end - self.since) // self.step))
        if last < first:
            return
        if seconds <= 0:
            means[first] += amount / self.step
            return
        for index in {first, last}:
            start = self.since + index * self.step
            overlap = min(end, start + self.step) - max(begin, start)
            means[index] += amount * max(0.0, overlap) / seconds / self.step
        if last - first > 1:
            self._rises[name][first + 1] += amount / seconds
            self._rises[name][last] -= amount / seconds

    def add(self, step: int, name: str, amount: float) -> None:
        """Add an amount that came within a step."""
        if 0 <= step < self.count:
            self._means[name][step] += amount / self.step

    def as_json(self) -> dict[str, list[float]]:
        """Return a list for each series, and the ends of the steps as ``when``."""
        when = [self.since + (index + 1) * self.step for index in range(self.count)]
        return {"when": when} | self.series


def read_history(database: JournalDatabase, history: History) -> None:
    """Add what has ended within the time of a history; raises `StoreUnavailable`."""
    is_known = or_(IS_TRANSFER, ROW.kind == "session closed")
    ended = and_(ROW.at >= history.since, ROW.at < history.until, is_known)
    is_long = func.coalesce(ROW.seconds, 0.0) > history.step
    number = (ROW.at - history.since) / history.step
    step = cast(number, Integer) if database.database.is_sqlite else func.floor(number)
    short = (
        select(step, ROW.kind, ROW.action, func.sum(SIZE), func.sum(func.coalesce(ROW.seconds, 0)))
        .where(ended, ~is_long)
        .group_by(step, ROW.kind, ROW.action)
    )
    long = (
        select(ROW.at, ROW.kind, ROW.action, SIZE, ROW.seconds)
        .where(ended, is_long)
        .order_by(desc(ROW.at))
        .limit(MAX_LONG)
    )
    with database.database.transaction() as connection:
        for number_, kind, action, size, seconds in connection.execute(short):
            for name, amount in _amounts(kind, action, size, seconds):
                history.add(int(number_), name, amount)
        for at, kind, action, size, seconds in connection.execute(long):
            for name, amount in _amounts(kind, action, size, seconds):
                history.spread(name, at - seconds, at, amount)


def _amounts(kind: str, action: str, size: float, seconds: float) -> Iterable[tuple[str, float]]:
    if kind != "transfer":
        return ((SESSIONS, seconds),)
    return ((UP if action == "upload" else DOWN, size), (TRANSFERS, seconds))


def read_users(database: JournalDatabase, period: ReportPeriod, most: int) -> list[dict[str, Any]]:
    """Return the totals of the users with the most bytes; raises `StoreUnavailable`."""
    with database.database.transaction() as connection:
        reader = ReportReader(connection, period, database.database.is_sqlite)
        failed: dict[str, int] = {}
        for row in reader.failed_logins():
            failed[row.user] = failed.get(row.user, 0) + row.times
        found = [
            {
                "user": one.user,
                "files_up": one.files_up,
                "bytes_up": one.bytes_up,
                "files_down": one.files_down,
                "bytes_down": one.bytes_down,
                "incomplete": one.aborted + one.refused,
                "failed_logins": failed.pop(one.user, 0),
            }
            for one in reader.users()
        ]
    nothing = dict.fromkeys(("files_up", "bytes_up", "files_down", "bytes_down", "incomplete"), 0)
    others = sorted(failed.items(), key=lambda item: -item[1])
    found += [{"user": name, **nothing, "failed_logins": count} for name, count in others]
    return found[:most]
