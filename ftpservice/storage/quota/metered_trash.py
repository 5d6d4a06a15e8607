"""The trash of an account whose changes are charged: its files count until they are removed."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.account_trash import TRASH_PLACE
from ftpservice.storage.quota.count import file_usage
from ftpservice.storage.quota.upload_room import run_to_the_end
from ftpservice.storage.trash import ITrash, TrashedFile, WrappedTrash
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["MeteredTrash"]


class MeteredTrash(WrappedTrash):
    """``inner``, the trash of ``account``."""

    def __init__(self, inner: ITrash, account: QuotaAccount) -> None:
        super().__init__(inner)
        self._account = account

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Give a file of the trash a name; completes even if cancelled."""
        return await run_to_the_end(self._restore(trashed, target, replace))

    async def _restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        account = self._account
        async with account.change(TRASH_PLACE, target):
            there = await file_usage(account.storage, target) if replace else None
            entry: Entry = await self._inner.restore(trashed, target, replace)
            account.add(TRASH_PLACE, -trashed.size, -1)
            account.add(target, trashed.size, 1)
            if there is not None:
                account.add(target, -there.size, -there.files)
                if account.trash is not None:
                    account.trash.add(there.size, there.files)
        return entry

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files of the trash for good; completes even if cancelled."""
        return await run_to_the_end(self._account.account_trash(self._inner).discard(trashed))

    def take_freed(self) -> tuple[int, int]:
        """Return nothing: it has been charged."""
        return 0, 0
