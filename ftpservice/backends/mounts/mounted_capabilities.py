"""The optional interfaces of a tree with mounts: each call is answered by the storage of its path.

A storage that lacks an interface has what callers assume without it, or raises `NotSupported`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.backends.mounts.mount_table import MountedPart
from ftpservice.backends.mounts.mounted_tree import MountedTree
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import (
    Denied,
    IsDirectory,
    NotDirectory,
    NotSupported,
    PathNotFound,
    StorageError,
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
from ftpservice.storage.interrupted_uploads import (
    IInterruptedUploads,
    InterruptedUpload,
    InterruptedUploadsAt,
)
from ftpservice.wire.entry import ENTER, READ, REMOVE, Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["CAPABILITIES", "MountedCapabilities", "MountedRemoval", "MountedUploads"]

log = Logger("ftpservice")

CAPABILITIES = frozenset(
    {IAccess, IEnter, IFreeSpace, IHashes, ILinks, IPartials, ISetMode, ISetTimes}
)


def _of(interface: Any, storage: IStorage, path: VirtualPath) -> Any:
    found = interface(storage, None)
    if found is None:
        raise NotSupported(path)
    return found


@implementer(*CAPABILITIES)
class MountedCapabilities:
    """All of them, for one tree."""

    def __init__(self, tree: MountedTree) -> None:
        self._tree = tree
        self._table = tree.table
        self.lstat = tree.lstat

    @property
    def creation(self) -> bool:
        """Whether the creation time can perhaps be set."""
        return any(
            part.opened is None or getattr(ISetTimes(part.opened[0], None), "creation", False)
            for part in self._table.parts
        )

    async def hash(self, path: VirtualPath, algorithm: str, start: int, end: int | None) -> str:
        """Digest a file."""
        if self._table.is_fixed(path):
            raise IsDirectory(path)

        async def digest(storage: IStorage, within: VirtualPath) -> str:
            found: str = await _of(IHashes, storage, within).hash(within, algorithm, start, end)
            return found

        return await self._tree.call(path, digest)

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set times."""
        await self._change(
            path,
            lambda storage, within: _of(ISetTimes, storage, within).set_times(
                within, modified, created
            ),
        )

    async def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set permission bits."""
        await self._change(
            path, lambda storage, within: _of(ISetMode, storage, within).set_mode(within, mode)
        )

    async def _change(
        self, path: VirtualPath, function: Callable[[IStorage, VirtualPath], Awaitable[None]]
    ) -> None:
        self._table.find(path)[0].check_writable(path)
        try:
            await self._tree.call(path, function)
        except (PathNotFound, NotDirectory):
            if self._table.is_fixed(path):
                raise Denied(path, "the directory is there for the mounts below it only") from None
            raise

    async def access(self, path: VirtualPath, follow: bool) -> int:
        """Return what can be done with ``path``."""
        part = self._table.find(path)[0]
        look = self._tree.stat if follow else self._tree.lstat
        entry = await look(path)
        if self._table.is_fixed(path) and self._table.mount_at(path) is None:
            return entry.access

        async def known(storage: IStorage, within: VirtualPath) -> int:
            access = IAccess(storage, None)
            return entry.access if access is None else await access.access(within, follow)

        found = await self._tree.call(path, known)
        found &= ~REMOVE if self._table.is_fixed(path) else ~0
        return found & (READ | ENTER) if part.read_only else found

    async def enter(self, path: VirtualPath) -> None:
        """Return for a directory that can be entered."""

        async def entered(storage: IStorage, within: VirtualPath) -> None:
            enters = IEnter(storage, None)
            if enters is not None:
                await enters.enter(within)
            elif (await storage.stat(within)).kind is not Kind.DIRECTORY:
                raise NotDirectory(within)

        try:
            await self._tree.call(path, entered)
        except (PathNotFound, NotDirectory):
            if not self._is_above_mounts(path):
                raise

    async def free_space(self, path: VirtualPath) -> int:
        """Return the free space of the storage of ``path``."""

        async def free(storage: IStorage, within: VirtualPath) -> int:
            space = _of(IFreeSpace, storage, within)
            try:
                found: int = await space.free_space(within)
            except (PathNotFound, NotDirectory):
                if not self._is_above_mounts(path):
                    raise
                found = await space.free_space(ROOT)
            return found

        return await self._tree.call(path, free)

    def _is_above_mounts(self, path: VirtualPath) -> bool:
        return self._table.is_fixed(path) and self._table.mount_at(path) is None

    async def partial(self, path: VirtualPath) -> Entry:
        """Return the entry of a partial upload."""

        async def found(storage: IStorage, within: VirtualPath) -> Entry:
            partials = IPartials(storage, None)
            if partials is None or self._table.find(path)[0].read_only:
                raise PathNotFound(within)
            entry: Entry = await partials.partial(within)
            return entry

        if self._table.is_fixed(path):
            raise PathNotFound(path)
        return await self._tree.call(path, found)

    async def all_partials(self, everybody: bool = False) -> Sequence[PartialUpload]:
        """Return the partial uploads of all storages that are not down."""
        return await self._of_all_parts(lambda partials: partials.all_partials(everybody))

    async def drop_partials(
        self, path: VirtualPath | None = None, everybody: bool = False
    ) -> Sequence[PartialUpload]:
        """Remove partial uploads, except those under way."""
        if path is None:
            return await self._of_all_parts(
                lambda partials: partials.drop_partials(None, everybody)
            )
        part = self._table.find(path)[0]
        if part.read_only or self._table.is_fixed(path):
            raise PathNotFound(path)

        async def dropped(storage: IStorage, within: VirtualPath) -> Sequence[PartialUpload]:
            partials = IPartials(storage, None)
            if partials is None:
                raise PathNotFound(within)
            found: Sequence[PartialUpload] = await partials.drop_partials(within, everybody)
            return found

        return self._shown(part, await self._tree.call(path, dropped))

    async def _of_all_parts(
        self, call: Callable[[Any], Awaitable[Sequence[PartialUpload]]]
    ) -> Sequence[PartialUpload]:
        found: list[PartialUpload] = []
        for part in self._tree.writable_parts():
            try:
                partials = IPartials(await part.storage(), None)
                if partials is not None:
                    found += self._shown(part, await call(partials))
            except StorageError as error:
                log.error("partial uploads below {path}: {error}", path=part.path, error=error)
        return found

    def _shown(self, part: MountedPart, found: Sequence[PartialUpload]) -> list[PartialUpload]:
        """Return partial uploads with their paths in the tree, without those that are hidden."""
        below = [one._replace(path=one.path.below(part.path)) for one in found]
        return [one for one in below if self._table.find(one.path)[0] is part]


@implementer(IInterruptedUploads)
class MountedUploads:
    """The interrupted uploads of the storage that has them."""

    def __init__(self, tree: MountedTree) -> None:
        self._tree = tree

    async def interrupted(self, path: VirtualPath) -> InterruptedUpload | None:
        """Return what is kept of an upload."""

        async def found(storage: IStorage, within: VirtualPath) -> InterruptedUpload | None:
            return await InterruptedUploadsAt(lambda _path: storage).interrupted(within)

        return await self._tree.call(path, found) if self._is_writable(path) else None

    async def annotate(self, path: VirtualPath, note: str) -> bool:
        """Replace the note of an interrupted upload."""

        async def annotated(storage: IStorage, within: VirtualPath) -> bool:
            return await InterruptedUploadsAt(lambda _path: storage).annotate(within, note)

        return self._is_writable(path) and await self._tree.call(path, annotated)

    def _is_writable(self, path: VirtualPath) -> bool:
        table = self._tree.table
        return not table.is_fixed(path) and not table.find(path)[0].read_only


@implementer(IConditionalRemoval)
class MountedRemoval:
    """The removal of what nobody has touched, by the storage that has it."""

    def __init__(self, tree: MountedTree) -> None:
        self._tree = tree

    async def remove_unchanged(self, path: VirtualPath, entry: Entry) -> None:
        """Remove a file or an empty directory, neither a mount point nor one above."""
        table = self._tree.table
        table.check_not_fixed(path)
        table.find(path)[0].check_writable(path)

        async def removed(storage: IStorage, within: VirtualPath) -> None:
            await _of(IConditionalRemoval, storage, within).remove_unchanged(within, entry)

        await self._tree.call(path, removed)
