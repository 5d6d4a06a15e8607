"""Which records of partial uploads there are, as far as known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from time import monotonic

__all__ = ["RecordIndex"]

INDEX_SECONDS = 60.0


class RecordIndex:
    """Which records there are, so that most uploads need not look.

    What other processes add is known after a minute; `PartialRecord.base_etag` bridges that time.
    """

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._known: set[str] = set()
        self._read_at: float | None = None

    def has_none(self, record_key: str) -> bool:
        """Return whether it is known, without a look, that there is no record."""
        with self._lock:
            read_at = self._read_at
            is_fresh = read_at is not None and self._seconds() - read_at <= INDEX_SECONDS
            return is_fresh and record_key not in self._known

    def add(self, record_key: str) -> None:
        """Note a record."""
        with self._lock:
            self._known.add(record_key)

    def discard(self, record_key: str) -> None:
        """Note that a record is removed."""
        with self._lock:
            self._known.discard(record_key)

    def has(self, record_key: str, listed: Callable[[], Iterator[str]]) -> bool:
        """Return whether there is a record; ``listed`` yields all, and is asked once a minute."""
        with self._lock:
            now = self._seconds()
            is_old = self._read_at is None or now - self._read_at > INDEX_SECONDS
            if is_old:
                self._read_at = now
        if is_old:
            found = set(listed())
            with self._lock:
                self._known |= found
        return record_key in self._known
