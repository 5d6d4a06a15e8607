"""When an account may log in: ``Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00``.

Hours are those of the clock on the wall of a time zone. So when clocks are put forward, hours in
the gap do not occur, and when they are put back, the repeated hour counts both times. A span whose
end is before its start ends on the next day; its day is the one that it starts on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["HourSpan", "LoginHours", "parse_hours"]

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY = frozenset(range(7))
TIMES = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
DAY_MINUTES = 24 * 60
MAX_SPANS = 50
EXAMPLE_TEXT = "expected hours such as Mon-Fri 08:00-18:00 Europe/Berlin; Sat 09:00-12:00"
NO_ZONES_TEXT = (
    "this machine has no time zones: install the package tzdata of the system, or run: "
    "pip install 'ftpservice[timezones]'"
)


@dataclass(frozen=True)
class HourSpan:
    """Some days, 0 for Monday, and the minutes of the day that the span starts and ends at."""

    days: frozenset[int]
    start: int
    end: int
    """Not part of the span; before ``start``: on the next day."""

    def contains(self, day: int, minute: int) -> bool:
        """Return whether a minute of a day is in the span."""
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        if minute >= self.start:
            return day in self.days
        return minute < self.end and (day - 1) % 7 in self.days

    def __str__(self) -> str:
        times = f"{_clock_text(self.start)}-{_clock_text(self.end)}"
        return " ".join([*_day_words(self.days), times])


@dataclass(frozen=True)
class LoginHours:
    """The spans in which an account may log in; raises `ValueError` for an unknown time zone."""

    spans: tuple[HourSpan, ...]
    zone: str = ""
    """The name of the time zone; empty for the one of the machine."""
    _zone: tzinfo | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the time zone (may block)."""
        object.__setattr__(self, "_zone", _time_zone(self.zone) if self.zone else None)

    def contain(self, seconds: float) -> bool:
        """Return whether a time, in seconds since the epoch, is in one of the spans."""
        wall = datetime.fromtimestamp(seconds, self._zone)
        day, minute = wall.weekday(), wall.hour * 60 + wall.minute
        return any(span.contains(day, minute) for span in self.spans)

    def __str__(self) -> str:
        """Return the text that `parse_hours` parses back."""
        first, *others = map(str, self.spans)
        return "; ".join([f"{first} {self.zone}".rstrip(), *others])


@lru_cache(1024)
def parse_hours(text: str) -> LoginHours:
    """Parse spans with semicolons; a time zone in one of them is that of all.

    The same text has the same object. Raises `ValueError` with the reason.
    """
    parsed = [_parsed_span(span.split()) for span in text.split(";")]
    if len(parsed) > MAX_SPANS:
        raise ValueError(f"more than {MAX_SPANS} spans")
    zones = {zone: None for _, zone in parsed if zone}
    if len(zones) > 1:
        raise ValueError(f"there is one time zone for all hours, not {' and '.join(zones)}")
    return LoginHours(tuple(span for span, _ in parsed), next(iter(zones), ""))


def _parsed_span(words: Sequence[str]) -> tuple[HourSpan, str]:
    """Return a span and its time zone, which may be empty."""
    place = next((at for at, word in enumerate(words) if TIMES.fullmatch(word)), None)
    if place is None or len(words) > place + 2:
        raise ValueError(EXAMPLE_TEXT)
    days = frozenset(day for word in words[:place] for day in _days(word)) or EVERY_DAY
    zone = words[place + 1] if len(words) > place + 1 else ""
    if zone and not ZONE.fullmatch(zone):
        raise ValueError(f"{zone!r} is not a time zone such as Europe/Berlin")
    match = TIMES.fullmatch(words[place])
    assert match is not None
    start = int(match[1]) * 60 + int(match[2])
    end = DAY_MINUTES if match[3] is None else int(match[3]) * 60 + int(match[4])
    if start == end:
        raise ValueError(f"{words[place]} is no time at all; the whole day is 00:00-24:00")
    return HourSpan(days, start, end), zone


def _days(word: str) -> list[int]:
    """Return the days of ``Mon`` or ``Mon-Fri``."""
    first, dash, last = word.partition("-")
    names = [name.capitalize() for name in ((first, last) if dash else (first, first))]
    if not set(names) <= set(DAY_NAMES):
        raise ValueError(f"{word!r} is not a day such as Mon, or days such as Mon-Fri")
    start, end = map(DAY_NAMES.index, names)
    return [(start + day) % 7 for day in range((end - start) % 7 + 1)]


def _day_words(days: frozenset[int]) -> list[str]:
    """Return days as words that `_days` reads back; none for all."""
    if days == EVERY_DAY:
        return []
    words: list[str] = []
    for start in sorted(days):
        if start - 1 in days:
            continue
        end = next(day for day in range(start, 8) if day + 1 not in days)
        name = DAY_NAMES[start]
        words.append(name if end == start else f"{name}-{DAY_NAMES[end]}")
    return words


def _clock_text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _time_zone(name: str) -> tzinfo:
    """Return a time zone (may block); raises `ValueError`."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    try:
        ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(NO_ZONES_TEXT) from None
    raise ValueError(f"{name!r} is not a time zone such as Europe/Berlin")
