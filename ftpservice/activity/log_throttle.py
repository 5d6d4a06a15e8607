"""Keeps clients that are refused again and again from filling the log.

In each second a session may have so many lines about problems, and all sessions together so many;
what is beyond that is counted, and one line for each session tells the count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.events import Event

__all__ = ["MAX_LINES_PER_SESSION", "MAX_LINES_TOTAL", "LogThrottle", "SuppressedLines"]

MAX_LINES_PER_SESSION = 20
MAX_LINES_TOTAL = 200
"""Lines about problems in a second."""
MAX_SUMMARIES = 20
"""Sessions whose count has a line of its own."""
WINDOW_SECONDS = 1.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class SuppressedLines(Event):
    """So many events of a session, or of all others, have no line."""

    count: int
    others: bool = False
    """Whether they are those of all sessions that have no summary of their own."""


class LogThrottle:
    """Decides which problems have a line; ``tell`` is called with what was left out, later."""

    def __init__(self, clock: IReactorTime, tell: Callable[[SuppressedLines], object]) -> None:
        self._clock = clock
        self._tell = tell
        self._ends = 0.0
        self._admitted: Counter[int] = Counter()
        self._total = 0
        self._left_out: dict[int, tuple[int, Event]] = {}
        self._call: IDelayedCall | None = None

    def allows_line(self, event: Event) -> bool:
        """Tell whether ``event`` has a line; otherwise it is counted."""
        now = self._clock.seconds()
        if now >= self._ends:
            self.settle()
            self._ends = now + WINDOW_SECONDS
        if self._total < MAX_LINES_TOTAL and self._admitted[event.session] < MAX_LINES_PER_SESSION:
            self._total += 1
            self._admitted[event.session] += 1
            return True
        known = event.session in self._left_out or len(self._left_out) < MAX_SUMMARIES
        session = event.session if known else 0
        count, _ = self._left_out.get(session, (0, event))
        self._left_out[session] = (count + 1, event)
        if self._call is None:
            self._call = self._clock.callLater(self._ends - now, self.settle)
        return False

    def settle(self) -> None:
        """Tell what was left out, and begin anew."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        left_out, self._left_out = self._left_out, {}
        self._admitted.clear()
        self._total = 0
        for session, (count, event) in left_out.items():
            self._tell(
                SuppressedLines(
                    event.when, event.session, event.peer, event.user, count, session == 0
                )
            )
