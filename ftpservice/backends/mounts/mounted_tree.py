"""Entries of a tree with mounts: those of its storages, of mount points and of what is above."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from ftpservice.backends.mounts.mount_table import MountedPart, MountTable
from ftpservice.concurrency.task import Task
from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.links import lstat
from ftpservice.wire.entry import ENTER, READ, REMOVE, Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["MountedTree"]

T = TypeVar("T")

LISTED_TIMEOUT_SECONDS = 2.0
"""What a listing waits for the entry of a mount point; one without facts is shown then."""


class MountedTree:
    """The tree of ``table``, to be looked into."""

    def __init__(self, table: MountTable, clock: IReactorTime) -> None:
        self.table = table
        self._clock = clock
        self._since = clock.seconds()

    async def call(
        self, path: VirtualPath, function: Callable[[IStorage, VirtualPath], Awaitable[T]]
    ) -> T:
        """Call ``function`` with the storage of a path and the path within it."""
        part, within = self.table.find(path)
        try:
            return await function(await part.storage(), within)
        except StorageError as error:
            part.outside(error)
            raise

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``; a link is followed."""
        return await self._entry(path, lambda storage, within: storage.stat(within))

    async def lstat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``, for a link that of the link."""
        return await self._entry(path, lstat)

    async def _entry(
        self, path: VirtualPath, look: Callable[[IStorage, VirtualPath], Awaitable[Entry]]
    ) -> Entry:
        table = self.table
        mount = table.mount_at(path)
        if mount is not None:
            return mount.root_entry(await self.call(path, look))
        if table.is_fixed(path):
            return await self._above_mounts(path)
        return table.find(path)[0].shown(await self.call(path, look))

    async def _above_mounts(self, path: VirtualPath) -> Entry:
        """Return the entry of a directory that leads to a mount point."""
        try:
            entry = await self.call(path, lstat)
        except StorageError:
            return self._bare(path)
        if entry.kind is not Kind.DIRECTORY:
            return self._bare(path)
        entry = self.table.find(path)[0].shown(entry)
        return entry._replace(access=entry.access & ~REMOVE)

    def _bare(self, path: VirtualPath) -> Entry:
        """Return the entry of a directory of which nothing else is known."""
        access = READ | ENTER
        return Entry(path.name, Kind.DIRECTORY, 0, self._since, 0o755, access=access)

    async def listed(self, path: VirtualPath) -> Entry:
        """Return the entry of a mount point, or of a directory above one, for a listing."""
        looking = Task(self.stat(path))
        if looking.has_returned:
            return await looking
        timeout = self._clock.callLater(LISTED_TIMEOUT_SECONDS, looking.cancel)
        try:
            return await looking
        except StorageError:
            return self._bare(path)
        except CancelledError:
            if timeout.active():
                raise
            return self._bare(path)
        finally:
            if timeout.active():
                timeout.cancel()

    def writable_parts(self) -> list[MountedPart]:
        """Return the parts that are not mounted read-only."""
        return [part for part in self.table.parts if not part.read_only]
