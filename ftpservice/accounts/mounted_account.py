"""The storages of an account with mounts, each charged to the quotas that it counts for.

The quota of the account holds for its root and its mounts together. A read-only mount does not
count: the account can neither add to it nor remove anything.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.backends.mounts.mount_table import MountedPart, Opened
from ftpservice.storage.links import without_links
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.account_tree import AccountTree, OpenStorage
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.counted_tree import ACCOUNT_KIND
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.trash import TrashRule, with_trash
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["OpenRoot", "account_tree", "limits_of", "mounted_parts", "not_following"]

OpenRoot = Callable[[str, str, str], Coroutine[Any, Any, Opened]]
"""Opens a root for an owner and, if it is not shared, for a holder; raises `StorageError`."""


def limits_of(record: AccountRecord) -> QuotaLimits:
    """Return the quota of an account."""
    return QuotaLimits(record.quota_bytes, record.quota_files)


def not_following(open_root: OpenRoot) -> OpenRoot:
    """Return what opens the same storages, which follow no links; raises `Unavailable` too."""

    async def opened(root: str, owner: str, holder: str) -> Opened:
        storage, place = await open_root(root, owner, holder)
        return without_links(storage), place

    return opened


def keeping(
    open_root: OpenRoot, rule: TrashRule, root: str, owner: str, holder: str
) -> OpenStorage:
    """Return what opens a storage that keeps what is deleted; raises `NotSupported` too."""

    async def opened() -> Opened:
        storage, place = await open_root(root, owner, holder)
        return with_trash(storage, rule), place

    return opened


def mounted_parts(
    record: AccountRecord, book: QuotaBook | None, open_root: OpenRoot
) -> list[MountedPart]:
    """Return the root of an account, and then its mounts; a quota needs ``book``."""
    whole: AccountTree | None = None
    if book is not None and limits_of(record) != NO_LIMITS:
        whole = account_tree(record, book, open_root)
        book.set_limits(whole.tree, record.name, limits_of(record))
    parts: list[MountedPart] = []
    for path, is_read_only, opens in _storages(record, open_root):
        if not is_read_only and book is not None:
            number = sum(not part.read_only for part in parts)
            opens = _metered(opens, record, book, whole, number)
        parts.append(MountedPart(path, opens, is_read_only))
    return parts


def account_tree(record: AccountRecord, book: QuotaBook, open_root: OpenRoot) -> AccountTree:
    """Return what the quota of an account with mounts counts."""
    writable = [opens for _path, read_only, opens in _storages(record, open_root) if not read_only]
    return AccountTree(
        book, (ACCOUNT_KIND, record.name, record.root, repr(record.mounts)), writable
    )


def _storages(
    record: AccountRecord, open_root: OpenRoot
) -> list[tuple[VirtualPath, bool, OpenStorage]]:
    def opener(root: str, holder: str, own: TrashRule | None = None) -> OpenStorage:
        rule = record.trash if own is None else own
        if rule is None or not rule.seconds:
            return lambda: open_root(root, record.files_owner, holder)
        return keeping(open_root, rule, root, record.files_owner, holder)

    mounted = [
        (
            VirtualPath.parse(mount.path),
            mount.read_only,
            opener(mount.storage, f"{record.name}:{mount.path}", mount.trash),
        )
        for mount in record.mounts
    ]
    return [(ROOT, False, opener(record.root, record.name)), *mounted]


def _metered(
    opens: OpenStorage,
    record: AccountRecord,
    book: QuotaBook,
    whole: AccountTree | None,
    number: int,
) -> OpenStorage:
    """Return what opens the same storage, charged to the quotas of the account and of others.

    ``number`` is its own among those that the account's quota counts.
    """

    async def opened() -> Opened:
        storage, place = await opens()
        if whole is not None:
            whole.use(number, place)
        elif not (record.shares_quota or book.roots.overlaps(place)):
            return storage, place
        tree = whole.tree if whole is not None else None
        account = QuotaAccount(storage, book, record.files_owner, place, limits_of(record), tree)
        return MeteredStorage(account), place

    return opened
