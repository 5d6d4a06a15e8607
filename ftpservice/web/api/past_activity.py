"""What has happened, also before the start: from the journal, or else from memory.

Without a journal, and while it cannot be read, the answers are of this process and since its start;
``source`` and ``problem`` of an answer say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ftpservice.activity.live.live_sessions import LiveSessions
from ftpservice.activity.reports.event_query import EventQuery
from ftpservice.activity.reports.journal_reader import JournalReader, JournalUnreadable
from ftpservice.activity.reports.report_period import ReportPeriod
from ftpservice.web.api.activity_history import SPANS, ActivityHistory
from ftpservice.web.api.recent_events import RecentEvents

if TYPE_CHECKING:  # the extra sql may be missing
    from ftpservice.activity.reports.history_reader import History

__all__ = ["READ_SECONDS", "PastActivity"]

READ_SECONDS = 10.0
"""After this time a query is ended: a page waits for it."""
RETRY_SECONDS = 10.0
"""Time after a failed query in which no other one is made."""
STEPS: Mapping[str, float] = {"hour": 20.0, "day": 300.0, "week": 1800.0}
"""Seconds of a step of a chart."""
MAX_USERS = 50
NO_JOURNAL = "no journal is kept"


class PastActivity:
    """Events, rates and totals; ``reader`` is None without a journal."""

    def __init__(
        self,
        recent: RecentEvents,
        history: ActivityHistory,
        live: LiveSessions,
        reader: JournalReader | None,
        seconds: Callable[[], float],
    ) -> None:
        self.recent = recent
        self.history = history
        self._live = live
        self._reader = reader
        self._seconds = seconds
        self._problem = "" if reader is not None else NO_JOURNAL
        self._not_before = 0.0
        self._kept: dict[str, tuple[float, Any]] = {}

    @property
    def status(self) -> dict[str, Any] | None:
        """The state of the journal; None without one."""
        if self._reader is None:
            return None
        status = self._reader.journal.status
        return {
            "place": status.place,
            "waiting": status.waiting,
            "rows": status.rows,
            "lost": status.lost,
            "problem": status.problem or self._problem,
        }

    async def events(self, query: EventQuery) -> dict[str, Any]:
        """Return the events of a query, the latest first."""
        found = await self._read(partial(_read_events, query))
        return self._answer("events", self.recent.chosen(query) if found is None else found)

    async def users(self, period: ReportPeriod) -> dict[str, Any]:
        """Return the totals of a period of the users with the most bytes."""
        found = await self._read(partial(_read_users, period))
        if found is None:
            users = self.history.users(MAX_USERS)
            found = [one for one in users if period.user in ("", one["user"])]
            return self._answer("users", found, since=None)
        return self._answer("users", found, since=period.since)

    async def rates(self, span: str) -> dict[str, Any]:
        """Return rates and counts over one of `SPANS` until now, a list for each of them."""
        step = STEPS[span]
        until = self._seconds() // step * step + step
        found = await self._kept_or_read(span, until)
        if found is None:
            return self.history.series(span) | self._source()
        history: History = found.copy()
        self._add_running(history)
        return history.as_json() | self._source()

    async def _kept_or_read(self, span: str, until: float) -> Any:
        """Return the history of what has ended; the same one for some time."""
        now = self._seconds()
        expires, kept = self._kept.get(span, (0.0, None))
        if kept is None or not now < expires or kept.until != until:
            kept = await self._read(partial(_read_history, until, SPANS[span], STEPS[span]))
            if kept is not None:
                self._kept[span] = (now + STEPS[span] / 5, kept)
        return kept

    def _add_running(self, history: Any) -> None:
        """Add the sessions and transfers that have not ended."""
        now = self._seconds()
        for row in self._live.rows():
            history.spread("sessions", row["since"], now, now - row["since"])
            for transfer in row["transfers"]:
                name, begin = "up" if transfer["upload"] else "down", transfer["since"]
                history.spread(name, begin, now, transfer["moved"])
                history.spread("transfers", begin, now, now - begin)

    async def _read(self, work: Callable[[Any], Any]) -> Any:
        """Return what ``work`` reads; None if the journal cannot be read now."""
        if self._reader is None or self._seconds() < self._not_before:
            return None
        try:
            found = await self._reader.read(work)
        except JournalUnreadable as error:
            self._problem = str(error)
            self._not_before = self._seconds() + RETRY_SECONDS
            return None
        self._problem = ""
        return found

    def _answer(self, name: str, found: Any, **more: Any) -> dict[str, Any]:
        return self._source() | {name: found} | more

    def _source(self) -> dict[str, Any]:
        return {"source": "memory" if self._problem else "journal", "problem": self._problem}

    async def finish(self) -> None:
        """End the thread that reads."""
        if self._reader is not None:
            await self._reader.finish()


def _read_events(query: EventQuery, database: Any) -> list[dict[str, Any]]:
    from ftpservice.activity.reports.event_reader import read_events

    return read_events(database, query)


def _read_users(period: ReportPeriod, database: Any) -> list[dict[str, Any]]:
    from ftpservice.activity.reports.history_reader import read_users

    return read_users(database, period, MAX_USERS)


def _read_history(until: float, span: float, step: float, database: Any) -> Any:
    from ftpservice.activity.reports.history_reader import History, read_history

    history = History(until - span, until, step)
    read_history(database, history)
    return history
