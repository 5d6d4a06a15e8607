"""A file on the disk being read."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from zope.interface import implementer

from ftpservice.backends.local.metadata.stat import entry_of, names_are_known, require_file
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.linux import is_cached
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import IReading, ISendfileSource
from ftpservice.wire.paths import VirtualPath

__all__ = ["READ_FLAGS", "LocalFile", "LocalReading"]

READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
"""Flags with which an open never waits, whatever it is that is opened."""
READ_SIZE = 1 << 20

T = TypeVar("T")


class LocalFile:
    """The blocking side: an open plain file, used by one thread at a time."""

    def __init__(self, path: VirtualPath, opened: int, facts: os.stat_result) -> None:
        self.path = path
        self._lock = Lock()
        self.entry = entry_of(path.name, facts)
        self.descriptor = opened

    @classmethod
    def at(cls, tree: DirectoryTree, path: VirtualPath) -> LocalFile:
        """Open a plain file."""
        opened = tree.open(path, READ_FLAGS)
        try:
            facts = os.fstat(opened)
            require_file(facts, path)
            return cls(path, opened, facts)
        except BaseException:
            os.close(opened)
            raise

    @classmethod
    def at_once(cls, tree: DirectoryTree, path: VirtualPath) -> LocalFile | None:
        """Open a plain file if that needs neither disk nor directory service; else None."""
        opened = tree.open_if_cached(path, READ_FLAGS)
        if opened is None:
            return None
        try:
            facts = os.fstat(opened)
            require_file(facts, path)
            if names_are_known(facts):
                return cls(path, opened, facts)
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)
        return None

    def read_if_cached(self, offset: int, size: int) -> bytes | None:
        """Like `read`, but None where the disk would have to be waited for, or another thread."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self.descriptor < 0:
                raise Unavailable(self.path, "read after close")
            wanted = max(0, min(size, self.entry.size - offset))
            if is_cached(self.descriptor, offset, wanted):
                return os.pread(self.descriptor, wanted, offset)
            return None
        finally:
            self._lock.release()

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of what the file held when it was opened, not of what was added since."""
        wanted = max(0, min(size, self.entry.size - offset))
        return self.use(lambda descriptor: os.pread(descriptor, wanted, offset))

    def use(self, function: Callable[[int], T]) -> T:
        """Call a function with the descriptor, which nobody else uses or closes meanwhile."""
        with self._lock:
            if self.descriptor < 0:
                raise Unavailable(self.path, "read after close")
            return function(self.descriptor)

    def cache(self, offset: int, size: int) -> None:
        """Have the kernel read a stretch."""
        end = min(offset + size, self.entry.size)
        while offset < end and (data := self.read(offset, min(READ_SIZE, end - offset))):
            offset += len(data)

    def close(self) -> None:
        """Let go, once no other call is in progress."""
        with self._lock:
            self._close()

    def close_if_idle(self) -> bool:
        """Let go unless a call is in progress; tell whether that is done."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._close()
        finally:
            self._lock.release()
        return True

    def _close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@implementer(IReading, ISendfileSource)
class LocalReading:
    """A file being read in a pool."""

    def __init__(self, runner: BlockingRunner, file: LocalFile) -> None:
        self.entry = file.entry
        self._runner = runner
        self._file = file

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes; from memory where they are there already."""
        data = self._file.read_if_cached(offset, size)
        if data is not None:
            return data
        return await in_pool(self._runner, self._file.path, self._file.read, offset, size)

    def is_cached(self, offset: int, size: int) -> bool:
        """Tell whether a stretch is in memory."""
        return is_cached(self.fileno(), offset, min(size, self.entry.size - offset))

    async def cache(self, offset: int, size: int) -> None:
        """Read a stretch, so that it is in memory."""
        await in_pool(self._runner, self._file.path, self._file.cache, offset, size)

    async def exclusively(self, function: Callable[[int], T]) -> T:
        """Call ``function`` with the descriptor, in the pool."""
        return await in_pool(self._runner, self._file.path, self._file.use, function)

    def fileno(self) -> int:
        """Return the descriptor; raises `Unavailable` after `close`."""
        if self._file.descriptor < 0:
            raise Unavailable(self._file.path, "closed")
        return self._file.descriptor

    def close(self) -> None:
        """Let go of the file; once no other call is in progress."""
        if not self._file.close_if_idle():
            run_unattended(self._runner, self._file.close)
