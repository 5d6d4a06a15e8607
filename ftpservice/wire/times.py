"""Times as RFC 3659 §2.3 writes them, and calendar text made fast for long listings."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

__all__ = ["DAY", "MINUTES", "CalendarDay", "CalendarDayCache", "format_time", "parse_time"]

DAY = 86400
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
FIRST_DAY = date.min.toordinal() - EPOCH_ORDINAL
LAST_DAY = date.max.toordinal() - EPOCH_ORDINAL
MAX_DAYS_KEPT = 10_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MINUTES = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60))
TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]{1,40}))?"
)


class CalendarDay:
    """The texts of one day, UTC."""

    __slots__ = ("digits", "with_month", "with_year")

    def __init__(self, number: int) -> None:
        day = date.fromordinal(min(max(number, FIRST_DAY), LAST_DAY) + EPOCH_ORDINAL)
        self.digits = f"{day.year:04}{day.month:02}{day.day:02}"
        """``20261121``."""
        self.with_month = f"{MONTHS[day.month - 1]} {day.day:2}"
        """``Nov 21``."""
        self.with_year = f"{self.with_month} {day.year:5}"
        """``Nov 21  2026``."""


class CalendarDayCache(dict[int, CalendarDay]):
    """Days by their number since the epoch, made when first asked for; bounded."""

    def __missing__(self, number: int) -> CalendarDay:
        if len(self) >= MAX_DAYS_KEPT:
            self.clear()
        day = self[number] = CalendarDay(number)
        return day


def format_time(seconds: float) -> str:
    """Return ``YYYYMMDDHHMMSS``, UTC, fractions dropped; years stay within 1 and 9999."""
    number, rest = divmod(int(seconds // 1), DAY)
    minutes, second = divmod(rest, 60)
    return f"{CalendarDay(number).digits}{minutes // 60:02}{minutes % 60:02}{second:02}"


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
