"""Moves rows from the spool into the database, and deletes what is older or more than is kept.

Called in one thread. Age is measured with a clock that jumps can only delay: the time of the start
plus what the monotonic clock has counted, or the time of day if that is earlier. If the clock of
the start is far from the last row, nothing is deleted by age for a day: the clock may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ftpservice.activity.journal.spool import Spool

__all__ = ["Delivered", "JournalDelivery", "JournalLimits"]

RECORDS_AT_ONCE = 2000
DOUBT_SECONDS = 86_400.0
"""How far the clock may be from the last row without doubt, and how long a doubt lasts."""


@dataclass
class Delivered:
    """What a delivery has done."""

    rows: int = 0
    damaged: int = 0
    """Rows of the spool that were skipped."""
    refused: int = 0
    """Rows that the database does not take."""
    deleted: int = 0
    """Old rows."""


@dataclass(frozen=True)
class JournalLimits:
    """How long rows are kept; 0 for no limit."""

    keep: float = 0.0
    max_bytes: int = 0


class JournalDelivery:
    """``database`` is its name, and makes it: with the first row, for its library is large."""

    def __init__(
        self,
        spool: Spool,
        database: tuple[str, Callable[[], Any]],
        limits: JournalLimits,
        clocks: tuple[Callable[[], float], Callable[[], float]],
    ) -> None:
        """``clocks`` return the seconds since the epoch and those of a monotonic clock."""
        self._spool = spool
        self.place, self._make_database = database
        self._limits = limits
        self._seconds, self._monotonic = clocks
        self._first = self._seconds(), self._monotonic()
        self._trusted_from: float | None = None
        """The monotonic time from which rows are deleted by age; None: not decided."""
        self.database: Any = None

    @property
    def has_rows(self) -> bool:
        """Whether the spool has something to deliver."""
        return self._spool.waiting > 0

    def open(self) -> Any:
        """Return the database, ready for rows (blocks); raises `StoreUnavailable`."""
        if self.database is None:
            self.database = self._make_database()
        self.database.prepare()
        return self.database

    def deliver(self, seconds: float) -> Delivered:
        """Deliver what the spool has, for so many seconds at most; the rest stays there.

        Raises `StoreUnavailable` and `OSError`.
        """
        done = Delivered()
        ends = self._monotonic() + seconds
        while (batch := self._spool.take(RECORDS_AT_ONCE)) is not None:
            if batch.records:
                done.refused += self.open().add(batch.records)
            self._spool.deliver(batch)
            done.rows += batch.rows
            done.damaged += batch.damaged
            if self._monotonic() >= ends:
                break
        return done

    def delete_old(self) -> int:
        """Delete what is older, and then what is too much; return the number of rows."""
        limits, database = self._limits, self.open()
        deleted = 0
        if limits.keep and self._trusts_clock(database):
            deleted += database.delete_before(self._now() - limits.keep)
        if limits.max_bytes:
            deleted += database.delete_over(limits.max_bytes)
        return deleted

    def _now(self) -> float:
        began, began_monotonic = self._first
        return min(self._seconds(), began + self._monotonic() - began_monotonic)

    def _trusts_clock(self, database: Any) -> bool:
        if self._trusted_from is None:
            last = database.newest()
            began, began_monotonic = self._first
            is_near = last is None or abs(last - began) < DOUBT_SECONDS
            self._trusted_from = began_monotonic + (0.0 if is_near else DOUBT_SECONDS)
        return self._monotonic() >= self._trusted_from

    def close(self) -> None:
        """Close the connections."""
        if self.database is not None:
            self.database.close()
