"""A line in the log for what an administrator looks for there: logins, transfers, refusals."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from ftpservice import events
from ftpservice.events import Event

__all__ = ["LogLines"]

SAYINGS: dict[type[Event], str] = {
    events.LoggedIn: "{who} logged in",
    events.LoginFailed: "{who} failed to log in: {event.reason}",
    events.Refused: "{who} was turned away: {event.reason}",
    events.TransferEnded: "{who} {did} {path}: {event.outcome.value}, {event.size} bytes"
    " in {event.seconds:.3f} s {event.detail}",
    events.FileChanged: "{who} did {event.action} {path} {target}",
    events.CommandFailed: "{who}: {event.command} failed: {event.detail}",
}


class LogLines:
    """A subscriber that writes one line for an event, names escaped so that it stays one."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or _to_the_log

    def __call__(self, event: Event) -> None:
        """Write the line, if it is an event that has one."""
        saying = SAYINGS.get(type(event))
        if saying is not None:
            line = saying.format(
                event=event,
                who=f"{_escaped(event.user) or 'nobody'}@{event.peer} [{event.session}]",
                did="sent" if getattr(event, "upload", False) else "fetched",
                path=_escaped(getattr(event, "path", "")),
                target=_escaped(getattr(event, "target", "")),
            )
            self._write(line.strip())


def _to_the_log(line: str) -> None:
    _log.info("{line}", line=line)


_log = Logger("ftpservice")


def _escaped(name: str) -> str:
    """Return a name with nothing in it that could end or forge a line."""
    if name.isprintable():  # surrogates are not
        return name
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
