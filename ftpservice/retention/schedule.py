"""When files are deleted by themselves, and what besides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

__all__ = ["RetentionSchedule"]


@dataclass(frozen=True)
class RetentionSchedule:
    """The settings of the retention of a service."""

    at: time | None = time(3)
    """The local time of the day; None: only when it is asked for."""
    with_directories: bool = False
    """Whether empty directories are deleted, too."""

    def last_due(self, now: float, days: int = 0) -> float:
        """Return the last such time until now, or that of so many days later; -inf for none."""
        if self.at is None:
            return float("-inf")
        here = datetime.fromtimestamp(now)
        due = datetime.combine(here.date(), self.at)
        if due > here:
            due -= timedelta(days=1)
        return (due + timedelta(days=days)).timestamp()

    def next_due(self, after: float) -> float | None:
        """Return the first such time from ``after`` on; None for none."""
        if self.at is None:
            return None
        return next(due for days in (0, 1, 2) if (due := self.last_due(after, days)) >= after)
