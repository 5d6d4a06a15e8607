"""The last events, in memory; the failures and refusals among them are kept longer."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from ftpservice.activity.journal.journal_rows import VALUES, event_values
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
    UploadRefused,
)

__all__ = ["RecentEvents"]

MAX_EVENTS = 1000
MAX_PROBLEMS = 500
PROBLEMS = frozenset(
    (
        LoginFailed,
        Refused,
        HandshakeFailed,
        SessionStalled,
        CommandFailed,
        CommandRefused,
        UploadRefused,
        CertificateFailed,
    )
)
Numbered = tuple[int, Event]


class RecentEvents:
    """A subscriber of the events that the journal keeps; each has a number, from 1."""

    kinds: tuple[type[Event], ...] = tuple(VALUES)
    """The events to subscribe to."""

    def __init__(self, node: str = "") -> None:
        """``node`` is the name of this node of a cluster, or empty."""
        self._node = node
        self.last_number = 0
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._problems: deque[Numbered] = deque(maxlen=MAX_PROBLEMS)

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.last_number += 1
        self._events.append(event)
        is_problem = (
            event.outcome is not Outcome.COMPLETE
            if isinstance(event, TransferEnded)
            else type(event) in PROBLEMS
        )
        if is_problem:
            self._problems.append((self.last_number, event))

    def chosen(self, query: EventQuery) -> list[dict[str, Any]]:
        """Return the events of a query, the latest first."""
        kept = reversed(self._problems) if query.problems else self._latest()
        before = self.last_number + 1
        if query.before.isascii() and query.before.isdecimal():
            before, query = int(query.before[:15]), replace(query, until=math.inf)
        found: list[dict[str, Any]] = []
        for number, event in kept:
            row = event_values(event, self._node)
            if number >= before or row is None or not query.wants(row):
                continue
            found.append(_shown(number, row))
            if len(found) >= query.limit:
                break
        return found

    def _latest(self) -> Iterator[Numbered]:
        """Yield the events with their numbers, the latest first."""
        return zip(count(self.last_number, -1), reversed(self._events), strict=False)

    def after(self, number: int) -> list[dict[str, Any]]:
        """Return the events with a higher number, the oldest first."""
        found = []
        for one, event in self._latest():
            if one <= number:
                break
            row = event_values(event, self._node)
            if row is not None:
                found.append(_shown(one, row))
        return found[::-1]


def _shown(number: int, row: dict[str, Any]) -> dict[str, Any]:
    return event_json(row | {"id": str(number)})
