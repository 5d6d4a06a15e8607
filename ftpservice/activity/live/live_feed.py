"""The sessions of this node for others: all of them, then once a second what has changed.

A record has ``sessions`` and ``moved`` (all), or ``changed``, ``gone`` and ``moved``. In ``events``
and ``problems`` it has how many events for the journal there were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.activity.journal.journal_rows import VALUES, event_values
from ftpservice.activity.live.live_changes import LiveChanges, Row, RowKey, add_rows
from ftpservice.activity.live.live_sessions import LiveSessions
from ftpservice.activity.reports.event_query import is_problem
from ftpservice.events import Event, EventStream

__all__ = ["LiveFeed"]

log = Logger("ftpservice")

TICK_SECONDS = 1.0
SILENT_TICKS = 5
"""After so many without a change there is a record, too: who does not know this node any more asks
for all its sessions then."""


class LiveFeed:
    """Looks at ``live`` between `start` and `stop`."""

    def __init__(self, live: LiveSessions, events: EventStream, clock: Any) -> None:
        self._live = live
        self._events = events
        self._changes = LiveChanges()
        self._send: Callable[[dict[str, Any]], object] = bool
        self._unsubscribe: Callable[[], object] = bool
        self._counts = [0, 0]
        self._silent = 0
        """Ticks since the last record."""
        self._timer = LoopingCall(self._tick)
        self._timer.clock = clock

    def start(self, send: Callable[[dict[str, Any]], object]) -> None:
        """Call ``send`` with each record."""
        self._send = send
        self._look()
        self._unsubscribe = self._events.subscribe(self._happened, *VALUES)
        self._send(self._changes.snapshot)
        started = self._timer.start(TICK_SECONDS, now=False)
        started.addErrback(lambda failure: log.failure("the live feed failed", failure))

    def stop(self) -> None:
        """Send nothing more."""
        self._send = bool
        self._unsubscribe()
        self._unsubscribe = bool
        if self._timer.running:
            self._timer.stop()

    def _happened(self, event: Event) -> None:
        self._counts[0] += 1
        row = event_values(event)
        if row is not None and is_problem(row):
            self._counts[1] += 1

    def _look(self) -> dict[str, Any]:
        rows: dict[RowKey, Row] = {}
        moved: dict[str, int] = {}
        add_rows(self._live.rows(), rows, moved)
        return self._changes.replace(rows, moved)

    def _tick(self) -> None:
        changed = self._look()
        (events, problems), self._counts = self._counts, [0, 0]
        self._silent += 1
        if events or any(changed.values()) or self._silent >= SILENT_TICKS:
            self._silent = 0
            self._send({**changed, "events": events, "problems": problems})
