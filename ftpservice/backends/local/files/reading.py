"""A file on the disk being read."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from zope.interface import implementer

from ftpservice.backends.local.metadata.stat import entry_of, names_are_known, require_file
from ftpservice.backends.local.paths.tree import Tree
from ftpservice.concurrency.thread_pool import Runner, let_go
from ftpservice.linux import is_cached
from ftpservice.storage.blocking_calls import called
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import ICached, IReading
from ftpservice.wire.paths import VirtualPath

__all__ = ["READ", "LocalReading", "OpenFile"]

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
"""Flags with which an open never waits, whatever it is that is opened."""
PIECE = 1 << 20

T = TypeVar("T")


class OpenFile:
    """The blocking side: an open plain file, used by one thread at a time."""

    def __init__(self, path: VirtualPath, opened: int, facts: os.stat_result) -> None:
        self.path = path
        self._lock = Lock()
        self.entry = entry_of(path.name, facts)
        self.descriptor = opened

    @classmethod
    def at(cls, tree: Tree, path: VirtualPath) -> OpenFile:
        """Open a plain file."""
        opened = tree.open(path, READ)
        try:
            facts = os.fstat(opened)
            require_file(facts, path)
            return cls(path, opened, facts)
        except BaseException:
            os.close(opened)
            raise

    @classmethod
    def at_once(cls, tree: Tree, path: VirtualPath) -> OpenFile | None:
        """Open a plain file if that needs neither disk nor directory service; else None."""
        opened = tree.open_at_once(path, READ)
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

    def read_at_once(self, offset: int, size: int) -> bytes | None:
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
        while offset < end and (data := self.read(offset, min(PIECE, end - offset))):
            offset += len(data)

    def close(self) -> None:
        """Let go, once no other call is in progress."""
        with self._lock:
            self._close()

    def close_at_once(self) -> bool:
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


@implementer(IReading, ICached)
class LocalReading:
    """A file being read in a pool."""

    def __init__(self, runner: Runner, file: OpenFile) -> None:
        self.entry = file.entry
        self._runner = runner
        self._file = file

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes; from memory where they are there already."""
        data = self._file.read_at_once(offset, size)
        if data is not None:
            return data
        return await called(self._runner, self._file.path, self._file.read, offset, size)

    def is_cached(self, offset: int, size: int) -> bool:
        """Tell whether a stretch is in memory."""
        return is_cached(self.fileno(), offset, min(size, self.entry.size - offset))

    async def cache(self, offset: int, size: int) -> None:
        """Read a stretch, so that it is in memory."""
        await called(self._runner, self._file.path, self._file.cache, offset, size)

    async def exclusively(self, function: Callable[[int], T]) -> T:
        """Call ``function`` with the descriptor, in the pool."""
        return await called(self._runner, self._file.path, self._file.use, function)

    def fileno(self) -> int:
        """Return the descriptor; raises `Unavailable` after `close`."""
        if self._file.descriptor < 0:
            raise Unavailable(self._file.path, "closed")
        return self._file.descriptor

    def close(self) -> None:
        """Let go of the file; once no other call is in progress."""
        if not self._file.close_at_once():
            let_go(self._runner, self._file.close)
