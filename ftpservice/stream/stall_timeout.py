"""Waiting for an event, for at most some time, or for as long as there is progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.stream.errors import TransferStalled
from ftpservice.wire.units import seconds_text

__all__ = ["StallDetector", "StallTimeout", "Wakeup"]

CHECKS_PER_TIMEOUT = 4
"""Checks for progress per timeout; a stall is noticed up to a quarter of the timeout late."""


class Wakeup:
    """An event with at most one waiter."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    _waiting: Deferred[bool] | None = None
    _timer: IDelayedCall | None = None

    def wait(self, seconds: float) -> Deferred[bool]:
        """Fire with True at `wake_waiter`, with False after ``seconds`` (0: never)."""
        waiting: Deferred[bool] = Deferred(self._stop_waiting)
        self._waiting = waiting
        if seconds:
            self._timer = self._clock.callLater(seconds, self._time_out)
        return waiting

    def wake_waiter(self) -> None:
        """Wake the waiter, if there is one."""
        waiting = self._waiting
        if waiting is not None:
            self._stop_waiting(waiting)
            waiting.callback(True)

    def _time_out(self) -> None:
        waiting, self._waiting, self._timer = self._waiting, None, None
        if waiting is not None:
            waiting.callback(False)

    def _stop_waiting(self, _waiting: Deferred[Any]) -> None:
        self._waiting = None
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():  # a test's clock may have dropped it
            timer.cancel()


class StallDetector:
    """Detects that a number has not changed for a timeout.

    A look that comes late counts for half of the timeout at most: a process that was paused looks
    before it has read what has come meanwhile.
    """

    def __init__(
        self, clock: IReactorTime, timeout: float, progress: Callable[[], int] | None = None
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._progress = progress
        self._looked_at = clock.seconds()
        self._idle = 0.0
        self._seen = progress() if progress is not None else 0

    def check(self) -> None:
        """Raise `TransferStalled` if the number has not changed for the timeout (0: never)."""
        now, seen = self._clock.seconds(), self._progress() if self._progress is not None else 0
        passed, self._looked_at = now - self._looked_at, now
        if seen != self._seen:
            self._idle, self._seen = 0.0, seen
            return
        self._idle += min(passed, self._timeout / 2)
        if self._timeout and self._idle >= self._timeout:
            raise TransferStalled(f"no progress for {seconds_text(self._timeout)}")


class StallTimeout(Wakeup):
    """An event that is waited for as long as ``progress()`` changes within each ``timeout``."""

    def __init__(
        self, clock: IReactorTime, timeout: float, progress: Callable[[], int] | None = None
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._progress = progress

    async def wait_for_progress(self) -> None:
        """Wait for `wake_waiter`; raises `TransferStalled`."""
        detector = StallDetector(self._clock, self._timeout, self._progress)
        while not await self.wait(self._timeout / CHECKS_PER_TIMEOUT):
            detector.check()
