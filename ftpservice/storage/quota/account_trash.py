"""The trash of an account and its quota: files count there until they are removed for good.

When room is needed, the oldest files of the trash go first. So the trash is never the reason for
which an upload is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.storage.errors import StorageError
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.change import Change
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers.ledger import Place, QuotaLimits
from ftpservice.storage.trash import ITrash, TrashedFile
from ftpservice.wire.paths import VirtualPath

__all__ = ["TRASH_PLACE", "AccountTrash"]

TRASH_PLACE = VirtualPath(("",))
"""Where files of the trash count: in the root of the account, under no name of a file."""


class AccountTrash:
    """``trash``, whose files count at ``place`` and for the limits of ``tree``, if there is one."""

    def __init__(
        self,
        trash: ITrash,
        book: QuotaBook,
        place: Place,
        tree: CountedTree | None,
        limits: QuotaLimits,
    ) -> None:
        self._trash = trash
        self._book = book
        self._place = place
        self._tree = tree
        self._limits = limits

    def add(self, size: int, files: int) -> None:
        """Record that a file that was removed from its place is in the trash now."""
        freed = self._trash.take_freed()
        self._book.add(self._place, size - freed[0], files - freed[1])

    async def discard(self, files: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files for good; they take up nothing any more."""
        gone: list[TrashedFile] = []
        async with Change(self._book.changes, self._place):
            for file in files:  # one by one: an error leaves those before it charged
                gone += await self._discard(file)
        return gone

    async def _discard(self, file: TrashedFile) -> Sequence[TrashedFile]:
        try:
            gone: Sequence[TrashedFile] = await self._trash.discard([file])
        except BaseException:  # it may be gone all the same
            for tree in self._book.roots.around(self._place):
                tree.doubt()
            raise
        if gone:
            self._book.add(self._place, -file.size, -1)
        return gone

    async def free(self, size: int, files: int) -> bool:
        """Remove the oldest files until they make up so much; tell whether there was any.

        Others may remove the same ones meanwhile, which makes room as well. One that cannot be
        removed is left out. Not to be called within a change.
        """
        stuck: list[TrashedFile] = []
        has_freed, seen = False, set[str]()
        while size > 0 or files > 0:
            stuck_size = sum(one.size for one in stuck)
            oldest = await self._trash.oldest(size + stuck_size, files + len(stuck))
            found = [one for one in oldest if one.id not in seen]
            if not found:
                break
            for one in found:
                if size <= 0 and files <= 0:
                    break
                seen.add(one.id)
                gone = await self._removed(one)
                if gone is None:
                    stuck.append(one)
                else:
                    has_freed = True
                    size, files = size - one.size * gone, files - gone
        return has_freed

    async def _removed(self, file: TrashedFile) -> bool | None:
        """Remove a file for good; tell whether it was there. None if it cannot be removed."""
        try:
            return bool(await self.discard([file]))
        except StorageError:
            return None

    async def trim(self) -> None:
        """Remove the oldest files while the quota is exceeded."""
        if self._tree is not None:
            left = self._limits.left(*self._tree.ledger.used())
            size, files = (0 if one is None else -one for one in left)
            if size > 0 or files > 0:
                await self.free(size, files)
