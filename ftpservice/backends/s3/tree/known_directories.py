"""Directories seen a moment ago, so that an upload into one costs no request for that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic

__all__ = ["KnownDirectories"]

KNOWN_SECONDS = 10.0
MAX_KNOWN = 10_000


class KnownDirectories:
    """Keys of directories, each with when it was seen; used by several threads at a time.

    An upload into a directory that others have removed meanwhile makes it exist again.
    """

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._seen: OrderedDict[str, float] = OrderedDict()
        self.changes = 0
        """Directories made here so far."""

    def add(self, key: str) -> None:
        """Note that a directory exists."""
        with self._lock:
            self._seen[key] = self._seconds()
            self._seen.move_to_end(key)
            if len(self._seen) > MAX_KNOWN:
                self._seen.popitem(last=False)

    def made(self, key: str) -> None:
        """Note that a directory was made."""
        self.add(key)
        self.changes += 1

    def has(self, key: str) -> bool:
        """Return whether a directory was seen lately."""
        with self._lock:
            seen = self._seen.get(key)
        return seen is not None and self._seconds() - seen < KNOWN_SECONDS

    def forget(self, key: str) -> None:
        """Forget a directory and all below it."""
        with self._lock:
            for one in [one for one in self._seen if one.startswith(key)]:
                del self._seen[one]
