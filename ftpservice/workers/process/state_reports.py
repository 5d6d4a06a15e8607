"""What a worker tells of itself: its state every second, and what a stop has to wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftpservice.concurrency.timers import Deadline
from ftpservice.workers.channel import Channel
from ftpservice.workers.state_watch import STATE_SECONDS

__all__ = ["StateReports"]

WORKING_SECONDS = 0.02
"""Time between two reports of how many sessions work, while they have to finish."""


class StateReports:
    """Sends them; ``state`` returns plain values, ``working`` the sessions with a command."""

    def __init__(
        self,
        channel: Channel,
        state: Callable[[], dict[str, Any]],
        working: Callable[[], int],
        clock: Any,
    ) -> None:
        self._channel = channel
        self._state = state
        self._working = working
        self._clock = clock
        self._state_timer = Deadline(clock, self._tell_state)
        self._working_timer = Deadline(clock, self.tell_working)
        self._due = 0.0

    def start(self) -> None:
        """Begin to tell the state."""
        self._due = self._clock.seconds() + STATE_SECONDS
        self._state_timer.set(STATE_SECONDS)

    def stop(self) -> None:
        """Tell nothing more."""
        self._state_timer.clear()
        self._working_timer.clear()

    def tell_working(self) -> None:
        """Tell how many sessions work, until none does."""
        count = self._working()
        self._channel.send("working", count)
        if count:
            self._working_timer.set(WORKING_SECONDS)

    def _tell_state(self) -> None:
        lag = max(0.0, self._clock.seconds() - self._due)
        self.start()
        if not self._channel.is_paused:
            self._channel.send("state", {"lag": lag, **self._state()})
