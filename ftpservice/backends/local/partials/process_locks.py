"""Locks within this process, for filesystems that have no file locks."""

from __future__ import annotations

import os
from threading import Lock

__all__ = ["ProcessLocks"]

MAX_HELD_FILES = 1000
"""Remembered files at which the closed ones are removed."""


class ProcessLocks:
    """Open files, each locked until its descriptor is closed, as with flock(2)."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: dict[tuple[int, int], int] = {}

    def hold(self, opened: int) -> bool:
        """Lock an open file unless this process already has; return whether it is locked."""
        facts = os.fstat(opened)
        key = (facts.st_dev, facts.st_ino)
        with self._lock:
            holder = self._held.get(key, opened)
            if holder != opened and _is_open(holder, key):
                return False
            if len(self._held) >= MAX_HELD_FILES:
                self._held = {k: held for k, held in self._held.items() if _is_open(held, k)}
            self._held[key] = opened
            return True


def _is_open(descriptor: int, key: tuple[int, int]) -> bool:
    """Return whether a descriptor is still open on that file."""
    try:
        facts = os.fstat(descriptor)
    except OSError:
        return False
    return (facts.st_dev, facts.st_ino) == key
