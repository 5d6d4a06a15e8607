"""A directory on the disk being read in batches, so that a long one takes little memory."""

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
from ftpservice.storage.os_errors import translate
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["LocalListing"]

FIRST_BATCH_ENTRIES = 64
"""Few, so that the first lines of a long listing leave soon."""
BATCH_ENTRIES = 1000


@implementer(IListing)
class LocalListing:
    """An open directory. ``open`` and ``…_in_thread`` block and belong in the pool.

    The first batch is read when the directory is opened, and the directory is closed when its end
    is reached. So a short listing takes one call of the pool. ``_lock`` is held while the directory
    is read.
    """

    def __init__(
        self, runner: BlockingRunner, tree: DirectoryTree, path: VirtualPath, descriptor: int
    ) -> None:
        self._runner = runner
        self._path = path
        self._links = LinkTargets(tree, path)
        self._lock = Lock()
        self._descriptor = descriptor
        self._names = os.scandir(descriptor)
        self._access: DirectoryAccess | None = None
        self._first_batch: Sequence[Entry] = ()
        self._first_error: OSError | None = None

    @classmethod
    def open(cls, runner: BlockingRunner, tree: DirectoryTree, path: VirtualPath) -> LocalListing:
        """Open a directory and read the first batch; raises `OSError`."""
        descriptor = tree.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
        try:
            listing = cls(runner, tree, path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        try:
            listing._first_batch = listing.batch_in_thread(FIRST_BATCH_ENTRIES)
        except OSError as error:
            # `next_batch` raises it. Without its frames, which would keep the directory open.
            listing._first_error = error.with_traceback(None)
        except BaseException:
            listing.close_in_thread()
            raise
        return listing

    async def next_batch(self) -> Sequence[Entry]:
        """Return some more entries; none at the end, or after `close`."""
        error, self._first_error = self._first_error, None
        if error is not None:
            raise translate(error, self._path)
        batch, self._first_batch = self._first_batch, ()
        if batch or self._descriptor < 0:
            return batch
        return await in_pool(self._runner, self._path, self.batch_in_thread)

    def close(self) -> None:
        """Close the directory, in the pool."""
        self._first_batch, self._first_error = (), None
        if self._descriptor >= 0:
            run_unattended(self._runner, self.close_in_thread)

    def batch_in_thread(self, size: int = BATCH_ENTRIES) -> Sequence[Entry]:
        """Return the entries of up to ``size`` names; none at the end, or after `close`."""
        with self._lock:
            found: list[Entry] = []
            if self._access is None and self._descriptor >= 0:
                self._access = DirectoryAccess(self._descriptor)
            while self._descriptor >= 0 and not found:
                found, is_at_end = self._entries(size)
                if is_at_end:
                    self._close()
            return found

    def close_in_thread(self) -> None:
        """Close the directory, after a call in progress."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._names.close()
            os.close(descriptor)

    def _entries(self, size: int) -> tuple[list[Entry], bool]:
        """Read up to ``size`` names; tell whether that was the end of the directory.

        Returns the entries of those that still exist and are not hidden.
        """
        directory_access = self._access
        assert directory_access is not None
        known = directory_access.known
        found: list[Entry] = []
        count = 0
        for item in islice(self._names, size):
            count += 1
            name = item.name
            if not name.isascii():
                name = decoded(name)
            if name[0] == "." and is_hidden(name):
                continue
            try:
                facts = item.stat(follow_symlinks=False)
                key = (facts.st_mode, facts.st_uid, facts.st_gid)
                access = known.get(key, UNKNOWN)
                if access == UNKNOWN:
                    access = directory_access.of(item.name, facts)
            except PermissionError:
                os.stat(".", dir_fd=self._descriptor)  # raises if no entry may be looked up
                continue
            except OSError:
                continue
            entry = entry_of(name, facts, access)
            if entry.kind is Kind.LINK:
                entry = self._links.entry_for(entry, os.fsencode(item.name), self._descriptor)
            found.append(entry)
        return found, count < size
