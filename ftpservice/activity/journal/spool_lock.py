"""The lock of a spool: one process at a time appends to it and takes from it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["lock_spool", "locked_spool"]

LOCK_FILE = "lock"
PRIVATE_MODE = 0o600


def lock_spool(directory: Path) -> int:
    """Return the descriptor that holds the lock until it is closed.

    Raises `OSError`: another process has it.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(directory / LOCK_FILE, flags, PRIVATE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, "another process uses it") from None
    return descriptor


@contextmanager
def locked_spool(directory: Path) -> Iterator[bool]:
    """Hold the lock if that is possible, and tell whether it is."""
    try:
        descriptor = lock_spool(directory)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)
