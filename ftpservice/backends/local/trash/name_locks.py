"""Locks of names, so that changes which replace something take place one after the other.

Within a process a name has a lock. Between processes its directory has one (``flock``): of workers,
or of two services with the same files. Filesystems without such locks, some of them NFS, are used
without it; so are directories that the service cannot read.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.storage.errors import Busy
from ftpservice.wire.paths import VirtualPath

__all__ = ["locked"]

NAME_LOCKS = tuple(Lock() for _ in range(64))
LOCK_SECONDS = 10.0
"""The longest time to wait for another process, which may have been stopped."""
POLL_SECONDS = 0.002


@contextmanager
def locked(place: DirectoryEntry, path: VirtualPath) -> Iterator[None]:
    """Hold a name; blocks. Raises `Busy` if another process holds its directory for too long."""
    facts = os.fstat(place.directory)
    with NAME_LOCKS[hash((facts.st_dev, facts.st_ino, place.name)) % len(NAME_LOCKS)]:
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            opened = os.open(b".", flags, dir_fd=place.directory)
        except OSError:
            yield
            return
        try:
            _lock(opened, path)
            yield
        finally:
            os.close(opened)


def _lock(directory: int, path: VirtualPath) -> None:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise Busy(path, "another process changes its directory") from None
        except OSError:
            return
        time.sleep(POLL_SECONDS)
