"""Reads the journal of a running service, in a thread of its own and in a limited time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.account_store import AccountStoreError
from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.concurrency.thread_pool import BlockingPool, PoolOverloaded, PoolStopped

__all__ = ["JournalReader", "JournalUnreadable"]

log = Logger("ftpservice.journal")

Result = TypeVar("Result")
MAX_WAITING = 20
CHECK_SECONDS = 1.0


class JournalUnreadable(Exception):
    """The journal cannot be read now; ``str`` of it says why."""


class JournalReader:
    """One connection to the database of a journal; a call is ended after ``seconds``."""

    def __init__(self, journal: JournalService, reactor: Any, purpose: str, seconds: float) -> None:
        self.journal = journal
        self._reactor = reactor
        self._purpose = purpose
        self._seconds = seconds
        self._pool: BlockingPool | None = None
        self._database: Any = None
        self._calls = 0
        self._checks = LoopingCall(self._check)
        self._checks.clock = reactor

    async def read(self, work: Callable[[Any], Result]) -> Result:
        """Return what ``work`` reads from a `JournalDatabase` that has all events so far.

        Raises `JournalUnreadable`. Events that the database does not take now are missing.
        """
        if not self.journal.status.problem:
            await self.journal.deliver()
        if self._pool is None:
            self._pool = BlockingPool(self._reactor, self._purpose, threads=1, waiting=MAX_WAITING)
        self._calls += 1
        if not self._checks.running:
            self._checks.start(CHECK_SECONDS, now=False).addErrback(_unexpected)
        try:
            return await self._pool.run(self._read, work)
        except (AccountStoreError, PoolOverloaded, PoolStopped, OSError, ImportError) as error:
            raise JournalUnreadable(str(error) or "it is busy") from error
        finally:
            self._calls -= 1
            if not self._calls and self._checks.running:
                self._checks.stop()

    def _read(self, work: Callable[[Any], Result]) -> Result:
        from ftpservice.activity.journal.journal_database import JournalDatabase

        if self._database is None:
            self._database = JournalDatabase(self.journal.plan.url, self._seconds)
        self._database.prepare()  # the file may have been replaced
        return work(self._database)

    def _check(self) -> None:
        """End a call that takes too long."""
        if self._database is not None:
            self._database.interrupt(self._seconds)

    async def finish(self) -> None:
        """End the thread and its connections."""
        if self._database is not None:
            self._database.interrupt()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.stop()
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _unexpected(failure: Failure) -> None:
    log.failure("calls of the journal are no longer limited", failure)
