"""Whether the journal has what clients did."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["AFTER_SECONDS", "Kills", "journal_problems", "lost_events"]

Confirmed = Sequence[tuple[float, str, str, str]]
"""Time, account, direction and path of transfers that clients saw completed."""
Kills = Sequence[tuple[float, float]]
"""When, and for how many seconds after it events may be missing."""
BEFORE_SECONDS, AFTER_SECONDS = 2.0, 1.0
"""Around a kill, events may be missing: the clients' clock is not that of the service."""
SHOWN = 5
OPENED = "SELECT kind, count(*) FROM ftpservice_journal GROUP BY kind"
TRANSFERS = (
    "SELECT account, action, path, count(*) FROM ftpservice_journal "
    "WHERE kind = 'transfer' AND outcome = 'complete' GROUP BY account, action, path"
)
LOST = "SELECT detail, sum(events) FROM ftpservice_journal WHERE kind = 'lost' GROUP BY detail"


def journal_problems(
    path: Path, confirmed: Confirmed, counts: Counter[str], kills: Kills, live: int
) -> list[str]:
    """Compare the journal with what clients know; ``live`` are the sessions at a time.

    What happened around one of ``kills`` may be missing.
    """
    with closing(_opened(path)) as database:
        kinds = Counter(dict(database.execute(OPENED).fetchall()))
        rows = Counter({tuple(row[:3]): row[3] for row in database.execute(TRANSFERS).fetchall()})
    return [
        *_transfer_problems(rows, confirmed, kills),
        *_count_problems(kinds, counts, live * len(kills)),
    ]


def lost_events(path: Path) -> dict[str, int]:
    """Return the numbers of events that the journal counted as lost, by reason."""
    with closing(_opened(path)) as database:
        return {str(reason): int(number) for reason, number in database.execute(LOST)}


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10.0)


def _transfer_problems(rows: Counter[Any], confirmed: Confirmed, kills: Kills) -> Iterator[str]:
    certain: Counter[Any] = Counter()
    for when, account, direction, path in confirmed:
        if not any(-BEFORE_SECONDS < when - kill < after for kill, after in kills):
            certain[account, direction, path] += 1
    missing = certain - rows
    if missing:
        yield f"the journal misses {missing.total()} of {certain.total()} confirmed transfers"
        for (account, direction, path), number in sorted(missing.items())[:SHOWN]:
            yield f"the journal misses {number} x {direction} of {path} by {account}"


def _count_problems(kinds: Counter[str], counts: Counter[str], spare: int) -> Iterator[str]:
    opened, closed = kinds["session opened"], kinds["session closed"]
    # Workers tell the main process after a killed one the end of their sessions, not the beginning.
    if abs(opened - closed) > spare:
        yield f"the journal has {opened} sessions opened and {closed} closed"
    for kind, name in (("login", "logins"), ("login failed", "failed logins")):
        if kinds[kind] + spare < counts[name]:
            yield f"the journal has {kinds[kind]} x {kind}, the clients {counts[name]}"
