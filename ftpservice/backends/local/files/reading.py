"""A file on the disk being read."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from zope.interface import implementer, implementer_only

from ftpservice.backends.local.metadata.stat import entry_of, names_are_known, require_file
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.linux import is_cached
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import IReading, ISendfileSource
from ftpservice.wire.paths import VirtualPath

__all__ = ["READ_FLAGS", "LocalReading", "open_reading", "open_reading_if_cached"]

READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
"""Flags with which an open never waits, whatever kind of file it opens."""
READ_SIZE = 1 << 20

T = TypeVar("T")


@implementer(IReading, ISendfileSource)
class LocalReading:
    """An open plain file, whose descriptor it owns.

    Methods named ``…_in_thread`` block and belong in the pool; the others are for the reactor
    thread. ``_lock`` is held while the descriptor is used, so it is not closed meanwhile. Reads
    return what the file held when it was opened, not what was added since.
    """

    def __init__(
        self, runner: BlockingRunner, path: VirtualPath, descriptor: int, facts: os.stat_result
    ) -> None:
        self.entry = entry_of(path.parts[-1], facts)
        self._runner = runner
        self.path = path
        self._descriptor = descriptor
        self._lock = Lock()

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes; without the pool if they are in memory."""
        if self._lock.acquire(blocking=False):
            try:
                wanted = max(0, min(size, self.entry.size - offset))
                if is_cached(self.fileno(), offset, wanted):
                    return os.pread(self._descriptor, wanted, offset)
            finally:
                self._lock.release()
        return await in_pool(self._runner, self.path, self.read_in_thread, offset, size)

    def is_cached(self, offset: int, size: int) -> bool:
        """Return whether a range of bytes is in memory."""
        return is_cached(self.fileno(), offset, min(size, self.entry.size - offset))

    async def cache(self, offset: int, size: int) -> None:
        """Read a range of bytes into memory."""
        await in_pool(self._runner, self.path, self._cache_in_thread, offset, size, takes_long=True)

    async def with_descriptor(self, function: Callable[[int], T]) -> T:
        """Call ``function`` with the descriptor, in the pool."""
        return await in_pool(
            self._runner, self.path, self._call_with_descriptor, function, takes_long=True
        )

    def fileno(self) -> int:
        """Return the descriptor; raises `Unavailable` after `close`."""
        if self._descriptor < 0:
            raise Unavailable(self.path, "closed")
        return self._descriptor

    def close(self) -> None:
        """Close the file: now, or in the pool after a call in progress."""
        if self._lock.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._lock.release()
        else:
            run_unattended(self._runner, self.close_in_thread)

    def close_in_thread(self) -> None:
        """Close the file, after any call in progress."""
        with self._lock:
            self._close()

    def read_in_thread(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        wanted = max(0, min(size, self.entry.size - offset))
        with self._lock:
            return os.pread(self.fileno(), wanted, offset)

    def _cache_in_thread(self, offset: int, size: int) -> None:
        end = min(offset + size, self.entry.size)
        while offset < end and (data := self.read_in_thread(offset, min(READ_SIZE, end - offset))):
            offset += len(data)

    def _call_with_descriptor(self, function: Callable[[int], T]) -> T:
        with self._lock:
            return function(self.fileno())

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


@implementer_only(IReading)
class PooledReading(LocalReading):
    """A file of a filesystem that may hang, even where the page cache has its bytes."""

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        return await in_pool(self._runner, self.path, self.read_in_thread, offset, size)

    def close(self) -> None:
        """Close the file, in the pool."""
        run_unattended(self._runner, self.close_in_thread)


def open_reading(runner: BlockingRunner, tree: DirectoryTree, path: VirtualPath) -> LocalReading:
    """Open a plain file; blocks. Raises `OSError`, `IsDirectory`, `Denied`."""
    opened = tree.open(path, READ_FLAGS)
    try:
        facts = os.fstat(opened)
        require_file(facts, path)
        is_mounted = tree.may_hang or facts.st_dev != os.fstat(tree.root).st_dev
        kind = PooledReading if is_mounted else LocalReading
        return kind(runner, path, opened, facts)
    except BaseException:
        os.close(opened)
        raise


def open_reading_if_cached(
    runner: BlockingRunner, tree: DirectoryTree, path: VirtualPath
) -> LocalReading | None:
    """Do what `open_reading` does if that needs neither disk nor directory service; else None."""
    opened = tree.open_if_cached(path, READ_FLAGS)
    if opened is None:
        return None
    try:
        facts = os.fstat(opened)
        require_file(facts, path)
        if names_are_known(facts):
            return LocalReading(runner, path, opened, facts)
    except BaseException:
        os.close(opened)
        raise
    os.close(opened)
    return None
