"""The log of events: one line for each login, transfer, change of a file, and refusal.

Lines are written in batches, with the times of their events: the first line of a batch costs a
tenth of a small transfer, each further one a fraction of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel, globalLogPublisher

from ftpservice import events
from ftpservice.activity.log_throttle import LogThrottle, SuppressedLines
from ftpservice.activity.text_table import duration_text
from ftpservice.events import Event, Outcome
from ftpservice.wire.units import bytes_text, count_text

__all__ = ["LOGGED_EVENT", "EventLog", "Verbosity"]

LOGGED_EVENT = "ftpservice_event"
"""The key of the event in what is given to the log of the process, for other formats."""

WRITE_DELAY_SECONDS = 0.05
"""The longest time that a line waits for others."""
LINES_PER_WRITE = 200
"""The number of lines that are written without a delay."""

FILE_CHANGES = {
    "delete": "deleted",
    "drop partial": "deleted the partial upload of",
    "restore": "restored",
    "rename": "renamed",
    "mkdir": "created directory",
    "rmdir": "deleted directory",
    "attributes": "changed the attributes of",
}


ACCOUNT_CHANGES = {
    "changed": "the account has changed",
    "locked or removed": "the account was locked or removed",
    "hours ended": "the hours of the account ended",
}


class Verbosity(Enum):
    """Which events are logged."""

    ALL = "all"
    PROBLEMS = "problems"
    """Failed logins, refused connections and commands, incomplete transfers."""


def _aside(text: str) -> str:
    return f" ({text})" if text else ""


def _transfer_ended(event: events.TransferEnded) -> str:
    verb = "uploaded" if event.upload else "downloaded"
    outcome = "complete" if event.outcome is Outcome.COMPLETE else event.outcome.value
    detail = _aside(event.detail) if event.detail else ""
    size = bytes_text(event.size)
    return f" {verb} {event.path}: {outcome}, {size} in {event.seconds:.3f} s{detail}"


def _file_changed(event: events.FileChanged) -> str:
    change = FILE_CHANGES.get(event.action, f"changed ({event.action})")
    return f" {change} {event.path}" + (f" to {event.target}" if event.target else "")


def _file_expired(event: events.FileExpired) -> str:
    what = "empty directory " if event.is_directory else ""
    size = "" if event.is_directory else f"{bytes_text(event.size)}, "
    age = duration_text(event.age)
    return f" retention deleted {what}{event.path}: {size}unchanged for {age}, rule {event.rule!r}"


def _command_refused(event: events.CommandRefused) -> str:
    command = f"{event.command} {event.path}".strip() or "a line"
    return f": {command} was refused: {event.code} {event.text}{_aside(event.detail)}"


def _admin_action(event: events.AdminAction) -> str:
    subject = f" {event.subject}" if event.subject else ""
    return f" did: {event.action}{subject}{_aside(event.detail)}"


def _banned(event: events.Banned) -> str:
    until = "until it is lifted"
    if event.until is not None:
        until = f"until {datetime.fromtimestamp(event.until, UTC):%Y-%m-%d %H:%M:%S UTC}"
    return f": {event.network} is banned {until}: {event.reason}"


def _session_closed(event: events.SessionClosed) -> str:
    return (
        f" disconnected after {duration_text(event.seconds)}: "
        f"uploaded {count_text(event.files_up, 'file')}, {bytes_text(event.bytes_up)}; "
        f"downloaded {count_text(event.files_down, 'file')}, {bytes_text(event.bytes_down)}"
    )


LINES: dict[type[Event], Callable[[Any], str]] = {
    events.LoggedIn: lambda event: f" logged in{_aside(event.tls)}",
    events.LoginFailed: lambda event: f" failed to log in: {event.reason}{_aside(event.detail)}",
    events.HandshakeFailed: lambda event: f": TLS handshake failed: {event.reason}",
    events.Refused: lambda event: f" was refused: {event.reason}",
    events.SessionClosed: _session_closed,
    events.SessionStalled: lambda event: f" was disconnected: {event.reason}",
    events.TransferEnded: _transfer_ended,
    events.FileChanged: _file_changed,
    events.FileExpired: _file_expired,
    events.CommandRefused: _command_refused,
    events.UploadRefused: _command_refused,
    events.CommandFailed: lambda event: f": {event.command or 'a line'} failed: {event.detail}",
    events.AdminAction: _admin_action,
    events.AccountChanged: lambda event: f": {ACCOUNT_CHANGES.get(event.what, event.what)}",
    events.Banned: _banned,
    events.BanLifted: lambda event: f": the ban of {event.network} was lifted",
    SuppressedLines: lambda event: f": {count_text(event.count, 'more refusal')} within a second",
}
"""What follows the account, the address and the session's number in the line of an event."""

PROBLEM_EVENTS = frozenset(
    (
        events.LoginFailed,
        events.HandshakeFailed,
        events.Refused,
        events.SessionStalled,
        events.Banned,
        events.CommandRefused,
        events.CommandFailed,
        events.UploadRefused,
        SuppressedLines,
    )
)

INFO, WARN = LogLevel.info, LogLevel.warn
OTHER_SURROGATES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Those that stand for no byte: no client can send them, but a store can have them in a name."""


class EventLog:
    """A subscriber that writes one line for an event.

    ``write`` is called with the line, the event and the level. A line begins with the id of the
    transfer or session (``-``: none). Names are escaped, so that they cannot end or forge a line.
    Refusals are limited by `LogThrottle`.
    """

    kinds: tuple[type[Event], ...] = tuple(kind for kind in LINES if kind is not SuppressedLines)
    """The events to subscribe to."""

    def __init__(
        self,
        clock: IReactorTime,
        write: Callable[[str, Event, Any], object] | None = None,
        verbosity: Verbosity = Verbosity.ALL,
    ) -> None:
        self._clock = clock
        self.verbosity = verbosity
        self._throttle = LogThrottle(clock, self._append)
        self._write = write or _publish
        self._waiting: list[Event] = []
        self._call: IDelayedCall | None = None

    def __call__(self, event: Event) -> None:
        """Log an event, if events of its type are logged."""
        kind = type(event)
        if kind is events.TransferEnded:
            if self.verbosity is Verbosity.ALL or _is_incomplete(event):
                self._append(event)
        elif kind in PROBLEM_EVENTS:
            is_ban = kind is events.Banned  # a flood of other problems must not hide it
            if not _is_told(event) and (is_ban or self._throttle.allows_line(event)):
                self._append(event)
        elif kind is events.SessionClosed and not event.user:
            return  # nobody has logged in: whoever connects could fill the log
        elif kind in LINES and self.verbosity is Verbosity.ALL:
            self._append(event)

    def _append(self, event: Event) -> None:
        self._waiting.append(event)
        if len(self._waiting) >= LINES_PER_WRITE:
            self._write_waiting()
        elif self._call is None:
            self._call = self._clock.callLater(WRITE_DELAY_SECONDS, self._write_waiting)

    def flush(self) -> None:
        """Write the lines that wait."""
        self._throttle.flush()
        self._write_waiting()

    def _write_waiting(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        waiting, self._waiting = self._waiting, []
        write = self._write
        for event in waiting:
            try:
                write(_line(event), event, _level(event))
            except Exception:  # noqa: BLE001 - the other events must get their lines
                _log.failure("no line for an event of {kind}", kind=type(event).__name__)


def _is_told(event: Event) -> bool:
    """Return whether the line of the `TransferEnded` tells it."""
    return isinstance(event, events.UploadRefused) and bool(event.transfer)


def _is_incomplete(event: Any) -> bool:
    """Return whether a transfer was not complete."""
    return event.outcome is not Outcome.COMPLETE


def _level(event: Event) -> Any:
    """Return the level of a line: warn for problems, error for unexpected errors."""
    kind = type(event)
    if kind is events.TransferEnded:
        return WARN if _is_incomplete(event) else INFO
    if kind is events.CommandFailed:
        return LogLevel.error
    return WARN if kind in PROBLEM_EVENTS else INFO


def _line(event: Event) -> str:
    if isinstance(event, SuppressedLines) and event.others:
        return f"- {count_text(event.count, 'more refusal')} of other sessions within a second"
    info, number = event.info, getattr(event, "transfer", 0)
    name = f"{info.id}-{number}" if number else info.id or "-"
    who = f"{event.user or '-'}@{event.peer or '-'} [{event.session}]"
    line = f"{name} {who}{LINES[type(event)](event)}"
    return line if line.isprintable() else _escaped(line)


def _publish(line: str, event: Event, level: Any) -> None:
    """Do what `Logger.emit` does, with the time of the event instead of now."""
    globalLogPublisher(
        {
            "log_logger": _log,
            "log_level": level,
            "log_namespace": _log.namespace,
            "log_source": None,
            "log_format": "{line}",
            "log_time": event.when,
            "line": line,
            LOGGED_EVENT: event,
        }
    )


_log = Logger("ftpservice")


def _escaped(line: str) -> str:
    """Return a line without characters that could end or forge one; surrogates are bytes."""
    line = OTHER_SURROGATES.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
    text = line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
