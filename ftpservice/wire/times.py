"""Times as RFC 3659 §2.3 writes them, and calendar text made fast for long listings."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

__all__ = [
    "DAY",
    "CalendarTexts",
    "day_as_ls",
    "format_time",
    "minute_as_ls",
    "minute_digits",
    "parse_time",
]

DAY = 86400
"""Seconds."""
MINUTES_PER_DAY = 1440
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
FIRST_DAY = date.min.toordinal() - EPOCH_ORDINAL
LAST_DAY = date.max.toordinal() - EPOCH_ORDINAL
MAX_TEXTS_KEPT = 10_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]{1,40}))?"
)


class CalendarTexts(dict[int, str]):
    """The texts of minutes or days by their number since the epoch (UTC), made when first used.

    Bounded. Many entries of a listing share them.
    """

    def __init__(self, text_of: Callable[[int], str]) -> None:
        super().__init__()
        self._text_of = text_of

    def __missing__(self, number: int) -> str:
        if len(self) >= MAX_TEXTS_KEPT:
            self.clear()
        text = self[number] = self._text_of(number)
        return text


def minute_digits(number: int) -> str:
    """Return ``202611211015`` for a minute since the epoch."""
    number, minute = divmod(number, MINUTES_PER_DAY)
    day = _date(number)
    return f"{day.year:04}{day.month:02}{day.day:02}{minute // 60:02}{minute % 60:02}"


def minute_as_ls(number: int) -> str:
    """Return ``Nov 21 10:15`` for a minute since the epoch."""
    number, minute = divmod(number, MINUTES_PER_DAY)
    day = _date(number)
    return f"{MONTHS[day.month - 1]} {day.day:2} {minute // 60:02}:{minute % 60:02}"


def day_as_ls(number: int) -> str:
    """Return ``Nov 21  2026`` for a day since the epoch."""
    day = _date(number)
    return f"{MONTHS[day.month - 1]} {day.day:2} {day.year:5}"


def _date(number: int) -> date:
    """Return the date of a day since the epoch, or the nearest that the calendar has."""
    return date.fromordinal(min(max(number, FIRST_DAY), LAST_DAY) + EPOCH_ORDINAL)


def format_time(seconds: float) -> str:
    """Return ``YYYYMMDDHHMMSS``, UTC, fractions dropped; years stay within 1 and 9999."""
    minute, second = divmod(int(seconds // 1), 60)
    return f"{minute_digits(minute)}{second:02}"


def parse_time(text: str) -> float:
    """Return seconds since the epoch; raises `ValueError` for what no calendar has."""
    match = TIME.fullmatch(text)
    if match is None:
        raise ValueError("a time is YYYYMMDDHHMMSS, with a fraction or without")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    leap = second == 60 and (hour, minute) == (23, 59)
    moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    fraction = float(f"0.{match[7]}") if match[7] else 0.0
    return moment.timestamp() + leap + fraction
