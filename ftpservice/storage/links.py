"""Entries of symbolic links themselves, for storages with and without links."""

from __future__ import annotations

from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import ILinks, IStorage, IWithoutLinks
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["directory_or_itself", "lstat", "without_links"]


async def lstat(storage: IStorage, path: VirtualPath) -> Entry:
    """Return the entry of ``path``, not following a link; raises `PathNotFound`."""
    links = ILinks(storage, None)
    entry: Entry = await (storage.stat(path) if links is None else links.lstat(path))
    return entry


async def directory_or_itself(storage: IStorage, path: VirtualPath) -> Entry:
    """Return the entry of a directory, following links to it, or of ``path`` itself.

    `ls` treats its arguments in this way. Raises `PathNotFound`.
    """
    entry = await lstat(storage, path)
    if entry.kind is Kind.LINK:
        followed: Entry = await storage.stat(path)
        if followed.kind is Kind.DIRECTORY:
            return followed
    return entry


def without_links(storage: IStorage) -> IStorage:
    """Return a storage that follows no links.

    Raises `Unavailable` for one with links that it always follows.
    """
    found = IWithoutLinks(storage, None)
    if found is not None:
        same_files: IStorage = found.without_links()
        return same_files
    if ILinks(storage, None) is not None:
        raise Unavailable(ROOT, "the storage follows symbolic links, which the account may not")
    return storage
