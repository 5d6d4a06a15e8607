"""Writes events into the spool, in a thread of its own; counts those that cannot be kept.

A client can cause refusals without end. Of each kind of them, only so many of a second get a row:
so a flood does not displace what happened before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from twisted.logger import Logger

from ftpservice.activity.journal.row_texts import RowTexts, joined_rows
from ftpservice.activity.journal.spool import Spool, SpoolFull
from ftpservice.events import CommandRefused, Event, HandshakeFailed, LoginFailed, Refused

__all__ = ["JournalWriter"]

log = Logger("ftpservice.journal")

MAX_PENDING = 20_000
"""Rows in memory that the spool does not take at the moment."""
MAX_REFUSALS_PER_SECOND = 200
ROWS_AT_ONCE = 500
CHARS_AT_ONCE = 65_536
"""Fewer rows are appended at once if they are longer: also the smallest spool has room for them."""
ROWS_PER_RECORD = 50
"""So many are lost by a damaged record."""
REFUSALS = frozenset((CommandRefused, HandshakeFailed, LoginFailed, Refused))
FLOOD_REASON = f"more than {MAX_REFUSALS_PER_SECOND} refusals in a second"
NO_ROOM_REASON = "the spool did not take them"


class JournalWriter:
    """Its methods block, and are called in one thread; ``seconds``: since the epoch."""

    def __init__(
        self, spool: Spool, run: str, seconds: Callable[[], float], node: str = ""
    ) -> None:
        self.spool = spool
        self._rows = RowTexts(run, node)
        self._seconds = seconds
        self._pending: list[str] = []
        self._lost: Counter[str] = Counter()
        self._second = 0
        self._refusals: Counter[type[Event]] = Counter()
        self.lost = 0
        """Events so far that have no row."""
        self.problem = ""
        """Why the spool did not take the last records."""

    def write(self, events: Iterable[Event], unqueued: int = 0) -> None:
        """Append the rows of events; ``unqueued`` others were dropped before."""
        if unqueued:
            self._count_lost("too many events at once", unqueued)
        rows, text_of = [], self._rows.text_of
        for event in events:
            if type(event) in REFUSALS and not self._allows(event):
                continue
            try:
                text = text_of(event)
            except Exception:  # noqa: BLE001 - the other events must get their rows
                kind = type(event).__name__
                log.failure("the journal has no row for an event of {kind}", kind=kind)
                self._count_lost("no row can be made of them", 1)
                continue
            if text is not None:
                rows.append(text)
        room = MAX_PENDING - len(self._pending)
        if len(rows) > room:
            self._count_lost(NO_ROOM_REASON, len(rows) - room)
            rows = rows[:room]
        self._pending += rows
        self._append()

    def count_damaged(self, damaged: int, refused: int) -> None:
        """Count records of the spool that could not be delivered."""
        if damaged:
            self._count_lost("damaged records in the spool", damaged)
        if refused:
            self._count_lost("refused by the database", refused)

    def _append(self) -> None:
        try:
            while self._pending:
                rows = self._pending[:ROWS_AT_ONCE]
                while len(rows) > 1 and sum(map(len, rows)) > CHARS_AT_ONCE:
                    del rows[len(rows) // 2 :]
                self.spool.append(_records(rows))
                del self._pending[: len(rows)]
            if self._lost:
                now, lost = self._seconds(), self._lost.items()
                self.spool.append([self._rows.lost(now, count, reason) for reason, count in lost])
                self._lost.clear()
        except (OSError, SpoolFull) as error:
            self.problem = getattr(error, "strerror", None) or str(error)
        else:
            self.problem = ""

    def _count_lost(self, reason: str, count: int) -> None:
        self._lost[reason] += count
        self.lost += count

    def _allows(self, event: Event) -> bool:
        """Return whether a refusal gets a row; counts it otherwise."""
        second = int(event.when)
        if second != self._second:
            self._second = second
            self._refusals.clear()
        self._refusals[type(event)] += 1
        if self._refusals[type(event)] <= MAX_REFUSALS_PER_SECOND:
            return True
        self._count_lost(FLOOD_REASON, 1)
        return False

    def close(self) -> None:
        """Try once more what the spool did not take, and end its last file."""
        self._append()
        self.spool.seal()

    @property
    def pending(self) -> int:
        """Rows that the spool has not taken."""
        return len(self._pending)


def _records(rows: Sequence[str]) -> list[str]:
    starts = range(0, len(rows), ROWS_PER_RECORD)
    return [joined_rows(rows[start : start + ROWS_PER_RECORD]) for start in starts]
