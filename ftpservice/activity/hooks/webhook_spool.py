"""What a webhook has yet to deliver: a bounded queue on the disk, in the order of the events.

The calls block and may be made in several threads.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeVar

__all__ = ["Delivery", "WebhookSpool"]

T = TypeVar("T")
BUSY_SECONDS = 5.0
MAX_DAMAGED = 3
"""Damaged files that are kept; the oldest are removed."""
SIDE_SUFFIXES = ("-journal", "-wal", "-shm")
"""Files that SQLite has beside a database, and would apply to a new one of the same name."""
TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
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
    """The queue in the file ``path``, of at most ``most`` deliveries.

    ``seconds`` returns the time since the epoch.
    """

    def __init__(self, path: Path, most: int, seconds: Callable[[], float] = time.time) -> None:
        self._path = path
        self._most = most
        self._seconds = seconds
        self._lock = Lock()
        self._opened: sqlite3.Connection | None = None
        self.count = 0
        """The deliveries in it; known once it was opened."""
        self.damaged_path: Path | None = None
        """Where the last damaged file is; None if there was none."""
        self.damaged = 0
        """How often a damaged file was set aside."""

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

        def insert(database: sqlite3.Connection) -> int:
            (count,) = database.execute("select count(*) from delivery").fetchone()
            kept = deliveries[: max(0, self._most - count)]
            database.executemany("insert into delivery (id, made, body) values (?, ?, ?)", kept)
            self.count = count + len(kept)
            return len(deliveries) - len(kept)

        return self._run(insert)

    def first(self) -> Delivery | None:
        """Return the oldest delivery, and count an attempt; None if there is none."""

        def oldest(database: sqlite3.Connection) -> Delivery | None:
            row = database.execute(
                "select number, id, made, body, attempts from delivery order by number limit 1"
            ).fetchone()
            if row is None:
                return None
            database.execute(
                "update delivery set attempts = attempts + 1 where number = ?", row[:1]
            )
            return Delivery(*row)

        return self._run(oldest)

    def remove(self, number: int) -> None:
        """Remove a delivery that has been made, or given up."""

        def delete(database: sqlite3.Connection) -> None:
            done = database.execute("delete from delivery where number = ?", (number,))
            self.count -= done.rowcount

        self._run(delete)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of a transaction; a damaged file is set aside, and a new one made."""
        with self._lock:
            try:
                with self._database() as database:
                    return work(database)
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:  # locked, full, read-only
                    raise
            self._close()
            self._set_aside()
            with self._database() as database:
                return work(database)

    def _set_aside(self) -> None:
        """Give a damaged file, with those beside it, a name with the time.

        Those beside it go first: if the process is killed, no new file finds them in its place.
        """
        aside = self._free_name()
        for suffix in SIDE_SUFFIXES:
            with suppress(FileNotFoundError):
                os.rename(f"{self._path}{suffix}", f"{aside}{suffix}")
        os.rename(self._path, aside)
        self.damaged_path = aside
        self.damaged += 1
        with suppress(OSError):
            self._remove_older(aside)

    def _free_name(self) -> Path:
        """Return a name with the time that no file has."""
        when = datetime.fromtimestamp(self._seconds(), UTC)
        while True:
            name = f"{self._path.name}.damaged.{when.strftime(TIME_FORMAT)}"
            if not os.path.lexists(aside := self._path.with_name(name)):
                return aside
            when += timedelta(microseconds=1)

    def _remove_older(self, latest: Path) -> None:
        """Remove the oldest damaged files beyond `MAX_DAMAGED`, whatever the clock says."""
        prefix = re.escape(f"{self._path.name}.damaged.")
        pattern = re.compile(rf"({prefix}[0-9TZ.]+)({'|'.join(SIDE_SUFFIXES)})?")
        found = [pattern.fullmatch(name) for name in os.listdir(self._path.parent)]
        older = {match[1] for match in found if match is not None} - {latest.name}
        for name in sorted(older, reverse=True)[MAX_DAMAGED - 1 :]:
            for suffix in ("", *SIDE_SUFFIXES):
                with suppress(FileNotFoundError):
                    os.unlink(self._path.with_name(f"{name}{suffix}"))

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        with self._lock:
            self._close()
