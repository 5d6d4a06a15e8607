"""What a report is about: a time and an account, as users write them. Times are UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ftpservice.activity.text_table import printable_text, time_text
from ftpservice.wire.units import parse_duration

__all__ = ["ReportPeriod", "parse_moment", "parse_period", "period_words"]

DAY = 86_400.0
DEFAULT_WORDS = ("", "-")
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T_ ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)Z?")
SYNTAX = "2026-11-29, 2026-11-29T13:00, today, yesterday, now, or a time ago such as 12h or 7d"


@dataclass(frozen=True)
class ReportPeriod:
    """From ``since`` until just before ``until``, in seconds since the epoch."""

    since: float
    until: float
    user: str = ""
    """The account; empty for all."""

    @property
    def title(self) -> str:
        """The period as text."""
        whose = f", of {printable_text(self.user)}" if self.user else ""
        return f"{time_text(self.since)} to {time_text(self.until)} UTC{whose}"


def period_words(text: str) -> tuple[str, str, str]:
    """Return since, until and user of ``[<since> [<until> [<user>]]]``; a name may have spaces."""
    words = text.split(None, 2)
    since, until, user = (*words, "", "", "")[:3]
    return since, until, user


def parse_period(since: str, until: str, user: str, now: float) -> ReportPeriod:
    """Return what is meant, today by default; raises `ValueError`."""
    begins, ends = _moment(since, now, is_end=False), _moment(until, now, is_end=True)
    if begins is None:
        begins = _midnight(now if ends is None or ends > _midnight(now) else ends - 1)
    if ends is None:
        ends = now
    if begins > ends or (begins == ends and _is_before(until, begins, now)):
        raise ValueError(f"{time_text(begins)} is later than {until or time_text(ends)}")
    return ReportPeriod(begins, ends, "" if user in DEFAULT_WORDS else user)


def _is_before(word: str, moment: float, now: float) -> bool:
    """Return whether a word means a day (or time) that begins before a moment."""
    begins = _moment(word, now, is_end=False)
    return begins is not None and begins < moment


def _moment(text: str, now: float, is_end: bool) -> float | None:
    """Return the time that a word means; an end by a day is the end of that day."""
    word = text.strip().lower()
    if word in DEFAULT_WORDS:
        return None
    if word == "now":
        return now
    if word in ("today", "yesterday"):
        day = _midnight(now) - (DAY if word == "yesterday" else 0)
        return day + DAY if is_end else day
    try:
        if DATE.fullmatch(word):
            begins = datetime.fromisoformat(word).replace(tzinfo=UTC)
            return (begins + timedelta(days=1) if is_end else begins).timestamp()
        match = TIME.fullmatch(text.strip().upper())
        if match:
            return datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00").timestamp()
        return max(0.0, now - parse_duration(word, needs_unit=True))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time: use {SYNTAX}") from None


def parse_moment(text: str, now: float, is_end: bool) -> float:
    """Return the time that a word means, now by default; raises `ValueError`."""
    found = _moment(text, now, is_end)
    return now if found is None else found


def _midnight(when: float) -> float:
    return when - when % DAY
