"""When rows go from the spool into the database, and what happens when it does not take them.

One call at a time runs in a thread of its own. A call that hangs is ended; after an error the next
attempt waits, longer each time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.activity.journal.delivery import Delivered, JournalDelivery
from ftpservice.concurrency.thread_pool import BlockingPool, PoolOverloaded, PoolStopped

__all__ = ["DeliverySchedule"]

log = Logger("ftpservice.journal")

DELIVERY_SECONDS = 1.0
"""Time between two deliveries, and how long one of them works."""
MAX_RETRY_SECONDS = 30.0
HANGING_SECONDS = 20.0
"""After this time a call of the database is ended."""
RETENTION_SECONDS = 600.0
STOP_SECONDS = 3.0
"""How long the stop waits for the last delivery; the rest stays in the spool."""


class DeliverySchedule:
    """Runs a `JournalDelivery`; ``report`` is called with what each delivery has done."""

    def __init__(
        self, delivery: JournalDelivery, reactor: Any, report: Callable[[Delivered], object]
    ) -> None:
        self._delivery = delivery
        self._reactor = reactor
        self._report = report
        self._pool = BlockingPool(reactor, "journal database", threads=1)
        self._due: IDelayedCall | None = None
        self._retention_due: IDelayedCall | None = reactor.callLater(
            RETENTION_SECONDS, self._delete_old
        )
        self._working: Deferred[None] | None = None
        self._retry_seconds = DELIVERY_SECONDS
        self._is_over = False
        self.rows = 0
        """Rows that were delivered."""
        self.problem = ""
        """Why the database did not take the last ones; empty: no problem."""

    def deliver_soon(self) -> None:
        """Deliver what is in the spool in a second, or when the database is to be tried again."""
        self._deliver_later(DELIVERY_SECONDS)

    async def deliver(self) -> None:
        """Deliver what is in the spool now, unless the database does not take rows."""
        if not self._is_over and not self.problem:
            await self._deliver_for(DELIVERY_SECONDS)

    async def stop(self) -> None:
        """Deliver for some seconds if the database is open, and end the thread."""
        self._is_over = True
        for due in (self._due, self._retention_due):
            if due is not None and due.active():
                due.cancel()
        ending = self._reactor.callLater(STOP_SECONDS, self._interrupt_again)
        if self._delivery.database is not None and not self.problem:
            await self._deliver_for(STOP_SECONDS)
        await self._pool.stop()
        if ending.active():
            ending.cancel()
        self._delivery.close()

    def _deliver_later(self, seconds: float) -> None:
        if self._due is None and not self._is_over:
            if self.problem:
                seconds = self._retry_seconds
            self._due = self._reactor.callLater(seconds, self._deliver)

    def _deliver(self) -> None:
        self._due = None
        delivering = Deferred.fromCoroutine(self._deliver_for(DELIVERY_SECONDS))
        delivering.addErrback(_unexpected)

    async def _deliver_for(self, seconds: float) -> None:
        await self._run(lambda: self._delivery.deliver(seconds))
        if self._delivery.has_rows:
            self._deliver_later(0)

    def _delete_old(self) -> None:
        self._retention_due = self._reactor.callLater(RETENTION_SECONDS, self._delete_old)
        if not self.problem:
            deleting = self._run(lambda: Delivered(deleted=self._delivery.delete_old()))
            Deferred.fromCoroutine(deleting).addErrback(_unexpected)

    async def _run(self, work: Callable[[], Delivered]) -> None:
        """Run one call after the others; what hangs is ended."""
        while self._working is not None:
            waiting: Deferred[None] = Deferred()
            self._working.addCallback(waiting.callback)
            await waiting
        self._working = Deferred()
        ending = self._reactor.callLater(HANGING_SECONDS, self._interrupt)
        try:
            self._done(await self._pool.run(work))
        except PoolStopped:
            pass
        except PoolOverloaded:
            self._failed(RuntimeError("no thread can be started"))
        except Exception as error:  # noqa: BLE001 - a library may fail in any way
            self._failed(error)
        finally:
            if ending.active():
                ending.cancel()
            working, self._working = self._working, None
            working.callback(None)

    def _interrupt(self) -> None:
        """End the call that runs."""
        if self._delivery.database is not None:
            self._delivery.database.interrupt()

    def _interrupt_again(self) -> None:
        """End what runs, and what the thread does next."""
        self._interrupt()
        if self._working is not None:
            self._reactor.callLater(0.1, self._interrupt_again)

    def _done(self, done: Delivered) -> None:
        place = self._delivery.place
        if self.problem:
            log.info("the journal is written again: {place}", place=place)
        self.problem, self._retry_seconds = "", DELIVERY_SECONDS
        self.rows += done.rows
        if done.deleted:
            log.info("{count} old rows of the journal were deleted", count=done.deleted)
        self._report(done)

    def _failed(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if not self.problem:
            log.error("the journal waits in its spool: {reason}", reason=reason)
        self.problem = reason
        self._retry_seconds = min(2 * self._retry_seconds, MAX_RETRY_SECONDS)


def _unexpected(failure: Failure) -> None:
    log.failure("the journal failed", failure)
