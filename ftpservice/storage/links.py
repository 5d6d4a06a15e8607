"""Looking at a name without following it, in storages with and without symbolic links."""

from __future__ import annotations

from ftpservice.storage.filesystem_interfaces import ILinks
from ftpservice.storage.interfaces import IStorage
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["directory_or_itself", "lstat"]


async def lstat(storage: IStorage, path: VirtualPath) -> Entry:
    """Return the facts of ``path`` itself, be it a link or not; raises `NotFound`."""
    links = ILinks(storage, None)
    entry: Entry = await (storage.stat(path) if links is None else links.lstat(path))
    return entry


async def directory_or_itself(storage: IStorage, path: VirtualPath) -> Entry:
    """Return the facts of a directory, links to it followed, or of ``path`` itself.

    That is how `ls` takes its arguments. Raises `NotFound`.
    """
    entry = await lstat(storage, path)
    if entry.kind is Kind.LINK:
        followed: Entry = await storage.stat(path)
        if followed.kind is Kind.DIRECTORY:
            return followed
    return entry
