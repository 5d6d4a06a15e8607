"""Gives what happens to an exporter, many at a time, in a thread of its own.

In the reactor thread an event is only appended to a list. A collector that is slow or dead delays
nothing: what does not fit into the list, and what it does not take, is dropped, counted and logged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.activity.otel.span_records import SPAN_EVENTS
from ftpservice.backends.gates.run_record import HookRun
from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.concurrency.timers import Deadline
from ftpservice.events import Event, EventStream
from ftpservice.wire.units import count_text

__all__ = ["ExportResult", "SpanExporter", "SpanFeed"]

log = Logger("ftpservice.otel")

FLUSH_SECONDS = 1.0
"""How long what happened waits for more."""
SOON_SECONDS = 0.01
"""The same, while there is more than a batch."""
RETRY_SECONDS = 15.0
"""Time after a failure in which the collector gets nothing."""
MAX_QUEUED = 20_000
BATCH = 1_000
"""What is exported in one request."""
REPORT_SECONDS = 60.0
"""Time between two log lines about losses."""
STOP_SECONDS = 2.0
"""What the end of the service waits before it ends the attempts of the exporter."""


class ExportResult(NamedTuple):
    """What became of a batch."""

    spans: int
    left_out: int = 0
    """Calls of storages that got no span, because there were many."""
    problem: str = ""
    """Why the spans are lost; empty: the collector has them."""


class SpanExporter(Protocol):
    """Sends spans; the calls block."""

    def export(self, happened: list[Any]) -> ExportResult:
        """Send the spans of what happened."""

    def stop(self) -> None:
        """Make `export` return soon."""


class SpanFeed:
    """A subscriber; ``make_exporter`` is called in the thread."""

    def __init__(
        self, events: EventStream, make_exporter: Callable[[], SpanExporter], reactor: Any
    ) -> None:
        self.exported = self.lost = self.left_out = 0
        """Spans so far; those that are lost before they are made are counted as events."""
        self._events = events
        self._make = make_exporter
        self._exporter: SpanExporter | None = None
        self._reactor = reactor
        self._queue: list[Event | HookRun | Any] = []
        self._pool: BlockingRunner = BlockingPool(reactor, "otel", threads=1)
        self._timer = Deadline(reactor, self._flush)
        self._exporting: Deferred[None] | None = None
        self._is_due = False
        """Whether the queue will be exported: a timer or an export in progress sees to it."""
        self._has_failed = self._is_ending = False
        self._reported, self._report_not_before = 0, 0.0
        self._problem = ""
        """The last failure since the last line of the log about losses."""
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to take events."""
        self._unsubscribe = self._events.subscribe(self.add, *SPAN_EVENTS)

    def add(self, happened: Any) -> None:
        """Take an event, a `StorageCall` or a `HookRun`."""
        if len(self._queue) >= MAX_QUEUED:
            self.lost += 1
            return
        self._queue.append(happened)
        if not self._is_due:
            self._flush_in(FLUSH_SECONDS)

    async def stop(self) -> None:
        """Export what is left, unless the collector has just failed, and end the thread."""
        unsubscribe, self._unsubscribe = self._unsubscribe, lambda: None
        unsubscribe()
        self._timer.clear()
        impatience = Deadline(self._reactor, self._hurry)
        impatience.set(STOP_SECONDS)
        try:
            while self._exporting is not None or self._has_more:
                if self._exporting is None:
                    self._flush()
                if self._exporting is not None:
                    ended: Deferred[None] = Deferred()
                    self._exporting.addCallback(ended.callback)
                    await ended
                self._timer.clear()
            await self._pool.stop()
        finally:
            impatience.clear()
        self._stop_exporter()
        self.lost += len(self._queue)
        self._queue.clear()
        self._report("the service stops", is_last=True)

    @property
    def _has_more(self) -> bool:
        return bool(self._queue) and not (self._has_failed or self._is_ending)

    def _hurry(self) -> None:
        self._is_ending = True
        self._stop_exporter()

    def _stop_exporter(self) -> None:
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            exporter.stop()

    def _flush_in(self, seconds: float) -> None:
        self._is_due = True
        self._timer.set(seconds)

    def _flush(self) -> None:
        self._is_due = True
        batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
        self._exporting = Deferred()
        exporting = self._pool.run(self._export, batch)
        exporting.addCallbacks(self._exported, self._failed, errbackArgs=(len(batch),))
        exporting.addErrback(lambda failure: log.failure("spans are not exported", failure))
        exporting.addCallback(self._end_exporting)

    def _export(self, batch: list[Any]) -> ExportResult:
        """Export, in the thread."""
        if self._exporter is None:
            self._exporter = self._make()
        return self._exporter.export(batch)

    def _exported(self, result: ExportResult) -> None:
        count, left_out, problem = result
        self.left_out += left_out
        self._has_failed = bool(problem)
        if problem:
            self.lost += count
        else:
            self.exported += count
        self._report(problem)

    def _failed(self, failure: Failure, count: int) -> None:
        self._has_failed = True
        self.lost += count
        error = failure.value
        self._report(f"{type(error).__name__}: {error}")

    def _end_exporting(self, _none: object) -> None:
        exporting, self._exporting = self._exporting, None
        if self._has_failed:
            self._flush_in(RETRY_SECONDS)
        elif self._queue:
            self._flush_in(SOON_SECONDS if len(self._queue) >= BATCH else FLUSH_SECONDS)
        else:
            self._is_due = False
        if exporting is not None:
            exporting.callback(None)

    def _report(self, problem: str, is_last: bool = False) -> None:
        """Log what is lost, now and then."""
        self._problem = problem or self._problem
        now, count = self._reactor.seconds(), self.lost - self._reported
        if not count or (now < self._report_not_before and not is_last):
            return
        self._reported, self._report_not_before = self.lost, now + REPORT_SECONDS
        log.error(
            "{spans} for OpenTelemetry lost: {reason}",
            spans=count_text(count, "span"),
            reason=self._problem or "there were too many at once",
        )
        self._problem = ""
