"""REPORT of a running service: what happens now, and what the journal has of a period.

Reading the journal takes a thread of its own and a limited time. Without a journal, or while it
cannot be read, the figures since the start of the service are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from ftpservice.accounts.account_store import AccountStoreError
from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.activity.report import ActivityReport
from ftpservice.activity.reports.report_period import ReportPeriod, parse_period
from ftpservice.concurrency.thread_pool import BlockingPool, PoolOverloaded, PoolStopped

__all__ = ["ServiceReport"]

REPORT_SECONDS = 20.0
"""After this time a query is ended."""
MAX_WAITING = 20


class ServiceReport:
    """Makes reports; ``read`` returns the figures of a period from a database (blocks)."""

    def __init__(
        self,
        live: ActivityReport,
        journal: JournalService | None,
        reactor: Any,
        seconds: Callable[[], float],
    ) -> None:
        self._live = live
        self._journal = journal
        self._reactor = reactor
        self._seconds = seconds
        self._pool: BlockingPool | None = None
        self._database: Any = None

    def lines(self, since: str = "", until: str = "", user: str = "") -> list[str] | Deferred[Any]:
        """Return the lines of a report, or a Deferred of them; raises `ValueError`."""
        if self._journal is None:
            return self._live.lines(since, until, user)
        period = parse_period(since, until, user, self._seconds())
        return Deferred.fromCoroutine(self._lines(self._journal, period))

    async def _lines(self, journal: JournalService, period: ReportPeriod) -> list[str]:
        try:
            await journal.deliver()
            figures = await self._read(journal, period)
        except (AccountStoreError, PoolOverloaded, PoolStopped, OSError, ImportError) as error:
            reason = str(error) or "it is busy"
            return [f"The journal cannot be read now: {reason}", "", *self._live.lines()]
        status = journal.status
        notes = []
        if status.waiting:
            why = f" ({status.problem})" if status.problem else ""
            notes = [f"Waiting    {status.waiting:,} bytes of events are not in the journal{why}"]
        return [*figures, *notes, *self._live.session_lines(period.user)]

    async def _read(self, journal: JournalService, period: ReportPeriod) -> list[str]:
        if self._pool is None:
            self._pool = BlockingPool(self._reactor, "reports", threads=1, waiting=MAX_WAITING)
        ending = self._reactor.callLater(REPORT_SECONDS, self._interrupt)
        try:
            return await self._pool.run(self._read_blocking, journal, period)
        finally:
            if ending.active():
                ending.cancel()

    def _read_blocking(self, journal: JournalService, period: ReportPeriod) -> list[str]:
        from ftpservice.activity.journal.journal_database import JournalDatabase
        from ftpservice.activity.reports.report_queries import read_report
        from ftpservice.activity.reports.report_text import report_lines

        if self._database is None:
            database = JournalDatabase(journal.plan.url, REPORT_SECONDS)
            database.prepare()
            self._database = database
        return report_lines(read_report(self._database, period))

    def _interrupt(self) -> None:
        if self._database is not None:
            self._database.interrupt()

    async def finish(self) -> None:
        """End the thread and its connections."""
        self._interrupt()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.stop()
        database, self._database = self._database, None
        if database is not None:
            database.close()
