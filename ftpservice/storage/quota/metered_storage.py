"""A storage whose changes are charged to the ledgers of the trees that contain it.

What counts: the bytes of every file as SIZE counts them, and one for each file, directory, link and
kept partial upload below the root; a file with several names counts once for each. The use belongs
to the tree of the root, so accounts with the same root share it, and what lies below an inner root
counts for the outer one too. An account's quota limits what that account adds. What others add
counts, but is limited by their own quotas only. A rename within the account's tree is never
refused.

Reading methods are the inner storage's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from zope.interface import implementer

from ftpservice.concurrency.lock_wait import LockWait, after_lock
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import PathNotFound, QuotaExceeded, StorageError
from ftpservice.storage.interfaces import (
    IAccess,
    IEnter,
    IFreeSpace,
    IHashes,
    ILinks,
    IListing,
    IPartials,
    IReading,
    ISetMode,
    ISetTimes,
    IStorage,
    IWriting,
    PartialUpload,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.storage.links import lstat
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.count import count_tree, entry_usage, file_usage
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.ledgers.tree_record import RecordLocked
from ftpservice.storage.quota.ledgers.upload_charge import UploadCharge
from ftpservice.storage.quota.metered_append import MeteredAppend
from ftpservice.storage.quota.metered_trash import MeteredTrash
from ftpservice.storage.quota.metered_upload import MeteredUpload
from ftpservice.storage.quota.upload_room import UploadRoom, run_to_the_end
from ftpservice.storage.quota_interfaces import IQuota, QuotaState, TreeUsage
from ftpservice.storage.trash import ITrash
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["MeteredStorage"]

FORWARDED = (
    *(IAccess, IEnter, IHashes, ILinks, ISetTimes, ISetMode, IFreeSpace),
    IInterruptedUploads,
)
"""Optional interfaces that change no usage."""


@implementer(IStorage)
class MeteredStorage:
    """The storage of ``account``, whose changes are charged."""

    def __init__(self, account: QuotaAccount) -> None:
        inner = self._inner = account.storage
        self._limits = account.limits
        self._account = account
        for name in ("stat", "open_listing", "open_reading"):  # reading is not metered
            setattr(self, name, getattr(inner, name))

    def __conform__(self, interface: object) -> object:
        if interface in FORWARDED:
            return interface(self._inner, None)  # type: ignore[operator]
        if interface is IQuota:
            tree = self._account.tree
            return None if tree is None else _Quota(tree, self._limits)
        if interface is IPartials:
            partials = IPartials(self._inner, None)
            return None if partials is None else _MeteredPartials(partials, self._account)
        if interface is IConditionalRemoval:
            removal = IConditionalRemoval(self._inner, None)
            return None if removal is None else _MeteredRemoval(removal, self._account)
        if interface is ITrash:
            trash = ITrash(self._inner, None)
            return None if trash is None else MeteredTrash(trash, self._account)
        return None

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``."""
        return await self._inner.stat(path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Open a directory for reading."""
        return await self._inner.open_listing(path)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file."""
        return await self._inner.open_reading(path)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory, if there is room for another name."""
        account = self._account
        await account.when_counted(path)
        wait: LockWait | None = None
        while True:
            try:
                if await self._directory_made(path, mode):
                    return
                await account.find_room(path, 0, 1)
            except RecordLocked as error:
                wait = await after_lock(account.book.clock, error, wait)

    async def _directory_made(self, path: VirtualPath, mode: int) -> bool:
        """Create a directory; tell whether there was room for it."""
        account = self._account
        async with account.change(path):
            charge, made = account.charge(path), 0
            charge.has_partial = False
            try:
                if charge.try_grow(0, 1):
                    await self._inner.make_directory(path, mode)
                    made = 1
            finally:
                account.settle(charge, 0, made)
        return bool(made)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory, and with it the partial uploads in it."""
        account = self._account
        async with account.change(path):
            freed = TreeUsage(0, 0)
            if account.may_have_partials(path) and await self._is_empty(path):
                freed = await count_tree(self._inner, path)
            await self._inner.remove_directory(path)
            account.add(path, -freed.size, -freed.files - 1, -freed.partials)

    async def _is_empty(self, path: VirtualPath) -> bool:
        """Tell whether a directory has no entries but hidden ones."""
        try:
            listing = await self._inner.open_listing(path)
        except StorageError:
            return False
        try:
            return not await listing.next_batch()
        except StorageError:
            return False
        finally:
            listing.close()

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file or a link, and the owner's partial upload of it."""
        account = self._account
        async with account.change(path):
            there = await file_usage(self._inner, path)
            kept = await account.idle_partial(path)
            with _charging_freed(account):
                await self._inner.remove_file(path)
            if there is not None:
                account.add(path, -there.size, -there.files)
                if account.trash is not None:
                    account.trash.add(there.size, there.files)
            if account.book.uploads.has(account.owner, account.place(path)):
                account.doubt(path)  # it may have had a partial upload besides that one
            if kept:
                left = await account.idle_partial(path)
                account.add(path, left - kept, int(bool(left)) - 1, int(bool(left)) - 1)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename; what is moved between trees is counted before."""
        account = self._account
        async with account.change(source, target):
            try:
                moving = await lstat(self._inner, source)
                there = await self._replaced_by(moving, target)
            except StorageError:
                moving, there = None, None  # the rename fails too
            crossing = moving is not None and account.crosses(source, target)
            moved = TreeUsage(0, 0)
            if crossing and moving is not None:
                moved = entry_usage(moving)
                if moving.kind is Kind.DIRECTORY:
                    below = await count_tree(self._inner, source)
                    moved = TreeUsage(below.size, below.files + 1, below.partials)
            with _charging_freed(account):
                await self._inner.rename(source, target, replace)
            account.book.move_uploads(account.place(source), account.place(target))
            if there is not None:
                account.add(target, -there.size, -there.files)
                if account.trash is not None:
                    account.trash.add(there.size, there.files)
            if crossing:
                account.add(target, moved.size, moved.files, moved.partials)
                account.add(source, -moved.size, -moved.files, -moved.partials)

    async def _replaced_by(self, moving: Entry, target: VirtualPath) -> TreeUsage | None:
        """Return what a rename of ``moving`` to ``target`` will remove; None for nothing."""
        try:
            there = await lstat(self._inner, target)
        except PathNotFound:
            return None
        if moving.unique and there.unique == moving.unique:
            return None  # two names of one file: both stay
        return entry_usage(there)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload, if what is known of its size fits; raises `QuotaExceeded`, `Busy`."""
        account = self._account
        await account.when_counted(path)
        replaced: int | None = None
        wait: LockWait | None = None
        while True:
            try:
                writing = await self._begun(path, request, replaced)
                if writing is not None:
                    return writing
                # There is no room. An upload over a file needs the difference only.
                is_credit_new = replaced is None and request.write_mode is WriteMode.REPLACE
                replaced = await account.file_size(path) if is_credit_new else replaced
                if is_credit_new and replaced is not None:
                    continue
                expected = request.expected if request.announced is None else request.announced
                await account.find_room(path, request.offset + (expected or 0), 1)
            except RecordLocked as error:
                wait = await after_lock(account.book.clock, error, wait)

    async def _begun(
        self, path: VirtualPath, request: WriteRequest, replaced: int | None
    ) -> IWriting | None:
        """Begin an upload within a change of its name; None if there is no room."""
        account = self._account
        async with account.change(path):
            charge = account.charge(path)
            charge.will_replace(replaced)
            try:
                return await self._opened(path, request, charge)
            except BaseException:
                kept = await account.idle_partial(path, charge) if charge.taken_over else 0
                account.settle(charge, kept, int(bool(kept)))
                raise

    async def _opened(
        self, path: VirtualPath, request: WriteRequest, charge: UploadCharge
    ) -> IWriting | None:
        """Hold what the upload is known to need, and begin it; None, holding nothing, if no room.

        What is kept of an earlier upload to the name is resumed or replaced, so this one holds it.
        """
        account, mode = self._account, request.write_mode
        in_place = mode is WriteMode.APPEND and await account.file_size(path) is not None
        charge.is_in_place = in_place
        charge.has_partial = not in_place and mode is not WriteMode.UNIQUE
        account.book.uploads.mark(account.owner, charge)
        expected = request.expected if request.announced is None else request.announced
        wanted = request.offset + (expected or 0)
        # 1. Hold it.
        kept = (
            0 if in_place or mode is WriteMode.UNIQUE else await account.idle_partial(path, charge)
        )
        charge.take_over(kept, int(bool(kept)))
        if mode is WriteMode.APPEND:  # it resumes all that is kept
            wanted += kept
        if not charge.try_grow(max(0, wanted - kept), 0 if kept or in_place else 1):
            account.settle(charge, kept, int(bool(kept)))
            return None
        # 2. Begin the upload, and remove what is kept if it was not resumed.
        writing = await self._inner.open_writing(path, request)
        charge.reserved = wanted
        if kept:
            await _drop_if_idle(self._inner, path, writing)
            account.add(path, 0, 0, -1)
            charge.shrink_to(wanted)
        room = UploadRoom(account, charge, path, mode)
        return MeteredAppend(writing, room) if in_place else MeteredUpload(writing, request, room)


async def _drop_if_idle(storage: IStorage, path: VirtualPath, writing: IWriting) -> None:
    """Remove the partial upload of ``path``, unless ``writing`` has resumed it."""
    try:
        with suppress(StorageError):
            await IPartials(storage).drop_partials(path)
    except BaseException:
        await writing.abandon()
        raise


@contextmanager
def _charging_freed(account: QuotaAccount) -> Iterator[None]:
    """Charge what the trash has lost for a change that failed nevertheless."""
    try:
        yield
    except BaseException:
        if account.trash is not None:
            account.trash.add(0, 0)
        raise


@implementer(IQuota)
class _Quota:
    """The quota of an account and its use."""

    def __init__(self, tree: CountedTree, limits: QuotaLimits) -> None:
        self._tree = tree
        self._limits = limits

    async def quota_state(self) -> QuotaState:
        """Return the quota and its use."""
        return await self._tree.state(self._limits)

    def check_size(self, size: int) -> None:
        """Raise `QuotaExceeded` for a file that would not fit even if there were no others."""
        if self._limits.size is not None and size > self._limits.size:
            raise QuotaExceeded(VirtualPath(), f"larger than the quota of {self._limits.size}")


@implementer(IConditionalRemoval)
class _MeteredRemoval:
    """The removal of what nobody has touched, which frees what that took up."""

    def __init__(self, removal: IConditionalRemoval, account: QuotaAccount) -> None:
        self._removal = removal
        self._account = account

    async def remove_unchanged(self, path: VirtualPath, entry: Entry) -> None:
        """Remove a file or a directory; completes even if cancelled."""
        await run_to_the_end(self._remove(path, entry))

    async def _remove(self, path: VirtualPath, entry: Entry) -> None:
        account = self._account
        async with account.change(path):
            await self._removal.remove_unchanged(path, entry)
            freed = entry_usage(entry)
            account.add(path, -freed.size, -freed.files)


@implementer(IPartials)
class _MeteredPartials:
    """The partial uploads, whose removal frees what they take up."""

    def __init__(self, partials: IPartials, account: QuotaAccount) -> None:
        self._partials = partials
        self._account = account

    async def partial(self, path: VirtualPath) -> Entry:
        """Return the entry of a partial upload."""
        entry: Entry = await self._partials.partial(path)
        return entry

    async def all_partials(self, everybody: bool = False) -> Sequence[PartialUpload]:
        """Return the partial uploads below the root."""
        found: Sequence[PartialUpload] = await self._partials.all_partials(everybody)
        return found

    async def drop_partials(
        self, path: VirtualPath | None = None, everybody: bool = False
    ) -> Sequence[PartialUpload]:
        """Remove partial uploads, except those under way."""
        account = self._account
        async with account.change(VirtualPath(("",)) if path is None else path):
            dropped: Sequence[PartialUpload] = await self._partials.drop_partials(path, everybody)
            for one in dropped:
                if one.size:
                    account.add(one.path, -one.size, -1, -1)
        return dropped
