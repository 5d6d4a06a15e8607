"""Rates and counts over the last hour and the last week, and totals of users, in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.activity.bounded_counter import BoundedCounter
from ftpservice.activity.live.live_sessions import LiveSessions
from ftpservice.events import Event, LoginFailed, Outcome, TransferEnded

__all__ = ["SPANS", "ActivityHistory"]

log = Logger("ftpservice.web")

SAMPLE_SECONDS = 10.0
COARSE_SAMPLES = 30
"""Samples that become one of the week: five minutes."""
HOUR, DAY, WEEK = 3600.0, 86_400.0, 7 * 86_400.0
SPANS: Mapping[str, float] = {"hour": HOUR, "day": DAY, "week": WEEK}
USER_COLUMNS = ("files_up", "bytes_up", "files_down", "bytes_down", "incomplete", "failed_logins")
FILES_UP, FILES_DOWN, INCOMPLETE = 0, 2, 4


@dataclass(frozen=True, slots=True)
class Sample:
    """The state at a time; rates are those of the time before it."""

    when: float
    up: float
    """Bytes per second."""
    down: float
    sessions: int
    transfers: int


class ActivityHistory:
    """Takes a sample every ten seconds from `start` to `stop`; a subscriber of all events."""

    def __init__(self, live: LiveSessions, clock: Any, seconds: Callable[[], float]) -> None:
        self._live = live
        self._seconds = seconds
        self._ended_up = self._ended_down = 0
        self._users = BoundedCounter(len(USER_COLUMNS))
        self._before = (seconds(), 0, 0)
        self._fine: deque[Sample] = deque(maxlen=int(HOUR / SAMPLE_SECONDS))
        self._coarse: deque[Sample] = deque(maxlen=int(WEEK / SAMPLE_SECONDS / COARSE_SAMPLES))
        self._pending: list[Sample] = []
        self._timer = LoopingCall(self.sample)
        self._timer.clock = clock

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if type(event) is TransferEnded:
            row, size = self._users.row(event.user), event.size
            files = FILES_UP if event.upload else FILES_DOWN
            row[files if event.outcome is Outcome.COMPLETE else INCOMPLETE] += 1
            row[files + 1] += size
            if event.upload:
                self._ended_up += size
            else:
                self._ended_down += size
        elif type(event) is LoginFailed:
            self._users.add(event.user, 0, 0, 0, 0, 0, 1)

    def start(self) -> None:
        """Begin to take samples."""
        if not self._timer.running:
            started = self._timer.start(SAMPLE_SECONDS, now=False)
            started.addErrback(lambda failure: log.failure("no more samples are taken", failure))

    def stop(self) -> None:
        """Take no more samples."""
        if self._timer.running:
            self._timer.stop()

    def sample(self) -> None:
        """Take a sample now."""
        now, (up, down) = self._seconds(), self._live.moved_now()
        up, down = up + self._ended_up, down + self._ended_down
        before, up_before, down_before = self._before
        seconds = max(now - before, 0.001)
        self._before = (now, up, down)
        sessions, transfers = self._live.counts()
        one = Sample(
            now,
            max(up - up_before, 0) / seconds,
            max(down - down_before, 0) / seconds,
            sessions,
            transfers,
        )
        self._fine.append(one)
        self._pending.append(one)
        if len(self._pending) >= COARSE_SAMPLES:
            self._coarse.append(_mean(self._pending))
            self._pending.clear()

    def series(self, span: str) -> dict[str, list[float]]:
        """Return the samples of one of `SPANS`, a list for each value."""
        since = self._seconds() - SPANS[span]
        kept = self._fine if span == "hour" else self._coarse
        chosen = [one for one in kept if one.when >= since]
        return {
            "when": [one.when for one in chosen],
            "up": [one.up for one in chosen],
            "down": [one.down for one in chosen],
            "sessions": [one.sessions for one in chosen],
            "transfers": [one.transfers for one in chosen],
        }

    def users(self, most: int) -> list[dict[str, Any]]:
        """Return the users with the most bytes, and one row for the others."""
        return [
            {"user": name} | dict(zip(USER_COLUMNS, row, strict=True))
            for name, row in self._users.top(most)
        ]


def _mean(samples: list[Sample]) -> Sample:
    """Return the mean rates, and the highest counts."""
    count = len(samples)
    return Sample(
        samples[-1].when,
        sum(one.up for one in samples) / count,
        sum(one.down for one in samples) / count,
        max(one.sessions for one in samples),
        max(one.transfers for one in samples),
    )
