"""Events as they happen, for one who follows them: a line of the log and its fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import LogLevel

from ftpservice.activity.event_log import EventLog
from ftpservice.activity.logs.event_fields import event_fields
from ftpservice.events import Event, EventStream

__all__ = ["EventFeed", "Feed", "HoldingFeed"]


@runtime_checkable
class Feed(Protocol):
    """JSON objects as they come, between `start` and `stop`."""

    def start(self, send: Callable[[dict[str, Any]], object]) -> None:
        """Call ``send`` with each."""

    def stop(self) -> None:
        """Send nothing more."""


@runtime_checkable
class HoldingFeed(Feed, Protocol):
    """A feed whose values may wait for others for a moment."""

    def flush(self) -> None:
        """Send those that wait."""


class EventFeed:
    """The events of ``user`` or of all; with ``failed`` only those about problems.

    Refusals are limited as in the log.
    """

    earlier: Sequence[Event] = ()
    """Events of before that are sent first."""

    def __init__(
        self, events: EventStream, clock: IReactorTime, user: str | None, failed: bool
    ) -> None:
        self._events = events
        self._log = EventLog(clock, self._write)
        self._user = user
        self._failed = failed
        self._send: Callable[[dict[str, Any]], object] = bool
        self._unsubscribe: Callable[[], None] | None = None

    def start(self, send: Callable[[dict[str, Any]], object]) -> None:
        """Call ``send`` with each event: ``at``, ``level``, ``line`` and the ``fields``."""
        self._send = send
        earlier, self.earlier = self.earlier, ()  # once, also if the feed begins again
        for event in earlier:
            self._log(event)
        self._unsubscribe = self._events.subscribe(self._log, *EventLog.kinds)

    def stop(self) -> None:
        """Send nothing more."""
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            self._send = bool
            unsubscribe()
            self._log.flush()  # its timers

    def flush(self) -> None:
        """Send the events that wait for others."""
        self._log.flush()

    def _write(self, line: str, event: Event, level: Any) -> None:
        if self._user is not None and event.user != self._user:
            return
        if self._failed and level is LogLevel.info:
            return
        fields = event_fields(event)
        self._send({"at": event.when, "level": level.name, "line": line, "fields": fields})
