"""Uploads: the content has no name until it is complete."""

from __future__ import annotations

from zope.interface import implementer

from ftpservice.storage import (
    BadOffset,
    Entry,
    Exists,
    IsDirectory,
    IWriting,
    NotSupported,
    Unavailable,
    VirtualPath,
    WriteMode,
    WriteRequest,
)
from sqlite_storage.calls import Calls
from sqlite_storage.store import Node, Store

__all__ = ["SqliteWriting", "Upload", "begin"]


def begin(store: Store, top: int, path: VirtualPath, request: WriteRequest) -> Upload:
    """Begin an upload (blocks); raises what `IStorage.open_writing` does."""
    if request.write_mode not in (WriteMode.REPLACE, WriteMode.CREATE):
        raise NotSupported(path, request.write_mode.value)
    place = store.place(top, path)
    there = in_the_way(store, place, path, request.write_mode)
    upload = Upload(store, place, path, request)
    if request.offset or request.partial_only:
        try:
            upload.go_on_from(None if request.partial_only else there)
        except BaseException:
            upload.abandon()
            raise
    return upload


def in_the_way(
    store: Store, place: tuple[int, bytes], path: VirtualPath, how: WriteMode
) -> Node | None:
    """Return the file that will be replaced; raises if it cannot be replaced."""
    there = store.child(*place)
    if there is not None and there.blob is None:
        raise IsDirectory(path)
    if there is not None and how is WriteMode.CREATE:
        raise Exists(path)
    return there


class Upload:
    """The blocking side of one upload; used in the thread only, so calls never overlap."""

    def __init__(
        self, store: Store, place: tuple[int, bytes], path: VirtualPath, request: WriteRequest
    ) -> None:
        self.path = path
        self.offset = request.offset
        self._store = store
        self._place = place
        self._request = request
        self._blob = store.new_blob()
        self._end = request.offset
        self._over = False
        store.uploads[place[0]] += 1

    def go_on_from(self, old: Node | None) -> None:
        """Copy the part of the old file before the restart offset."""
        if old is None or old.size < self.offset:
            raise BadOffset(self.path)
        with self._store.db as db:
            db.execute(
                "INSERT INTO pieces (blob, start, data) "
                "SELECT ?, start, substr(data, 1, ? - start) FROM pieces "
                "WHERE blob = ? AND start < ?",
                (self._blob, self.offset, old.blob, self.offset),
            )

    def write(self, data: bytes) -> None:
        """Append a piece."""
        if self._over:
            raise Unavailable(self.path, "the upload is over")
        with self._store.db as db:
            db.execute("INSERT INTO pieces VALUES (?, ?, ?)", (self._blob, self._end, data))
        self._end += len(data)

    def commit(self) -> Entry:
        """Name the content, or drop it and raise; in either case the upload has ended."""
        if self._over:
            raise Unavailable(self.path, "the upload is over")
        try:
            entry = self._publish().entry()
        except BaseException:
            self.abandon()
            raise
        self._end_upload()
        return entry

    def _publish(self) -> Node:
        store, request = self._store, self._request
        if request.announced not in (None, self._end - self.offset):
            raise BadOffset(self.path, "another size was announced")
        replaced = in_the_way(store, self._place, self.path, request.write_mode)
        with store.db:
            node = store.name(*self._place, (self._blob, self._end))
            if replaced is not None and replaced.blob is not None:
                store.drop(replaced.blob)
        return node

    def abandon(self) -> None:
        """Drop the content, unless it has its name already."""
        if not self._over:
            self._end_upload()
            with self._store.db:
                self._store.drop(self._blob)

    def _end_upload(self) -> None:
        self._over = True
        self._store.uploads[self._place[0]] -= 1


@implementer(IWriting)
class SqliteWriting:
    """An upload; the interface for the service."""

    def __init__(self, upload: Upload, call: Calls) -> None:
        self.path = upload.path
        self.offset = upload.offset
        self._upload = upload
        self._call = call

    async def write(self, data: bytes) -> None:
        """Append a piece."""
        await self._call(self.path, self._upload.write, data)

    async def commit(self) -> Entry:
        """Publish the file."""
        return await self._call(self.path, self._upload.commit)

    async def abandon(self) -> None:
        """Drop the upload, after the call in progress: there is one thread."""
        await self._call.runner.finish(self._upload.abandon)
