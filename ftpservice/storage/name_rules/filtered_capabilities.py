"""The optional interfaces of a storage of which an account does not see some names."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from zope.interface import implementer

from ftpservice.storage.errors import BeingUploaded, PathNotFound
from ftpservice.storage.interfaces import (
    IAccess,
    IEnter,
    IFreeSpace,
    IHashes,
    ILinks,
    IPartials,
    ISetMode,
    ISetTimes,
    PartialUpload,
)
from ftpservice.storage.name_rules.name_patterns import NameRules
from ftpservice.storage.trash import ITrash, TrashedFile, WrappedTrash
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["CAPABILITIES", "FilteredCapabilities", "FilteredTrash"]

CAPABILITIES = frozenset(
    {IAccess, IEnter, IFreeSpace, IHashes, ILinks, IPartials, ISetMode, ISetTimes}
)


@implementer(*CAPABILITIES)
class FilteredCapabilities:
    """``offered``, one of these interfaces of the inner storage; the others are not used."""

    def __init__(self, offered: Any, rules: NameRules) -> None:
        self._offered = offered
        self._rules = rules

    @property
    def creation(self) -> bool:
        """Whether the creation time can be set."""
        return bool(self._offered.creation)

    async def access(self, path: VirtualPath, follow: bool) -> int:
        """Return what can be done with a path."""
        self._rules.check_seen(path)
        return int(await self._offered.access(path, follow))

    async def enter(self, path: VirtualPath) -> None:
        """Return for a directory that can be entered."""
        self._rules.check_seen(path)
        await self._offered.enter(path)

    async def free_space(self, path: VirtualPath) -> int:
        """Return the free space."""
        self._rules.check_seen(path)
        return int(await self._offered.free_space(path))

    async def hash(self, path: VirtualPath, algorithm: str, start: int, end: int | None) -> str:
        """Digest a file."""
        self._rules.check_seen(path)
        return str(await self._offered.hash(path, algorithm, start, end))

    async def lstat(self, path: VirtualPath) -> Entry:
        """Return the entry of a path, for a link that of the link."""
        self._rules.check_seen(path)
        return self._rules.shown(await self._offered.lstat(path))

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set times."""
        self._rules.check_seen(path)
        await self._offered.set_times(path, modified, created)

    async def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set permission bits."""
        self._rules.check_seen(path)
        await self._offered.set_mode(path, mode)

    async def partial(self, path: VirtualPath) -> Entry:
        """Return the entry of a partial upload."""
        self._rules.check_seen(path)
        entry: Entry = await self._offered.partial(path)
        return entry

    async def all_partials(self, everybody: bool = False) -> Sequence[PartialUpload]:
        """Return the partial uploads of names that are not hidden."""
        found: Sequence[PartialUpload] = await self._offered.all_partials(everybody)
        return [one for one in found if self._rules.is_seen(one.path)]

    async def drop_partials(
        self, path: VirtualPath | None = None, everybody: bool = False
    ) -> Sequence[PartialUpload]:
        """Remove partial uploads of names that are not hidden, except those under way."""
        if path is not None:
            self._rules.check_seen(path)
        elif self._rules.hidden:
            return await self._drop_seen(everybody)
        dropped: Sequence[PartialUpload] = await self._offered.drop_partials(path, everybody)
        return dropped

    async def _drop_seen(self, everybody: bool) -> Sequence[PartialUpload]:
        dropped: list[PartialUpload] = []
        for path in {one.path: None for one in await self.all_partials(everybody)}:
            with suppress(PathNotFound, BeingUploaded):
                dropped += await self._offered.drop_partials(path, everybody)
        return dropped


class FilteredTrash(WrappedTrash):
    """``inner`` without what had hidden names; nothing is restored to a refused one."""

    def __init__(self, inner: ITrash, rules: NameRules) -> None:
        super().__init__(inner)
        self._rules = rules

    async def trashed(self, path: VirtualPath) -> Sequence[TrashedFile]:
        """Return what had names that are seen."""
        self._rules.check_seen(path)
        found: Sequence[TrashedFile] = await self._inner.trashed(path)
        return [one for one in found if self._rules.is_seen(one.path)]

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Restore a file."""
        self._rules.check_seen(trashed.path)
        self._rules.check_new(target)
        entry: Entry = await self._inner.restore(trashed, target, replace)
        return entry

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files for good."""
        for one in trashed:
            self._rules.check_seen(one.path)
        gone: Sequence[TrashedFile] = await self._inner.discard(trashed)
        return gone
