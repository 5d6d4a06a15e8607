"""The last events, in memory; the failures and refusals among them are kept longer."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from itertools import count
from typing import Any

from ftpservice.activity.journal.journal_rows import event_values
from ftpservice.activity.reports.event_query import EventQuery, event_json
from ftpservice.events import (
    CertificateFailed,
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

__all__ = ["RecentEvents"]

MAX_EVENTS = 1000
MAX_PROBLEMS = 500
PROBLEMS = (
    LoginFailed,
    Refused,
    HandshakeFailed,
    SessionStalled,
    CommandFailed,
    CommandRefused,
    CertificateFailed,
)
Numbered = tuple[int, Event]


class RecentEvents:
    """A subscriber of all events; each has a number, from 1."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self.last_number = 0
        self._events: deque[Numbered] = deque(maxlen=MAX_EVENTS)
        self._problems: deque[Numbered] = deque(maxlen=MAX_PROBLEMS)

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.last_number = next(self._numbers)
        numbered = (self.last_number, event)
        self._events.append(numbered)
        if isinstance(event, PROBLEMS) or (
            type(event) is TransferEnded and event.outcome is not Outcome.COMPLETE
        ):
            self._problems.append(numbered)

    def chosen(self, query: EventQuery) -> list[dict[str, Any]]:
        """Return the events of a query, the latest first."""
        kept = self._problems if query.problems else self._events
        before = self.last_number + 1
        if query.before.isascii() and query.before.isdecimal():
            before, query = int(query.before[:15]), replace(query, until=math.inf)
        found: list[dict[str, Any]] = []
        for number, event in reversed(kept):
            row = event_values(event)
            if number >= before or row is None or not query.wants(row):
                continue
            found.append(_shown(number, row))
            if len(found) >= query.limit:
                break
        return found

    def after(self, number: int) -> list[dict[str, Any]]:
        """Return the events with a higher number, the oldest first."""
        found = []
        for one, event in reversed(self._events):
            if one <= number:
                break
            row = event_values(event)
            if row is not None:
                found.append(_shown(one, row))
        return found[::-1]


def _shown(number: int, row: dict[str, Any]) -> dict[str, Any]:
    return event_json(row | {"id": str(number)})
