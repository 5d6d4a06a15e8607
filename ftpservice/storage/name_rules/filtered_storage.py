"""The storage of an account that does not see some names, or cannot create them (`NameRules`).

What is hidden is as if it did not exist: every call for it raises `PathNotFound`, without a look at
the storage. Creating such a name raises `NameRefused`. It does exist, however: a directory that
contains only hidden files is not empty, so it cannot be removed, and it moves with them.

The storage below must not follow symbolic links (`without_links`): a link with a harmless name
could lead to a file with a hidden one, or create one with a refused name. Rights are enforced by a
wrapper around this one, so that an account without the right to see files learns nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from ftpservice.storage.interfaces import (
    IListing,
    IReading,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads, InterruptedUploadsAt
from ftpservice.storage.name_rules.filtered_capabilities import (
    CAPABILITIES,
    FilteredCapabilities,
    FilteredTrash,
)
from ftpservice.storage.name_rules.name_patterns import NameRules
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.trash import ITrash
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["FilteredStorage"]

READING_METHODS = ("stat", "open_listing", "open_reading")


@implementer(IStorage)
class FilteredStorage:
    """``inner``, which follows no links, by these rules."""

    def __init__(self, inner: IStorage, rules: NameRules) -> None:
        self._inner = inner
        self._rules = rules
        if not rules.hidden:
            for name in READING_METHODS:
                setattr(self, name, getattr(inner, name))

    def __conform__(self, interface: object) -> object:
        """Offer the optional interfaces of the inner storage."""
        if interface is IQuota:
            return IQuota(self._inner, None)
        if interface is IInterruptedUploads:
            return InterruptedUploadsAt.of(self._inner, self._seen_at)
        if interface is ITrash:
            trash = ITrash(self._inner, None)
            return None if trash is None else FilteredTrash(trash, self._rules)
        if interface not in CAPABILITIES:
            return None
        found: object = interface(self._inner, None)  # type: ignore[operator]
        return None if found is None else FilteredCapabilities(found, self._rules)

    def _seen_at(self, path: VirtualPath) -> IStorage:
        self._rules.check_seen(path)
        return self._inner

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of a path."""
        self._rules.check_seen(path)
        return self._rules.shown(await self._inner.stat(path))

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Begin to read a directory."""
        self._rules.check_seen(path)
        return FilteredListing(await self._inner.open_listing(path), self._rules)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file."""
        self._rules.check_seen(path)
        return await self._inner.open_reading(path)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory."""
        self._rules.check_new(path)
        await self._inner.make_directory(path, mode)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove a directory without entries; hidden ones count."""
        self._rules.check_seen(path)
        await self._inner.remove_directory(path)

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file."""
        self._rules.check_seen(path)
        await self._inner.remove_file(path)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename; a directory takes the hidden files in it along."""
        self._rules.check_seen(source)
        self._rules.check_new(target)
        await self._inner.rename(source, target, replace)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload."""
        self._rules.check_new(path)
        writing = await self._inner.open_writing(path, request)
        if request.write_mode is WriteMode.UNIQUE:
            try:
                self._rules.check_new(writing.path)
            except BaseException:
                await writing.abandon()
                raise
        return writing


@implementer(IListing)
class FilteredListing:
    """``inner`` without what is hidden."""

    def __init__(self, inner: IListing, rules: NameRules) -> None:
        self._inner = inner
        self._rules = rules

    async def next_batch(self) -> Sequence[Entry]:
        """Return some more entries."""
        while batch := await self._inner.next_batch():
            shown = self._rules.shown_entries(batch)
            if shown:
                return shown
        return []

    def close(self) -> None:
        """Close the directory."""
        self._inner.close()
