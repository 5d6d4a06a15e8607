"""The trash of a tree with mounts: each storage keeps what was deleted there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.backends.mounts.mounted_tree import MountedTree
from ftpservice.storage.errors import NotSupported, OtherFilesystem, StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.trash import ITrash, TrashedFile, TrashRule
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["MountedTrash"]

log = Logger("ftpservice")

T = TypeVar("T")


@implementer(ITrash)
class MountedTrash:
    """The files of all storages of ``tree``, with their names there."""

    def __init__(self, tree: MountedTree) -> None:
        self._tree = tree
        self._table = tree.table

    @property
    def rule(self) -> TrashRule | None:
        """That of the root; None if it keeps nothing more, or is not open."""
        opened = self._table.parts[0].opened
        trash = None if opened is None else ITrash(opened[0], None)
        rule: TrashRule | None = None if trash is None else trash.rule
        return rule

    async def trashed(self, path: VirtualPath) -> Sequence[TrashedFile]:
        """Return what had a name, or was below it, in storages that are not down."""
        found: list[TrashedFile] = []
        here, within = self._table.find(path)
        for part in self._tree.writable_parts():
            if part is not here and not part.path.is_within(path):
                continue
            below = within if part is here else ROOT
            try:
                trash = ITrash(await part.storage(), None)
                files = [] if trash is None else await trash.trashed(below)
            except StorageError as error:
                log.error("the trash below {path}: {error}", path=part.path, error=error)
                continue
            shown = [one._replace(path=one.path.below(part.path)) for one in files]
            found += [one for one in shown if self._table.find(one.path)[0] is part]
        return sorted(found, key=lambda one: (one.deleted, one.id), reverse=True)

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Restore a file in the storage that has it."""
        self._table.check_not_fixed(target)
        (here, _at), (there, to) = self._table.find(trashed.path), self._table.find(target)
        there.check_writable(target)
        if here is not there:
            raise OtherFilesystem(target, "it was deleted in another storage")
        return await self._call(trashed, lambda trash, one: trash.restore(one, to, replace))

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files for good."""
        gone: list[TrashedFile] = []
        for one in trashed:
            self._table.find(one.path)[0].check_writable(one.path)
            if await self._call(one, lambda trash, within: trash.discard([within])):
                gone.append(one)
        return gone

    async def oldest(self, size: int, files: int) -> Sequence[TrashedFile]:
        """Return the oldest files of all storages together."""
        found: list[TrashedFile] = []
        for one in reversed(await self.trashed(ROOT)):
            if size <= 0 and files <= 0:
                break
            found.append(one)
            size, files = size - one.size, files - 1
        return found

    def take_freed(self) -> tuple[int, int]:
        """Return nothing: each storage has charged it."""
        return 0, 0

    async def _call(
        self, trashed: TrashedFile, function: Callable[[ITrash, TrashedFile], Awaitable[T]]
    ) -> T:
        async def called(storage: IStorage, within: VirtualPath) -> T:
            trash: ITrash | None = ITrash(storage, None)
            if trash is None:
                raise NotSupported(within, "no trash")
            return await function(trash, trashed._replace(path=within))

        return await self._tree.call(trashed.path, called)
