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


class TableError(Exception):
    """A key cannot be counted at the moment."""


class TableBusy(TableError):
    """A lock was not to be had within `LOCK_SECONDS`."""


class TableFull(TableError):
    """There is no room for another key."""


def acquire(descriptor: int, number: int) -> None:
    """Lock the byte ``number``, for `unlock_byte`; raises `TableBusy`."""
    if lock_byte(descriptor, number):
        return
    until, tries = time.monotonic() + LOCK_SECONDS, 0
    while not lock_byte(descriptor, number):
        tries += 1
        if tries <= YIELDS:
            os.sched_yield()
        elif time.monotonic() >= until:
            raise TableBusy("another process does not release its lock")
        else:
            time.sleep(SLEEP_SECONDS)
