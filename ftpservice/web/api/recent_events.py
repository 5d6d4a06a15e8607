"""The last events, as JSON values: problems are kept apart, so that traffic does not push them out.

A subscriber only appends; the values are made when somebody asks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields
from enum import Enum
from itertools import count, islice
from typing import Any

from ftpservice.events import (
    CommandFailed,
    CommandRefused,
    Event,
    HandshakeFailed,
    LoginFailed,
    Outcome,
    Refused,
    SessionStalled,
    TransferEnded,
)

__all__ = ["RecentEvents", "event_json"]

MAX_EVENTS = 1000
MAX_PROBLEMS = 500
PROBLEMS = (
    LoginFailed,
    Refused,
    HandshakeFailed,
    SessionStalled,
    CommandFailed,
    CommandRefused,
)
HIDDEN = frozenset(("info",))


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as JSON values."""
    shown: dict[str, Any] = {"kind": type(event).__name__}
    for one in fields(event):
        if one.name not in HIDDEN:
            value = getattr(event, one.name)
            if isinstance(value, Enum):
                value = value.value
            shown[one.name] = list(value) if isinstance(value, tuple) else value
    return shown | {"session_id": event.info.id, "protocol": event.info.protocol}


class RecentEvents:
    """A subscriber of all events; each has a number, from 1."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.last_number = 0
        self._events: deque[tuple[int, Event]] = deque(maxlen=MAX_EVENTS)
        self._problems: deque[tuple[int, Event]] = deque(maxlen=MAX_PROBLEMS)

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.last_number = next(self._numbers)
        numbered = (self.last_number, event)
        self._events.append(numbered)
        if isinstance(event, PROBLEMS) or (
            type(event) is TransferEnded and event.outcome is not Outcome.COMPLETE
        ):
            self._problems.append(numbered)

    def latest(self, limit: int, only_problems: bool = False) -> list[dict[str, Any]]:
        """Return the last events, the latest first."""
        kept = self._problems if only_problems else self._events
        chosen = islice(reversed(kept), limit)
        return [{"number": number} | event_json(event) for number, event in chosen]

    def after(self, number: int) -> list[dict[str, Any]]:
        """Return the events with a higher number, the oldest first."""
        found = []
        for one, event in reversed(self._events):
            if one <= number:
                break
            found.append({"number": one} | event_json(event))
        return found[::-1]
