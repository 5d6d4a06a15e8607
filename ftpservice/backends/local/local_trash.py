"""The trash of the ``local:`` storage as its callers see it; the work is done in a pool."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.backends.local.trash.trash_bin import TrashBin
from ftpservice.backends.local.trash.trash_names import owner_name
from ftpservice.backends.local.trash.trash_order import TrashOrders
from ftpservice.backends.local.trash_search import TrashSearch
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.trash import TrashedFile, TrashRule
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["LocalTrash"]


class LocalTrash:
    """`ITrash` for ``owner``'s files in a tree; ``trash`` is None without a rule."""

    _trash: TrashBin | None
    _tree: DirectoryTree
    _owner: str
    _orders: TrashOrders
    _runner: BlockingRunner

    @property
    def rule(self) -> TrashRule | None:
        """How long what is deleted is kept; None if it is not."""
        return None if self._trash is None else self._trash.rule

    async def trashed(self, path: VirtualPath) -> Sequence[TrashedFile]:
        """Return what had a name, or was below it; other calls get turns meanwhile."""
        search = TrashSearch(self._tree, self._owner, path)
        while await in_pool(self._runner, path, search.turn):
            pass
        return sorted(search.found, key=lambda one: one.id, reverse=True)

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Give a file of the trash a name."""
        return await in_pool(
            self._runner, target, self._any_bin().restore, trashed, target, replace
        )

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files of the trash for good."""
        gone: list[TrashedFile] = []
        for one in trashed:
            gone += await in_pool(self._runner, one.path, self._any_bin().discard, [one])
        return gone

    async def oldest(self, size: int, files: int) -> Sequence[TrashedFile]:
        """Return the oldest files that make up so much, or all there are."""
        name = owner_name(self._owner)
        order = await in_pool(self._runner, ROOT, self._orders.of, self._tree.root, name)
        taken = order.take(size, files)
        if not taken:
            search = self._orders.search(self._tree, name)
            order.begin()
            while await in_pool(self._runner, ROOT, search.turn):
                pass
            order.fill(search.found)
            taken = order.take(size, files)
        return taken

    def take_freed(self) -> tuple[int, int]:
        """Return what was removed to make room for other versions."""
        return (0, 0) if self._trash is None else self._trash.freed.take()

    def _any_bin(self) -> TrashBin:
        """Return what can restore files that an earlier rule has kept."""
        return self._trash or TrashBin(self._tree, self._owner)
