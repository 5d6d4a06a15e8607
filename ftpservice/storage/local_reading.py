"""A file on the disk being read."""

from __future__ import annotations

import os
from threading import Lock

from zope.interface import implementer

from ftpservice.storage.blocking import Runner, let_go
from ftpservice.storage.descent import Tree
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import IDescriptor, IReading
from ftpservice.storage.local_calls import called
from ftpservice.storage.local_facts import entry_of, require_file
from ftpservice.wire.paths import VirtualPath

__all__ = ["READ", "LocalReading", "OpenFile"]

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
"""Flags with which an open never waits, whatever it is that is opened."""


class OpenFile:
    """The blocking side: an open plain file, used by one thread at a time."""

    def __init__(self, tree: Tree, path: VirtualPath) -> None:
        self.path = path
        self._lock = Lock()
        opened = tree.open(path, READ)
        try:
            facts = os.fstat(opened)
            require_file(facts, path)
        except BaseException:
            os.close(opened)
            raise
        self.entry = entry_of(path.name, facts)
        self.descriptor = opened

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of what the file held when it was opened, not of what was added since."""
        with self._lock:
            if self.descriptor < 0:
                raise Unavailable(self.path, "read after close")
            return os.pread(self.descriptor, max(0, min(size, self.entry.size - offset)), offset)

    def close(self) -> None:
        """Let go, once no other call is in progress."""
        with self._lock:
            if self.descriptor >= 0:
                os.close(self.descriptor)
                self.descriptor = -1


@implementer(IReading, IDescriptor)
class LocalReading:
    """A file being read in a pool."""

    def __init__(self, runner: Runner, file: OpenFile) -> None:
        self.entry = file.entry
        self._runner = runner
        self._file = file

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        return await called(self._runner, self._file.path, self._file.read, offset, size)

    def fileno(self) -> int:
        """Return the descriptor; raises `Unavailable` after `close`."""
        if self._file.descriptor < 0:
            raise Unavailable(self._file.path, "closed")
        return self._file.descriptor

    def close(self) -> None:
        """Let go of the file, in the pool."""
        let_go(self._runner, self._file.close)
