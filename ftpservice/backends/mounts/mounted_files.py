"""Listings and uploads of a mounted storage, as the account sees them."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from ftpservice.backends.mounts.mount_table import MountedPart
from ftpservice.storage.errors import StorageError
from ftpservice.storage.gates import IHeldUpload
from ftpservice.storage.interfaces import (
    IBatchCommit,
    IDescriptor,
    IListing,
    IRetractableWriting,
    ISpliceTarget,
    IWriting,
)
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["MountedListing", "MountedWriting"]

FORWARDED = (IBatchCommit, IDescriptor, IHeldUpload, IRetractableWriting, ISpliceTarget)


@implementer(IListing)
class MountedListing:
    """``inner`` with ``mounts`` in place of the entries of their names; None for mounts only."""

    def __init__(
        self, inner: IListing | None, part: MountedPart, mounts: Sequence[Entry] = ()
    ) -> None:
        self._inner = inner
        self._part = part
        self._mounts = mounts
        self._hidden = {entry.name for entry in mounts}

    async def next_batch(self) -> Sequence[Entry]:
        """Return some more entries."""
        mounts, self._mounts = self._mounts, ()
        if mounts or self._inner is None:
            return mounts
        part, hidden = self._part, self._hidden
        try:
            while batch := await self._inner.next_batch():
                shown = [part.shown(entry) for entry in batch if entry.name not in hidden]
                if shown:
                    return shown
        except StorageError as error:
            part.outside(error)
            raise
        return []

    def close(self) -> None:
        """Close the directory."""
        if self._inner is not None:
            self._inner.close()


@implementer(IWriting)
class MountedWriting:
    """``inner``, an upload to the storage of ``part``, whose path is that in the whole tree."""

    def __init__(self, inner: IWriting, part: MountedPart) -> None:
        self._inner = inner
        self._part = part
        self.offset: int = inner.offset

    @property
    def path(self) -> VirtualPath:
        """The name that it will be published under."""
        within: VirtualPath = self._inner.path
        return within.below(self._part.path)

    def __conform__(self, interface: object) -> object:
        return interface(self._inner, None) if interface in FORWARDED else None  # type: ignore[operator]

    async def write(self, data: bytes) -> None:
        """Add ``data``."""
        await self._inner.write(data)

    async def commit(self) -> Entry:
        """Publish the file."""
        return await self._inner.commit()

    async def abandon(self) -> None:
        """End without publishing."""
        await self._inner.abandon()
