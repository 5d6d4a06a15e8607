"""The journal of a running service: events go into a spool, and from there into the database.

- In the reactor thread an event is only appended to a list. A thread writes the list into the spool
  five times a second; another one moves rows from the spool into the database.
- So a database that is slow, hangs or is down delays nothing but its rows. They stay in the spool,
  up to its size; what does not fit is counted, logged and gets a row that says how many.
- A kill of the process loses at most the events of the last `FLUSH_SECONDS`.
- The database refuses no row twice: a row that was delivered before a kill is there already.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.activity.journal.delivery import Delivered, JournalDelivery, JournalLimits
from ftpservice.activity.journal.delivery_schedule import DeliverySchedule
from ftpservice.activity.journal.journal_place import JournalPlan
from ftpservice.activity.journal.journal_rows import VALUES
from ftpservice.activity.journal.journal_writer import JournalWriter
from ftpservice.activity.journal.spool import Spool
from ftpservice.activity.journal.spool_lock import lock_spool
from ftpservice.concurrency.thread_pool import BlockingPool, PoolOverloaded
from ftpservice.events import Event
from ftpservice.wire.units import count_text

__all__ = ["JournalService", "JournalStatus"]

log = Logger("ftpservice.journal")

FLUSH_SECONDS = 0.2
"""Time between two writes into the spool: a kill loses the events of this time at most."""
RETRY_SECONDS = 1.0
"""Time before what the spool did not take is written again."""
MAX_QUEUED = 50_000
"""Events in memory that the thread has not taken."""
REPORT_SECONDS = 60.0
"""Time between two log lines about losses."""


@dataclass(frozen=True)
class JournalStatus:
    """The state of the journal."""

    place: str
    waiting: int
    """Bytes in the spool that are not in the database."""
    spool_bytes: int
    rows: int
    """Rows that were delivered since the start."""
    lost: int
    """Events since the start that have no row of their own."""
    problem: str
    """Why the spool or the database did not take the last rows; empty: no problem."""


class JournalService(Service):
    """A subscriber; ``database`` makes a `JournalDatabase` (blocks)."""

    kinds: tuple[type[Event], ...] = tuple(VALUES)
    """The events to subscribe to."""

    def __init__(
        self,
        plan: JournalPlan,
        reactor: Any,
        database: Callable[[JournalPlan], Any],
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self.plan = plan
        self._reactor = reactor
        self._make_database = database
        self._seconds = seconds
        self._queue: list[Event] = []
        self._unqueued = 0
        self._flush_due: IDelayedCall | None = None
        self._writing: Deferred[None] | None = None
        self._pool = BlockingPool(reactor, "journal spool", threads=1)
        self._writer: JournalWriter | None = None
        self._lock = -1
        self._schedule: DeliverySchedule | None = None
        self._problem = ""
        self._reported_lost = 0
        self._report_not_before = 0.0

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if len(self._queue) >= MAX_QUEUED:
            self._unqueued += 1
            return
        self._queue.append(event)
        if self._flush_due is None and self.running:
            self._flush_due = self._reactor.callLater(FLUSH_SECONDS, self._flush)

    def startService(self) -> None:
        """Open the spool, and deliver what an earlier run has left there."""
        super().startService()
        self._pool = BlockingPool(self._reactor, "journal spool", threads=1)
        self._flush_due = self._reactor.callLater(0, self._flush)

    async def finish(self) -> None:
        """Write the last events, deliver for some seconds, and end the threads.

        Called when nothing more happens, which is after `stopService`.
        """
        await self.flush()
        due, self._flush_due = self._flush_due, None
        if due is not None and due.active():
            due.cancel()
        if self._schedule is not None:
            await self._schedule.stop()
        if self._writer is not None:
            try:
                await self._pool.finish(self._writer.close)
            except OSError as error:
                log.error("the spool of the journal: {reason}", reason=_reason(error))
        await self._pool.stop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        left = len(self._queue) + (0 if self._writer is None else self._writer.pending)
        self._writer = self._schedule = None
        if left:
            log.error("the journal has lost {lost}", lost=count_text(left, "event"))

    @property
    def status(self) -> JournalStatus:
        """The state now."""
        writer, schedule = self._writer, self._schedule
        spool = None if writer is None else writer.spool
        problems = (
            self._problem,
            "" if writer is None else writer.problem,
            "" if schedule is None else schedule.problem,
        )
        return JournalStatus(
            self.plan.url.place,
            0 if spool is None else spool.waiting,
            0 if spool is None else spool.size,
            0 if schedule is None else schedule.rows,
            self._unqueued + (0 if writer is None else writer.lost),
            next(filter(None, problems), ""),
        )

    async def flush(self) -> None:
        """Write what has happened so far into the spool; no longer if it takes nothing."""
        while self._queue or self._writing is not None:
            if self._writing is None:
                self._flush()
            waiting: Deferred[None] = Deferred()
            if self._writing is not None:
                self._writing.addCallback(waiting.callback)
                await waiting
            if self._problem:
                return

    async def deliver(self) -> None:
        """Write what has happened so far into the database, as far as it takes it."""
        if self._schedule is None and self._writing is None and self.running:
            self._flush()  # it has just started: an earlier run may have left something
        await self.flush()
        if self._schedule is not None:
            await self._schedule.deliver()

    def _flush(self) -> None:
        due, self._flush_due = self._flush_due, None
        if due is not None and due.active():
            due.cancel()
        if self._writing is not None:
            return
        events, self._queue = self._queue, []
        unqueued, self._unqueued = self._unqueued, 0
        self._writing = Deferred()
        writing = self._pool.run(self._write, events, unqueued)
        writing.addCallbacks(self._wrote, self._not_written, errbackArgs=(events, unqueued))
        writing.addErrback(lambda failure: log.failure("the journal failed", failure))
        writing.addCallback(self._end_writing)

    def _wrote(self, _none: None) -> None:
        writer = self._writer
        assert writer is not None
        self._problem = ""
        if self._schedule is None:
            plan, clocks = self.plan, (self._seconds, self._reactor.seconds)
            database = (plan.url.place, partial(self._make_database, plan))
            limits = JournalLimits(plan.keep, plan.max_bytes)
            delivery = JournalDelivery(writer.spool, database, limits, clocks)
            self._schedule = DeliverySchedule(delivery, self._reactor, self._delivered)
        if writer.problem:
            self._flush_later(RETRY_SECONDS)
        elif self._queue:
            self._flush_later(FLUSH_SECONDS)
        if writer.spool.waiting:
            self._schedule.deliver_soon()
        self._report_losses()

    def _not_written(self, failure: Failure, events: list[Event], unqueued: int) -> None:
        if not failure.check(OSError, PoolOverloaded):
            self._unqueued += unqueued + len(events)  # once more would fail once more
            failure.raiseException()
        room = MAX_QUEUED - len(self._queue)
        self._queue = events[:room] + self._queue
        self._unqueued += unqueued + max(0, len(events) - room)
        self._problem = f"{self.plan.spool}: {_reason(failure.value)}"
        self._report_losses()
        self._flush_later(RETRY_SECONDS)

    def _end_writing(self, _none: object) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.callback(None)

    def _flush_later(self, seconds: float) -> None:
        if self._flush_due is None and self.running:
            self._flush_due = self._reactor.callLater(seconds, self._flush)

    def _delivered(self, done: Delivered) -> None:
        writer = self._writer
        if writer is not None and (done.damaged or done.refused):
            counted = self._pool.finish(writer.count_damaged, done.damaged, done.refused)
            counted.addCallback(lambda _none: self._flush_later(FLUSH_SECONDS))

    def _report_losses(self) -> None:
        """Log what could not be kept, now and then."""
        now, status = self._reactor.seconds(), self.status
        problem = self._problem or ("" if self._writer is None else self._writer.problem)
        if now < self._report_not_before or not (problem or status.lost > self._reported_lost):
            return
        self._report_not_before = now + REPORT_SECONDS
        count, self._reported_lost = status.lost - self._reported_lost, status.lost
        if not count:
            log.error("the events of the journal wait in memory: {reason}", reason=problem)
            return
        log.error(
            "the journal has lost {lost}{why}",
            lost=count_text(count, "event"),
            why=f"; its spool takes no more: {problem}" if problem else "",
        )

    def _write(self, events: list[Event], unqueued: int) -> None:
        """Write, in the thread of the spool."""
        if self._writer is None:
            plan = self.plan
            plan.spool.mkdir(0o700, exist_ok=True)
            if self._lock < 0:
                self._lock = lock_spool(plan.spool)
            run = f"{round(self._seconds() * 1000):012x}{secrets.token_hex(4)}"
            spool = Spool(plan.spool, plan.spool_bytes, plan.is_durable)
            self._writer = JournalWriter(spool, run, self._seconds, plan.node)
        self._writer.write(events, unqueued)


def _reason(error: Any) -> str:
    if isinstance(error, PoolOverloaded):
        return "no thread can be started"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
