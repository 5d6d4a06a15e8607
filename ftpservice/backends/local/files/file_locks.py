"""Locks for writing to a file in place: one copy at a time, and none while others append.

Appends take a shared flock(2) and a copy takes an exclusive one. These locks also work between
processes of the service, and respect other programs that lock their files.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from weakref import WeakValueDictionary

from ftpservice.storage.errors import Busy
from ftpservice.wire.paths import VirtualPath

__all__ = ["exclusive_lock", "shared_lock"]


class _Copy:
    """The lock that a copy within this process holds."""

    def __init__(self) -> None:
        self.lock = Lock()


_guard = Lock()
_copies: WeakValueDictionary[tuple[int, int], _Copy] = WeakValueDictionary()


@contextmanager
def exclusive_lock(opened: int, path: VirtualPath) -> Iterator[None]:
    """Wait for other copies in this process; raises `Busy` if another program holds the file."""
    key = _key(opened)
    with _guard:
        copy = _copies.setdefault(key, _Copy())
    with copy.lock:
        if not _locked(opened, fcntl.LOCK_EX):
            raise Busy(path, "another program has locked it")
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(opened, fcntl.LOCK_UN)


def shared_lock(opened: int, path: VirtualPath) -> None:
    """Let no copy begin while ``opened`` is open; raises `Busy` if one is under way."""
    for _ in range(2):  # a copy may end between the two checks
        if _locked(opened, fcntl.LOCK_SH):
            return
        if _key(opened) in _copies:
            raise Busy(path, "it is being written")


def _locked(opened: int, how: int) -> bool:
    """Lock a file until it is closed; also True if the filesystem has no locks."""
    try:
        fcntl.flock(opened, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _key(opened: int) -> tuple[int, int]:
    facts = os.fstat(opened)
    return facts.st_dev, facts.st_ino
