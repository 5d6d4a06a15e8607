"""Times and permission bits for accounts that see nothing: of what they uploaded in this login.

A drop box is for people who do not know each other. Without the right to see files its account sets
the attributes of no others, and never so that the service itself is locked out of a file.
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
"""Uploads of one login that are remembered."""
OWNER_READ_WRITE_BITS = 0o600


class IOwnUploads(Interface):
    """A storage that wants to know what its account has uploaded."""

    def learn(path: VirtualPath, entry: Entry) -> None:
        """Remember the file that an upload was published as."""


@implementer(IOwnUploads)
class OwnUploads:
    """What one login has uploaded, by name and by what is unique of the file."""

    def __init__(self, storage: IStorage) -> None:
        self._storage = storage
        self._known: OrderedDict[VirtualPath, str] = OrderedDict()

    def learn(self, path: VirtualPath, entry: Entry) -> None:
        """Remember a file; the oldest are forgotten."""
        self._known.pop(path, None)
        self._known[path] = entry.unique
        if len(self._known) > MAX_REMEMBERED_UPLOADS:
            self._known.popitem(last=False)

    async def require(self, path: VirtualPath) -> None:
        """Raise `Denied` unless the file that was uploaded as ``path`` is still there."""
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
        """Set what is given."""
        await self._own.require(path)
        await self._times.set_times(path, modified, created)


@implementer(ISetMode)
class OwnMode:
    """Sets the permission bits of own uploads; the owner's right to read and write stays."""

    def __init__(self, modes: Any, own: OwnUploads) -> None:
        self._modes = modes
        self._own = own

    async def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set the lower nine permission bits."""
        if mode & OWNER_READ_WRITE_BITS != OWNER_READ_WRITE_BITS:
            raise Denied(path, "the owner would lose access")
        await self._own.require(path)
        await self._modes.set_mode(path, mode)
