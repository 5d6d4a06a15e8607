"""Counting what a tree takes up, by the storage itself or by its listings."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ftpservice.storage.errors import PathNotFound, StorageError
from ftpservice.storage.interfaces import IPartials, IStorage
from ftpservice.storage.links import lstat
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["count_tree", "entry_usage", "file_usage", "partial_size"]


async def count_tree(storage: IStorage, path: VirtualPath) -> TreeUsage:
    """Count everything below the directory ``path``; partial uploads under way do not count."""
    counting = ITreeUsage(storage, None)
    if counting is not None:
        usage: TreeUsage = await counting.tree_usage(path)
        return usage
    size = files = 0
    pending = [path]
    while pending:
        here = pending.pop()
        async for entry in _entries(storage, here):
            added = entry_usage(entry)
            size, files = size + added.size, files + added.files
            if entry.kind is Kind.DIRECTORY:
                pending.append(here.child(entry.name))
    partials = IPartials(storage, None)
    kept = [] if partials is None else await partials.all_partials(everybody=True)
    idle = [one for one in kept if not one.is_active and one.size and one.path.is_within(path)]
    return TreeUsage(size + sum(one.size for one in idle), files + len(idle), len(idle))


async def _entries(storage: IStorage, path: VirtualPath) -> AsyncIterator[Entry]:
    """Yield the entries of a directory, none if it was removed or cannot be read."""
    try:
        listing = await storage.open_listing(path)
    except StorageError:
        return
    try:
        while batch := await listing.next_batch():
            for entry in batch:
                yield entry
    finally:
        listing.close()


def entry_usage(entry: Entry) -> TreeUsage:
    """Return what one name takes up; a directory without its content."""
    return TreeUsage(entry.size if entry.kind is Kind.FILE else 0, 1)


async def file_usage(storage: IStorage, path: VirtualPath) -> TreeUsage | None:
    """Return what a name takes up, a link by itself; None if there is nothing."""
    try:
        return entry_usage(await lstat(storage, path))
    except PathNotFound:
        return None


async def partial_size(storage: IStorage, path: VirtualPath) -> int:
    """Return the bytes of the owner's partial upload of ``path``; 0 without one."""
    partials = IPartials(storage, None)
    if partials is None:
        return 0
    try:
        return int((await partials.partial(path)).size)
    except StorageError:
        return 0
