"""A line in the log for what an administrator looks for there: logins, transfers, refusals.

Lines are written some at a time, with the time of their events: the first one of a small transfer
would cost a tenth of it, and the next ones a fraction of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel, globalLogPublisher

from ftpservice import events
from ftpservice.events import Event, Outcome

__all__ = ["LogLines", "Verbosity"]

DELAY = 0.05
"""Seconds that a line waits for others at most."""
TOGETHER = 50
"""Lines that wait for no more."""
SAYINGS: dict[type[Event], str] = {
    events.LoggedIn: "{who} logged in {tls}",
    events.LoginFailed: "{who} failed to log in: {reason}{detail}",
    events.HandshakeFailed: "{who} did not get under TLS: {reason}",
    events.Refused: "{who} was turned away: {reason}",
    events.TransferEnded: "{who} {did} {path}: {event.outcome.value}, {event.size} bytes"
    " in {event.seconds:.3f} s {event.detail}",
    events.FileChanged: "{who} did {event.action} {path} {target}",
    events.CommandFailed: "{who}: {event.command} failed: {event.detail}",
}


PROBLEMS = (events.LoginFailed, events.HandshakeFailed, events.Refused, events.CommandFailed)


class Verbosity(Enum):
    """Which events have a line."""

    ALL = "all"
    PROBLEMS = "problems"
    """What went wrong: logins that failed, who was turned away, transfers that were not whole."""

    def wants(self, event: Event) -> bool:
        """Tell whether an event has a line."""
        if self is Verbosity.ALL or isinstance(event, PROBLEMS):
            return True
        return isinstance(event, events.TransferEnded) and event.outcome is not Outcome.COMPLETE


class LogLines:
    """A subscriber that writes one line for an event, names escaped so that it stays one.

    ``write`` is called with the line and the time of the event.
    """

    def __init__(
        self,
        clock: IReactorTime,
        write: Callable[[str, float], object] | None = None,
        verbosity: Verbosity = Verbosity.ALL,
    ) -> None:
        self._clock = clock
        self._verbosity = verbosity
        self._write = write or _to_the_log
        self._waiting: list[Event] = []
        self._call: IDelayedCall | None = None

    def __call__(self, event: Event) -> None:
        """Have the line written soon, if it is an event that has one."""
        if type(event) not in SAYINGS or not self._verbosity.wants(event):
            return
        self._waiting.append(event)
        if len(self._waiting) >= TOGETHER:
            self.flush()
        elif self._call is None:
            self._call = self._clock.callLater(DELAY, self.flush)

    def flush(self) -> None:
        """Write the lines that wait."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._write(_line(event), event.when)


def _line(event: Event) -> str:
    return (
        SAYINGS[type(event)]
        .format(
            event=event,
            who=f"{_escaped(event.user) or 'nobody'}@{event.peer} [{event.session}]",
            did="sent" if getattr(event, "upload", False) else "fetched",
            path=_escaped(getattr(event, "path", "")),
            target=_escaped(getattr(event, "target", "")),
            tls=_aside(getattr(event, "tls", "")).lstrip(),
            reason=_escaped(getattr(event, "reason", "")),
            detail=_aside(getattr(event, "detail", "")),
        )
        .strip()
    )


def _to_the_log(line: str, when: float) -> None:
    """Do what `Logger.info` does, which has no time but the present."""
    globalLogPublisher(
        {
            "log_logger": _log,
            "log_level": LogLevel.info,
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
