"""The log as text: Twisted's format of lines, with a short way for those of events."""

from __future__ import annotations

from functools import lru_cache

from twisted.logger import LogEvent, formatEventAsClassicLogText, formatTime

from ftpservice.activity.event_log import LOGGED_EVENT

__all__ = ["text_line"]


def text_line(event: LogEvent) -> str | None:
    """Return a line of the log, with its line end; None for one without text.

    The line of an event (`EventLog`) is printable and complete: it is not formatted again.
    """
    if LOGGED_EVENT not in event:
        return formatEventAsClassicLogText(event)
    where = f"{event['log_namespace']}#{event['log_level'].name}"
    return f"{_time(int(event['log_time']))} [{where}] {event['line']}\n"


@lru_cache(maxsize=8)
def _time(second: int) -> str:
    return formatTime(second)
