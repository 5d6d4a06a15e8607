"""A line in the log for what an administrator looks for there: logins, transfers, refusals.

Lines are written some at a time, with the time of their events: the first one of a small transfer
would cost a tenth of it, and the next ones a fraction of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel, globalLogPublisher

from ftpservice import events
from ftpservice.activity.log_throttle import LogThrottle, SuppressedLines
from ftpservice.events import Event, Outcome

__all__ = ["EventLog", "Verbosity"]

DELAY_SECONDS = 0.05
"""Seconds that a line waits for others at most."""
LINES_PER_WRITE = 50
"""Lines that wait for no more."""
LINE_FORMATS: dict[type[Event], str] = {
    events.LoggedIn: "{who} logged in {tls}",
    events.LoginFailed: "{who} failed to log in: {reason}{detail}",
    events.HandshakeFailed: "{who} did not get under TLS: {reason}",
    events.Refused: "{who} was turned away: {reason}",
    events.TransferEnded: "{who} {did} {path}: {event.outcome.value}, {event.size} bytes"
    " in {event.seconds:.3f} s{detail}",
    events.FileChanged: "{who} {change} {path} {target}",
    events.CommandRefused: "{who}: {command} was refused: {event.code} {text}{detail}",
    events.CommandFailed: "{who}: {command} failed: {reason}",
    SuppressedLines: "{who}: {event.count} more refusals within a second",
}
OTHER_SESSIONS_FORMAT = "{event.count} more refusals of other sessions within a second"

CHANGE_TEXTS = {
    "delete": "removed",
    "drop partial": "removed the interrupted upload of",
    "rename": "renamed",
    "mkdir": "made the directory",
    "rmdir": "removed the directory",
    "attributes": "changed the attributes of",
}

PROBLEM_EVENTS = frozenset(
    (
        events.LoginFailed,
        events.HandshakeFailed,
        events.Refused,
        events.CommandRefused,
        events.CommandFailed,
        SuppressedLines,
    )
)


class Verbosity(Enum):
    """Which events have a line."""

    ALL = "all"
    PROBLEMS = "problems"
    """What went wrong: logins that failed, who was turned away, transfers that were not whole."""

    def includes(self, event: Event) -> bool:
        """Tell whether an event has a line."""
        if self is Verbosity.ALL or type(event) in PROBLEM_EVENTS:
            return True
        return isinstance(event, events.TransferEnded) and event.outcome is not Outcome.COMPLETE


class EventLog:
    """A subscriber that writes one line for an event, names escaped so that it stays one.

    ``write`` is called with the line, the time of the event and the level. Refusals that come
    faster than anybody reads are summed up (`LogThrottle`).
    """

    def __init__(
        self,
        clock: IReactorTime,
        write: Callable[[str, float, Any], object] | None = None,
        verbosity: Verbosity = Verbosity.ALL,
    ) -> None:
        self._clock = clock
        self.verbosity = verbosity
        self._flood = LogThrottle(clock, self._wait)
        self._write = write or _to_the_log
        self._waiting: list[Event] = []
        self._call: IDelayedCall | None = None

    def __call__(self, event: Event) -> None:
        """Have the line written soon, if it is an event that has one."""
        if type(event) not in LINE_FORMATS or not self.verbosity.includes(event):
            return
        if type(event) in PROBLEM_EVENTS and not self._flood.allows_line(event):
            return
        self._wait(event)

    def _wait(self, event: Event) -> None:
        self._waiting.append(event)
        if len(self._waiting) >= LINES_PER_WRITE:
            self._write_waiting()
        elif self._call is None:
            self._call = self._clock.callLater(DELAY_SECONDS, self._write_waiting)

    def flush(self) -> None:
        """Write the lines that wait."""
        self._flood.settle()
        self._write_waiting()

    def _write_waiting(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._write(_line(event), event.when, level_of(event))


def level_of(event: Event) -> Any:
    """Return the level of an event's line: warn for what failed, error for defects."""
    if isinstance(event, events.CommandFailed):
        return LogLevel.error
    not_whole = isinstance(event, events.TransferEnded) and event.outcome is not Outcome.COMPLETE
    return LogLevel.warn if not_whole or type(event) in PROBLEM_EVENTS else LogLevel.info


def _line(event: Event) -> str:
    others = isinstance(event, SuppressedLines) and event.others
    saying = OTHER_SESSIONS_FORMAT if others else LINE_FORMATS[type(event)]
    return saying.format(event=event, **_words(event)).strip()


def _words(event: Event) -> dict[str, str]:
    """Return what the sayings name; whatever a client has said is escaped."""
    if isinstance(event, events.CommandRefused | events.CommandFailed):
        asked = f"{event.command} {getattr(event, 'path', '')}".strip()
        command = _escaped(asked) or "a line"
    else:
        command = ""
    detail, action = getattr(event, "detail", ""), getattr(event, "action", "")
    target = _escaped(getattr(event, "target", ""))
    return {
        "who": f"{_escaped(event.user) or 'nobody'}@{_escaped(event.peer)} [{event.session}]",
        "did": "uploaded" if getattr(event, "upload", False) else "downloaded",
        "command": command,
        "path": _escaped(getattr(event, "path", "")),
        "change": CHANGE_TEXTS.get(action, f"did {_escaped(action)}"),
        "target": target and f"to {target}",
        "text": _escaped(getattr(event, "text", "")),
        "tls": _aside(getattr(event, "tls", "")).lstrip(),
        "reason": _escaped(getattr(event, "reason", "") or detail),
        "detail": _aside(detail),
    }


def _to_the_log(line: str, when: float, level: Any) -> None:
    """Do what `Logger.emit` does, which has no time but the present."""
    globalLogPublisher(
        {
            "log_logger": _log,
            "log_level": level,
            "log_namespace": _log.namespace,
            "log_source": None,
            "log_format": "{line}",
            "log_time": when,
            "line": line,
        }
    )


_log = Logger("ftpservice")


def _aside(text: str) -> str:
    return f" ({_escaped(text)})" if text else ""


def _escaped(name: str) -> str:
    """Return a name with nothing in it that could end or forge a line."""
    if name.isprintable():  # surrogates are not
        return name
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
