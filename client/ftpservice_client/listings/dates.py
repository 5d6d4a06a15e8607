"""Dates and times in listings.

A time in a listing is in the server's own zone, which the listing does not state, and is truncated
to minutes or days. It is read as UTC; the grain is the unit it was truncated to.
"""

from __future__ import annotations

from calendar import isleap
from datetime import UTC, datetime
from typing import NamedTuple

__all__ = [
    "DAY_SECONDS",
    "MINUTE_SECONDS",
    "UNKNOWN_TIME",
    "ListedTime",
    "time_with_year",
    "time_without_year",
]

MINUTE_SECONDS = 60.0
DAY_SECONDS = 86400.0


class ListedTime(NamedTuple):
    """A time, and the seconds by which the true time may be later; grain 0: exact, in UTC."""

    moment: float
    grain: float


UNKNOWN_TIME = ListedTime(0.0, 0.0)
"""The value of an unknown time."""


def time_with_year(year: int, month: int, day: int, *clock: int) -> ListedTime:
    """Return the time of a date, with or without a time of day; raises `ValueError`."""
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    if year < 100:
        year += 2000 if year < 70 else 1900
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    return ListedTime(moment, (DAY_SECONDS, DAY_SECONDS, MINUTE_SECONDS, 1.0)[len(clock)])


def time_without_year(month: int, day: int, hour: int, minute: int, now: float) -> ListedTime:
    """Return the time of a date in the last twelve months; raises `ValueError`.

    A day ahead of ``now`` is allowed: the server may be in a zone further east.
    """
    year = datetime.fromtimestamp(now, UTC).year + 1
    while True:
        if (month, day) != (2, 29) or isleap(year):
            moment = datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()
            if moment <= now + DAY_SECONDS:
                return ListedTime(moment, MINUTE_SECONDS)
        year -= 1
