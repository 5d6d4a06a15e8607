"""Limits the log lines about refusals, so that a client cannot fill the log.

Each session may cause a number of lines about problems per second, and so may all sessions
together. The events beyond that are counted, and one line per session gives the count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.events import Event, event_value

__all__ = ["MAX_LINES_PER_SESSION", "MAX_LINES_TOTAL", "LogThrottle", "SuppressedLines"]

MAX_LINES_PER_SESSION = 20
MAX_LINES_TOTAL = 200
"""Lines about problems per window."""
MAX_SUMMARIES = 20
"""Sessions whose count gets a line of its own."""
WINDOW_SECONDS = 1.0


@event_value
class SuppressedLines(Event):
    """The number of events of a session that have no line."""

    count: int
    others: bool = False
    """Whether ``count`` is that of all sessions without a summary of their own."""


class LogThrottle:
    """Decides which problems get a line; ``report`` is called later with what was suppressed."""

    def __init__(self, clock: IReactorTime, report: Callable[[SuppressedLines], object]) -> None:
        self._clock = clock
        self._report = report
        self._window_ends = 0.0
        self._lines_by_session: Counter[int] = Counter()
        self._total = 0
        self._suppressed: dict[int, tuple[int, Event]] = {}
        self._call: IDelayedCall | None = None

    def allows_line(self, event: Event) -> bool:
        """Return whether ``event`` gets a line; otherwise count it."""
        now, session = self._clock.seconds(), event.session
        if now >= self._window_ends:
            self.flush()
            self._window_ends = now + WINDOW_SECONDS
        of_session = self._lines_by_session[session]
        if self._total < MAX_LINES_TOTAL and of_session < MAX_LINES_PER_SESSION:
            self._total += 1
            self._lines_by_session[session] += 1
            return True
        if session not in self._suppressed and len(self._suppressed) >= MAX_SUMMARIES:
            session = 0
        count, _ = self._suppressed.get(session, (0, event))
        self._suppressed[session] = (count + 1, event)
        if self._call is None:
            self._call = self._clock.callLater(self._window_ends - now, self.flush)
        return False

    def flush(self) -> None:
        """Report what was suppressed, and start a new window."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        suppressed, self._suppressed = self._suppressed, {}
        self._lines_by_session.clear()
        self._total = 0
        for session, (count, event) in suppressed.items():
            self._report(
                SuppressedLines(
                    event.when,
                    event.session,
                    event.peer,
                    event.user,
                    count,
                    session == 0,
                    info=event.info,
                )
            )
