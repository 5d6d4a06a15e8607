"""Times and permission bits for accounts that may not see files: of their own uploads only.

The users of a drop box do not know each other. An account without the rights to list and download
sets attributes only of what it uploaded in the same login, and never removes the owner's right to
read and write, which would lock the service out of the file.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from zope.interface import Interface, implementer

from ftpservice.storage.errors import Denied, StorageError
from ftpservice.storage.interfaces import ISetMode, ISetTimes, IStorage
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["IOwnUploads", "OwnMode", "OwnTimes", "OwnUploads"]

MAX_REMEMBERED_UPLOADS = 10_000
"""Uploads that are remembered of one login."""
OWNER_READ_WRITE_BITS = 0o600


class IOwnUploads(Interface):
    """A storage that needs to know which files its account uploaded."""

    def remember(path: VirtualPath, entry: Entry) -> None:
        """Remember the file that an upload was published as, for later changes of attributes."""


@implementer(IOwnUploads)
class OwnUploads:
    """What one login has uploaded: the name and `Entry.unique` of each file."""

    def __init__(self, storage: IStorage) -> None:
        self._storage = storage
        self._known: OrderedDict[VirtualPath, str] = OrderedDict()

    def remember(self, path: VirtualPath, entry: Entry) -> None:
        """Remember a file; the oldest one is forgotten if there are too many."""
        self._known.pop(path, None)
        self._known[path] = entry.unique
        if len(self._known) > MAX_REMEMBERED_UPLOADS:
            self._known.popitem(last=False)

    async def require(self, path: VirtualPath) -> None:
        """Raise `Denied` unless ``path`` is still the file that was uploaded under that name."""
        unique = self._known.get(path, "")
        if not unique:
            raise Denied(path, "not uploaded in this login")
        try:
            entry = await self._storage.stat(path)
        except StorageError as error:
            raise Denied(path, error.reason) from error
        if entry.unique != unique:
            raise Denied(path, "not the file that was uploaded in this login")


@implementer(ISetTimes)
class OwnTimes:
    """Sets the times of own uploads."""

    def __init__(self, times: Any, own: OwnUploads) -> None:
        self._times = times
        self._own = own
        self.creation: bool = times.creation

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set the given times, in seconds since the epoch."""
        await self._own.require(path)
        await self._times.set_times(path, modified, created)


@implementer(ISetMode)
class OwnMode:
    """Sets the permission bits of own uploads; the owner keeps the right to read and write."""

    def __init__(self, modes: Any, own: OwnUploads) -> None:
        self._modes = modes
        self._own = own

    async def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set the lower nine permission bits."""
        if mode & OWNER_READ_WRITE_BITS != OWNER_READ_WRITE_BITS:
            raise Denied(path, "the owner would lose access")
        await self._own.require(path)
        await self._modes.set_mode(path, mode)
