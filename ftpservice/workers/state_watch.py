"""What a worker tells of itself every second, and that it does not: it hangs, or was stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.concurrency.timers import Deadline

__all__ = ["SILENT_SECONDS", "STATE_SECONDS", "StateWatch"]

log = Logger("ftpservice.workers")

STATE_SECONDS = 1.0
"""Time between two reports of the state."""
SILENT_SECONDS = 10.0
"""A worker that has told nothing for that long is in the log."""
UNREAD_SECONDS = 1.0
"""Time in which reports are read that have arrived while this process itself was busy."""


class StateWatch:
    """The reports of one worker; ``pid`` returns its process number."""

    def __init__(self, clock: IReactorTime, pid: Callable[[], int]) -> None:
        self._clock = clock
        self._pid = pid
        self.state: Mapping[str, Any] = {}
        """What it last told."""
        self._told_at: float | None = None
        self._is_late = self._is_silent = False
        self._limit = Deadline(clock, self._passed)

    def told(self, state: Mapping[str, Any]) -> None:
        """Note a report."""
        if self._is_silent:
            log.info(
                "worker {pid} goes on after {seconds:.0f} s",
                pid=self._pid(),
                seconds=self._silent_seconds(),
            )
        self.state, self._told_at = state, self._clock.seconds()
        self._is_late = self._is_silent = False
        self._limit.set(SILENT_SECONDS)

    def stop(self) -> None:
        """Expect no further report."""
        self._limit.clear()

    @property
    def lag(self) -> float:
        """The delay of the last report, or of the one that is due; in seconds."""
        told: float = self.state.get("lag", 0.0)
        return max(told, self._silent_seconds() - STATE_SECONDS)

    def _silent_seconds(self) -> float:
        return 0.0 if self._told_at is None else self._clock.seconds() - self._told_at

    def _passed(self) -> None:
        if not self._is_late:
            self._is_late = True
            self._limit.set(UNREAD_SECONDS)
            return
        self._is_silent = True
        log.error(
            "worker {pid} has carried out nothing for {seconds:.0f} s: it hangs, was stopped, or "
            "gets no processor",
            pid=self._pid(),
            seconds=self._silent_seconds(),
        )
