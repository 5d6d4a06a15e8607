"""The optional interfaces of a storage whose directories have different rights.

Each call is answered with the rights to its path. Where these do not allow an interface, the answer
is what callers assume without it, or `Denied`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from zope.interface import implementer

from ftpservice.storage.errors import (
    BeingUploaded,
    Denied,
    NotDirectory,
    PathNotFound,
)
from ftpservice.storage.interfaces import (
    IAccess,
    IEnter,
    IFreeSpace,
    IHashes,
    ILinks,
    IPartials,
    ISetMode,
    ISetTimes,
    IStorage,
    PartialUpload,
)
from ftpservice.storage.links import lstat
from ftpservice.storage.own_uploads import IOwnUploads
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["RuledCapabilities"]


@implementer(
    IAccess, IEnter, IFreeSpace, IHashes, ILinks, IOwnUploads, IPartials, ISetMode, ISetTimes
)
class RuledCapabilities:
    """All of them; ``storage_at`` returns the storage with the rights to a path.

    ``offered`` has the interface of those storages that offer it; ``everywhere``: that is all.
    """

    def __init__(
        self,
        storage_at: Callable[[VirtualPath], IStorage],
        offered: Sequence[Any],
        everywhere: bool,
    ) -> None:
        self._at = storage_at
        self._offered = offered
        self._everywhere = everywhere

    @property
    def creation(self) -> bool:
        """Whether the creation time can perhaps be set."""
        return any(one.creation for one in self._offered)

    def _required(self, interface: Any, path: VirtualPath) -> Any:
        found = interface(self._at(path), None)
        if found is None:
            raise Denied(path, "the rights to this directory do not allow it")
        return found

    async def access(self, path: VirtualPath, follow: bool) -> int:
        """Return what can be done with a path."""
        storage = self._at(path)
        known = IAccess(storage, None)
        if known is None:
            return (await (storage.stat(path) if follow else lstat(storage, path))).access
        return int(await known.access(path, follow))

    async def enter(self, path: VirtualPath) -> None:
        """Return for a directory that can be entered."""
        storage = self._at(path)
        enters = IEnter(storage, None)
        if enters is not None:
            await enters.enter(path)
        elif (await storage.stat(path)).kind is not Kind.DIRECTORY:
            raise NotDirectory(path)

    async def free_space(self, path: VirtualPath) -> int:
        """Return the free space."""
        return int(await self._required(IFreeSpace, path).free_space(path))

    async def hash(self, path: VirtualPath, algorithm: str, start: int, end: int | None) -> str:
        """Digest a file."""
        return str(await self._required(IHashes, path).hash(path, algorithm, start, end))

    async def lstat(self, path: VirtualPath) -> Entry:
        """Return the entry of a path, for a link that of the link."""
        return await lstat(self._at(path), path)

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set times."""
        await self._required(ISetTimes, path).set_times(path, modified, created)

    async def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set permission bits."""
        await self._required(ISetMode, path).set_mode(path, mode)

    def remember(self, path: VirtualPath, entry: Entry) -> None:
        """Remember an upload, if the rights to its directory depend on that."""
        own = IOwnUploads(self._at(path), None)
        if own is not None:
            own.remember(path, entry)

    async def partial(self, path: VirtualPath) -> Entry:
        """Return the entry of a partial upload."""
        partials = IPartials(self._at(path), None)
        if partials is None:
            raise PathNotFound(path)
        entry: Entry = await partials.partial(path)
        return entry

    async def all_partials(self, everybody: bool = False) -> Sequence[PartialUpload]:
        """Return the partial uploads in directories whose rights allow uploads."""
        found: Sequence[PartialUpload] = await self._offered[0].all_partials(everybody)
        return [one for one in found if IPartials(self._at(one.path), None) is not None]

    async def drop_partials(
        self, path: VirtualPath | None = None, everybody: bool = False
    ) -> Sequence[PartialUpload]:
        """Remove partial uploads, except those under way."""
        if path is not None:
            partials = IPartials(self._at(path), None)
            if partials is None:
                raise PathNotFound(path)
            dropped: Sequence[PartialUpload] = await partials.drop_partials(path, everybody)
            return dropped
        if self._everywhere:
            removed: Sequence[PartialUpload] = await self._offered[0].drop_partials(None, everybody)
            return removed
        removed_each: list[PartialUpload] = []
        for one in await self.all_partials(everybody):
            with suppress(PathNotFound, BeingUploaded):
                removed_each += await self.drop_partials(one.path, everybody)
        return removed_each
