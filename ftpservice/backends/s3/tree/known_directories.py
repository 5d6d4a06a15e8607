"""Directories seen a moment ago, so that an upload into one costs no request for that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic

__all__ = ["MAX_PAGES", "KnownDirectories"]

KNOWN_SECONDS = 10.0
MAX_KNOWN = 10_000
LISTED_SECONDS = 5.0
"""How long a page of a listing counts; several pages count as many times longer."""
MAX_PAGES = 12
"""A directory with more pages is not listed to its end."""
ASKED_OFTEN = 10
"""So many uploads into a directory of more than a page pay for a listing to its end."""
MAX_LISTED = 100


class KnownDirectories:
    """Keys of directories, each with when it was seen; used by several threads at a time.

    An upload into a directory that others have removed meanwhile makes it exist again.
    """

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._inner: dict[str, _Listed] = {}
        """By directory."""
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
        self._drop_inner(parent_of(key))
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
        self._drop_inner(parent_of(key))

    def listed(self, key: str, inner: frozenset[str] | None, pages: int = 1) -> None:
        """Note the keys of all directories in one; None if it has more than so many pages."""
        with self._lock:
            if len(self._inner) >= MAX_LISTED:
                self._inner.clear()
            until = self._seconds() + LISTED_SECONDS * pages
            self._inner[key] = _Listed(until, inner, 0 if pages == 1 else ASKED_OFTEN)

    def inner(self, key: str) -> tuple[bool, frozenset[str] | None]:
        """Return whether a directory was listed lately, and what was noted."""
        with self._lock:
            listed = self._inner.get(key)
        if listed is None or self._seconds() >= listed.until:
            return False, None
        return True, listed.inner

    def is_asked_often(self, key: str) -> bool:
        """Return whether a directory of more than a page is to be listed to its end now."""
        with self._lock:
            listed = self._inner.get(key)
            if listed is None:
                return False
            listed.asked += 1
            return listed.asked == ASKED_OFTEN

    def _drop_inner(self, key: str) -> None:
        with self._lock:
            self._inner.pop(key, None)


@dataclass
class _Listed:
    """What is known of a directory, until a time."""

    until: float
    inner: frozenset[str] | None
    """The directories in it; None if it has more than was listed."""
    asked: int


def parent_of(key: str) -> str:
    """Return the key of the directory that has one."""
    above, slash, _name = key.removesuffix("/").rpartition("/")
    return above + slash
