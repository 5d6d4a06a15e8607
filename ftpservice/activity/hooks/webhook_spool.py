"""What a webhook has yet to deliver: a bounded queue on the disk, in the order of the events.

The calls block and may be made in several threads.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

__all__ = ["Delivery", "WebhookSpool"]

BUSY_SECONDS = 5.0
TABLE = """create table if not exists delivery (
    number integer primary key autoincrement,
    id text not null,
    made real not null,
    body blob not null,
    attempts integer not null default 0
)"""


class Delivery(NamedTuple):
    """One request that has to be made."""

    number: int
    id: str
    made: float
    """Seconds since the epoch."""
    body: bytes
    attempts: int = 0
    """Requests that have been made so far."""


class WebhookSpool:
    """The queue in the file ``path``, of at most ``most`` deliveries."""

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._most = most
        self._lock = Lock()
        self._opened: sqlite3.Connection | None = None
        self.count = 0
        """The deliveries in it; known once it was opened."""

    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            opened = sqlite3.connect(self._path, timeout=BUSY_SECONDS, check_same_thread=False)
            try:
                with opened:
                    opened.execute(TABLE)
                    (self.count,) = opened.execute("select count(*) from delivery").fetchone()
            except BaseException:
                opened.close()
                raise
            self._opened = opened
        return self._opened

    def add(self, deliveries: Sequence[tuple[str, float, bytes]]) -> int:
        """Add deliveries (id, time, body) in one step; return how many there was no room for."""
        with self._lock, self._database() as database:
            (count,) = database.execute("select count(*) from delivery").fetchone()
            kept = deliveries[: max(0, self._most - count)]
            database.executemany("insert into delivery (id, made, body) values (?, ?, ?)", kept)
            self.count = count + len(kept)
        return len(deliveries) - len(kept)

    def first(self) -> Delivery | None:
        """Return the oldest delivery, and count an attempt; None if there is none."""
        with self._lock, self._database() as database:
            row = database.execute(
                "select number, id, made, body, attempts from delivery order by number limit 1"
            ).fetchone()
            if row is None:
                return None
            database.execute(
                "update delivery set attempts = attempts + 1 where number = ?", row[:1]
            )
        return Delivery(*row)

    def remove(self, number: int) -> None:
        """Remove a delivery that has been made, or given up."""
        with self._lock, self._database() as database:
            done = database.execute("delete from delivery where number = ?", (number,))
            self.count -= done.rowcount

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                opened.close()
