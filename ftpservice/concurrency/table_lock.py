"""The locks of a shared table, and its errors."""

from __future__ import annotations

import os
import time

from ftpservice.linux import lock_byte

__all__ = ["LOCK_SECONDS", "TableBusy", "TableError", "TableFull", "acquire"]

LOCK_SECONDS = 0.1
"""The longest time to wait for a lock, that of a process which was stopped while it had it."""
YIELDS = 20
"""Attempts that only yield the processor; the following ones sleep."""
SLEEP_SECONDS = 0.0002
KEPT_SECONDS = 1.0
"""After a `TableBusy`, nobody waits for that lock so long: all calls together would block too long.
"""
_kept_until: dict[tuple[int, int], float] = {}
"""By descriptor and number, the locks that were not to be had lately."""


class TableError(Exception):
    """A key cannot be counted at the moment."""


class TableBusy(TableError):
    """A lock was not to be had within `LOCK_SECONDS`; the same call may succeed soon."""


class TableFull(TableError):
    """There is no room for another key."""


def acquire(descriptor: int, number: int) -> None:
    """Lock the byte ``number``, for `unlock_byte`; raises `TableBusy`."""
    if lock_byte(descriptor, number):
        return
    began, tries = time.monotonic(), 0
    is_kept = _kept_until.get((descriptor, number), 0.0) > began
    until = began if is_kept else began + LOCK_SECONDS
    while not lock_byte(descriptor, number):
        tries += 1
        if tries <= YIELDS:
            os.sched_yield()
        elif time.monotonic() >= until:
            if not is_kept:
                _keep(descriptor, number)
            raise TableBusy("another process does not release its lock")
        else:
            time.sleep(SLEEP_SECONDS)


def _keep(descriptor: int, number: int) -> None:
    """Remember a lock that was not to be had."""
    now = time.monotonic()
    for key in [key for key, until in _kept_until.items() if until <= now]:
        del _kept_until[key]
    _kept_until[descriptor, number] = now + KEPT_SECONDS
