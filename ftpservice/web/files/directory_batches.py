"""The entries of a directory, in batches; it is closed in any case."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from ftpservice.storage.interfaces import IListing, IStorage
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import FORBIDDEN, VirtualPath

__all__ = ["OpenDirectory", "has_address"]


def has_address(entry: Entry) -> bool:
    """Return whether a path can name an entry: its name has no line end."""
    return FORBIDDEN.isdisjoint(entry.name)


class OpenDirectory(NamedTuple):
    """A directory whose first entries have been read: so it is known that it can be read."""

    listing: IListing
    first: Sequence[Entry]

    @classmethod
    async def of(cls, storage: IStorage, path: VirtualPath) -> OpenDirectory:
        """Open a directory, for one call of `batches`; raises `StorageError`."""
        listing = await storage.open_listing(path)
        try:
            return cls(listing, await listing.next_batch())
        except BaseException:
            listing.close()
            raise

    async def batches(self) -> AsyncGenerator[Sequence[Entry], None]:
        """Yield the entries; to be used with `contextlib.aclosing`."""
        try:
            batch = self.first
            while batch:
                yield batch
                batch = await self.listing.next_batch()
        finally:
            self.listing.close()
