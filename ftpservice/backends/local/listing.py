"""A directory on the disk being read, in batches, so that its size costs no memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from threading import Lock

from zope.interface import implementer

from ftpservice.backends.local.metadata.access import UNKNOWN, DirectoryAccess
from ftpservice.backends.local.metadata.stat import entry_of
from ftpservice.backends.local.metadata.symbolic_links import LinkTargets
from ftpservice.backends.local.paths.names import decoded, is_hidden
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.interfaces import IListing
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["LocalListing", "OpenDirectory"]

FIRST_BATCH_ENTRIES = 64
BATCH_ENTRIES = 1000


class OpenDirectory:
    """The blocking side: an open directory, used by one thread at a time."""

    def __init__(self, tree: DirectoryTree, path: VirtualPath) -> None:
        self._links = LinkTargets(tree, path)
        self._lock = Lock()
        self._size = FIRST_BATCH_ENTRIES
        opened = tree.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
        try:
            self._names = os.scandir(opened)
        except BaseException:
            os.close(opened)
            raise
        self._opened = opened
        self._access: DirectoryAccess | None = None

    def batch(self) -> Sequence[Entry]:
        """Return the next entries; none at the end, or after `close`."""
        with self._lock:
            found: list[Entry] = []
            while self._opened >= 0 and not found:
                names = list(islice(self._names, self._size))
                if not names:
                    break
                self._size = BATCH_ENTRIES
                found = self._entries(names)
            return found

    def close(self) -> None:
        """Let go, once no other call is in progress."""
        with self._lock:
            if self._opened >= 0:
                self._names.close()
                os.close(self._opened)
                self._opened = -1

    def _entries(self, names: list[os.DirEntry[str]]) -> list[Entry]:
        """Return the entries of those that are still there and not hidden."""
        if self._access is None:
            self._access = DirectoryAccess(self._opened)
        known = self._access.known
        found: list[Entry] = []
        for item in names:
            name = decoded(item.name)
            if name[0] == "." and is_hidden(name):
                continue
            try:
                facts = item.stat(follow_symlinks=False)
                key = (facts.st_mode, facts.st_uid, facts.st_gid)
                access = known.get(key, UNKNOWN)
                if access == UNKNOWN:
                    access = self._access.of(item.name, facts)
            except PermissionError:
                os.stat(".", dir_fd=self._opened)  # raises if none here may be looked at
                continue
            except OSError:
                continue
            entry = entry_of(name, facts, access)
            if entry.kind is Kind.LINK:
                entry = self._links.told(entry, os.fsencode(item.name), self._opened)
            found.append(entry)
        return found


@implementer(IListing)
class LocalListing:
    """A directory being read in a pool."""

    def __init__(self, runner: BlockingRunner, path: VirtualPath, directory: OpenDirectory) -> None:
        self._runner = runner
        self._path = path
        self._directory = directory

    async def next_batch(self) -> Sequence[Entry]:
        """Return some more entries: few at first, so that the first line leaves at once."""
        return await in_pool(self._runner, self._path, self._directory.batch)

    def close(self) -> None:
        """Let go of the directory, in the pool."""
        run_unattended(self._runner, self._directory.close)
