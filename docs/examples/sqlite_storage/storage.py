"""The storage of one account."""

from __future__ import annotations

from zope.interface import implementer

from ftpservice.storage import (
    BlockingRunner,
    Entry,
    IListing,
    IReading,
    ISetTimes,
    IStorage,
    IWriting,
    NotSupported,
    VirtualPath,
    WriteRequest,
)
from sqlite_storage.calls import Calls
from sqlite_storage.changes import (
    make_directory,
    remove_directory,
    remove_file,
    rename,
    set_modified,
)
from sqlite_storage.reading import SqliteListing, SqliteReading, hold
from sqlite_storage.store import TOP, Store
from sqlite_storage.writing import SqliteWriting, Upload, begin

__all__ = ["SqliteStorage"]


@implementer(IStorage, ISetTimes)
class SqliteStorage:
    """The files below the directory number ``top``."""

    creation = False

    def __init__(self, store: Store, runner: BlockingRunner, top: int = TOP) -> None:
        self._store = store
        self._call = Calls(runner)
        self._top = top

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the facts of ``path``."""
        node = await self._call(path, self._store.node, self._top, path)
        return node.entry(path.name)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Open a directory for reading."""
        directory = await self._call(path, self._store.directory, self._top, path)
        return SqliteListing(self._store, self._call, path, directory)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:  # noqa: ARG002
        """Create one directory; permission bits are not stored."""
        await self._call(path, make_directory, self._store, self._top, path)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory."""
        await self._call(path, remove_directory, self._store, self._top, path)

    async def remove_file(self, path: VirtualPath) -> None:
        """Delete a file."""
        await self._call(path, remove_file, self._store, self._top, path)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename a file or directory."""
        await self._call(source, rename, self._store, self._top, source, target, replace)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open the current content of a file."""
        store, release = self._store, self._store.release
        opened = await self._call(
            path, hold, store, self._top, path, dispose=lambda held: release(held[1])
        )
        return SqliteReading(store, self._call, path, opened)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload."""
        upload = await self._call(
            path, begin, self._store, self._top, path, request, dispose=Upload.abandon
        )
        return SqliteWriting(upload, self._call)

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set the modification time; the creation time is not stored."""
        if created is not None:
            raise NotSupported(path)
        if modified is not None:
            await self._call(path, set_modified, self._store, self._top, path, modified)
