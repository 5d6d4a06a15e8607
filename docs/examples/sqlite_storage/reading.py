"""Reading of directories and files."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from ftpservice.storage import Entry, IListing, IReading, Unavailable, VirtualPath, run_unattended
from sqlite_storage.calls import Calls
from sqlite_storage.changes import file
from sqlite_storage.store import Node, Store

__all__ = ["SqliteListing", "SqliteReading", "hold"]


def hold(store: Store, top: int, path: VirtualPath) -> tuple[Node, int]:
    """Open a file for a reader."""
    node, blob = file(store, top, path)
    store.hold(blob)
    return node, blob


@implementer(IListing)
class SqliteListing:
    """A directory listing that continues after the last name returned; nothing stays open."""

    def __init__(self, store: Store, call: Calls, path: VirtualPath, directory: int) -> None:
        self._store = store
        self._call = call
        self._path = path
        self._directory = directory
        self._after = b""

    async def next_batch(self) -> Sequence[Entry]:
        """Return the next entries."""
        found = await self._call(self._path, self._store.children, self._directory, self._after)
        self._after = found[-1].name if found else self._after
        return [node.entry() for node in found]

    def close(self) -> None:
        """Do nothing."""


@implementer(IReading)
class SqliteReading:
    """A file open for reading; its content is kept until ``close``."""

    def __init__(
        self, store: Store, call: Calls, path: VirtualPath, opened: tuple[Node, int]
    ) -> None:
        node, self._blob = opened
        self.entry = node.entry(path.name)
        self._store = store
        self._call = call
        self._path = path
        self._closed = False

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        if self._closed:
            raise Unavailable(self._path, "read after close")
        return await self._call(self._path, stretch, self._store, self._blob, offset, size)

    def close(self) -> None:
        """Release the content."""
        if not self._closed:
            self._closed = True
            run_unattended(self._call.runner, self._store.release, self._blob)


def stretch(store: Store, blob: int, offset: int, size: int) -> bytes:
    """Return a range of a content, joined from its pieces."""
    rows = store.db.execute(
        "SELECT start, data FROM pieces WHERE blob = ? AND start < ? AND start >= "
        "(SELECT coalesce(max(start), 0) FROM pieces WHERE blob = ? AND start <= ?) "
        "ORDER BY start",
        (blob, offset + size, blob, offset),
    ).fetchall()
    if not rows:
        return b""
    skipped = offset - rows[0][0]
    return b"".join(data for _start, data in rows)[skipped : skipped + size]
