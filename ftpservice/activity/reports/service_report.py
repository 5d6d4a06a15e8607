"""REPORT of a running service: what happens now, and what the journal has of a period.

Reading the journal takes a thread of its own and a limited time. Without a journal, or while it
cannot be read, the figures since the start of the service are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.activity.report import ActivityReport
from ftpservice.activity.reports.journal_reader import JournalReader, JournalUnreadable
from ftpservice.activity.reports.report_period import ReportPeriod, parse_period

__all__ = ["ServiceReport"]

REPORT_SECONDS = 20.0
"""After this time a query is ended."""


class ServiceReport:
    """Makes reports of ``live`` and of the journal."""

    def __init__(
        self,
        live: ActivityReport,
        journal: JournalService | None,
        reactor: Any,
        seconds: Callable[[], float],
    ) -> None:
        self._live = live
        self._seconds = seconds
        self._reader = None
        if journal is not None:
            self._reader = JournalReader(journal, reactor, "reports", REPORT_SECONDS)

    def lines(self, since: str = "", until: str = "", user: str = "") -> list[str] | Deferred[Any]:
        """Return the lines of a report, or a Deferred of them; raises `ValueError`."""
        if self._reader is None:
            return self._live.lines(since, until, user)
        period = parse_period(since, until, user, self._seconds())
        return Deferred.fromCoroutine(self._lines(self._reader, period))

    async def _lines(self, reader: JournalReader, period: ReportPeriod) -> list[str]:
        try:
            figures = await reader.read(partial(_read_lines, period))
        except JournalUnreadable as error:
            return [f"The journal cannot be read now: {error}", "", *self._live.lines()]
        status = reader.journal.status
        notes = []
        if status.waiting:
            why = f" ({status.problem})" if status.problem else ""
            notes = [f"Waiting    {status.waiting:,} bytes of events are not in the journal{why}"]
        return [*figures, *notes, *self._live.session_lines(period.user)]

    async def finish(self) -> None:
        """End the thread and its connections."""
        if self._reader is not None:
            await self._reader.finish()


def _read_lines(period: ReportPeriod, database: Any) -> list[str]:
    from ftpservice.activity.reports.report_queries import read_report
    from ftpservice.activity.reports.report_text import report_lines

    return report_lines(read_report(database, period))
