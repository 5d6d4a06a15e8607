"""Traces that administrators start by the API: their transcripts wait in memory for a download.

Their number, duration and size are bounded; what has ended is dropped after some time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.activity.admin_actions import REQUESTED_BY
from ftpservice.activity.event_feed import Feed
from ftpservice.web.access.random_secrets import new_secret
from ftpservice.web.http.problems import Problem

__all__ = ["RunningTraces"]

MAX_TRACES = 10
MAX_BYTES = 8 << 20
"""Of one transcript."""
KEPT_SECONDS = 3600.0
"""How long the transcript of an ended trace is kept."""
ID_BYTES = 9
TIME_TEXT = "its time has passed"
SIZE_TEXT = f"the transcript has reached {MAX_BYTES >> 20} MiB"
SESSION_TEXT = "the session has ended"
STOPPED_TEXT = "stopped by {}"


@dataclass(eq=False)
class Trace:
    """One trace and its transcript so far."""

    id: str
    target: str
    by: str
    since: float
    until: float
    feed: Feed
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    ended: str = ""
    """Why it has ended; empty: it runs."""
    timer: IDelayedCall | None = None
    """Its end; after that, the end of its transcript."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values, without the transcript."""
        return {
            "id": self.id,
            "target": self.target,
            "by": self.by,
            "since": self.since,
            "until": self.until,
            "records": len(self.lines),
            "bytes": self.size,
            "ended": self.ended,
        }


class RunningTraces:
    """The traces; ``seconds`` returns the time since the epoch.

    ``trace_for`` returns the trace that a request asks for, or a Deferred of it, and raises
    `BadRequest`.
    """

    def __init__(
        self,
        trace_for: Callable[[Mapping[str, Any]], Any],
        clock: IReactorTime,
        seconds: Callable[[], float],
    ) -> None:
        self._trace_for = trace_for
        self._clock = clock
        self._seconds = seconds
        self._traces: dict[str, Trace] = {}

    def rows(self) -> list[dict[str, Any]]:
        """Return all traces, the latest first."""
        return [trace.as_json() for trace in reversed(self._traces.values())]

    async def start(
        self, target: str, by: str, duration: float, *, is_user: bool, hides_names: bool
    ) -> Trace:
        """Trace a session or an account; raises `Problem` and `BadRequest`."""
        wanted = {"target": target, "is_user": is_user, "redact_names": hides_names}
        feed = await maybeDeferred(self._trace_for, {**wanted, REQUESTED_BY: by})
        if len(self._traces) >= MAX_TRACES:
            raise Problem(409, f"There are {MAX_TRACES} traces already; remove some first.")
        now = self._seconds()
        trace = Trace(new_secret(ID_BYTES), target, by, now, now + duration, feed)
        self._traces[trace.id] = trace
        trace.timer = self._clock.callLater(duration, self._end, trace, TIME_TEXT)
        follows = True

        def add(record: dict[str, Any]) -> None:
            nonlocal follows
            follows = record.get("follows", follows)
            if "error" in record:
                self._end_soon(trace, record["error"])
            elif "notice" not in record:
                self._add(trace, record, is_last="closed" in record and not follows)

        feed.start(add)
        return trace

    def _add(self, trace: Trace, record: dict[str, Any], is_last: bool) -> None:
        line = json.dumps(record).encode() + b"\n"
        is_full = trace.size + len(line) > MAX_BYTES
        if not is_full:
            trace.lines.append(line)
            trace.size += len(line)
        if is_full or is_last:
            self._end_soon(trace, SIZE_TEXT if is_full else SESSION_TEXT)

    def _end_soon(self, trace: Trace, reason: str) -> None:
        """End a trace whose feed is within a record."""
        if not trace.ended:
            trace.ended = reason
            self._clock.callLater(0, self._end, trace, reason)

    def find(self, id: str) -> Trace:
        """Return a trace; raises `Problem`."""
        if id not in self._traces:
            raise Problem(404, "There is no such trace.")
        return self._traces[id]

    def end(self, id: str, by: str) -> Trace:
        """End a trace, whose transcript is kept for some time; raises `Problem`."""
        trace = self.find(id)
        if not trace.ended:
            self._end(trace, STOPPED_TEXT.format(by))
        return trace

    def remove(self, id: str) -> Trace:
        """End a trace and drop its transcript; raises `Problem`."""
        trace = self.find(id)
        self._drop(trace)
        return trace

    def stop(self) -> None:
        """Drop all."""
        for trace in tuple(self._traces.values()):
            self._drop(trace)

    def _end(self, trace: Trace, reason: str) -> None:
        if trace.id not in self._traces:
            return
        trace.feed.stop()
        trace.ended, trace.until = reason, self._seconds()
        self._cancel_timer(trace)
        trace.timer = self._clock.callLater(KEPT_SECONDS, self._drop, trace)

    def _drop(self, trace: Trace) -> None:
        trace.feed.stop()
        self._cancel_timer(trace)
        self._traces.pop(trace.id, None)

    def _cancel_timer(self, trace: Trace) -> None:
        if trace.timer is not None and trace.timer.active():
            trace.timer.cancel()
        trace.timer = None
