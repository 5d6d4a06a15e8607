"""The trash of an account in a bucket as its callers see it; the work is done in threads."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from ftpservice.backends.s3.trash.trash_bin import S3TrashBin
from ftpservice.backends.s3.trash.trash_items import items_below
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.storage.trash import ITrash, TrashedFile, TrashOrder, TrashRule
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["S3Trash", "remove_expired"]

MAX_ORDERS = 64
MAX_DELETED = 1000
"""What is deleted in one call."""


@implementer(ITrash)
class S3Trash:
    """What the owner of ``view`` has deleted and overwritten below its root."""

    def __init__(self, view: BucketView) -> None:
        self._view = view
        self._bin = S3TrashBin(view)

    @property
    def rule(self) -> TrashRule | None:
        """How long what is deleted is kept; None if it is not."""
        return self._view.rule

    async def trashed(self, path: VirtualPath) -> Sequence[TrashedFile]:
        """Return what had a name, or was below it."""
        found = await self._view.in_thread(path, self._bin.own, path)
        return sorted(found, key=lambda one: one.id, reverse=True)

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Give a file of the trash a name."""
        return await self._view.in_thread(target, self._bin.restore, trashed, target, replace)

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files of the trash for good."""
        return [
            one for one in trashed if await self._view.in_thread(one.path, self._bin.discard, one)
        ]

    async def oldest(self, size: int, files: int) -> Sequence[TrashedFile]:
        """Return the oldest files that make up so much, or all there are."""
        order = self._order()
        taken = order.take(size, files)
        if not taken:
            order.begin()
            order.fill(await self._view.in_thread(ROOT, self._bin.own, ROOT))
            taken = order.take(size, files)
        return taken

    def take_freed(self) -> tuple[int, int]:
        """Return what was removed to make room for other versions."""
        return self._view.freed.take()

    def _order(self) -> TrashOrder:
        orders, name = self._view.served.trash_orders, self._view.trash_name
        order = orders.setdefault(name, TrashOrder())
        orders.move_to_end(name)
        if len(orders) > MAX_ORDERS:
            orders.popitem(last=False)
        return order


def remove_expired(view: BucketView) -> int:
    """Remove what has expired below the root of ``view``, of all accounts; blocks."""
    now = view.served.seconds()
    expired = [one.key for one in items_below(view, ROOT) if one.shown.expires <= now]
    for start in range(0, len(expired), MAX_DELETED):
        view.bucket.delete_many(expired[start : start + MAX_DELETED])
    return len(expired)
