"""An upload that holds its bytes in the ledgers before it writes them.

What it holds becomes settled when it ends: the size of the file that was published, less that of
the file which it replaced, or what is kept of an interrupted one. Nothing is kept of an upload that
the quota has no room for, nor of one that had room only because it would have replaced a file.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from zope.interface import implementer

from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.errors import StorageError
from ftpservice.storage.gates import IHeldUpload
from ftpservice.storage.interfaces import (
    IBatchCommit,
    IPartials,
    ISpliceTarget,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.quota.change import Change
from ftpservice.storage.quota.count import partial_size
from ftpservice.storage.quota.upload_room import UploadRoom, run_to_the_end
from ftpservice.storage.quota_interfaces import IReplacing, ISettledCommit
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["MeteredUpload"]

T = TypeVar("T")


@implementer(IWriting)
class MeteredUpload:
    """``inner``, the upload that ``room`` is for."""

    def __init__(self, inner: IWriting, request: WriteRequest, room: UploadRoom) -> None:
        self.offset: int = inner.offset
        self.inner = inner
        self.room = room
        self.position = self.offset
        """Bytes in the file under way."""
        self.has_ended = False
        self._mode = request.write_mode
        account, charge = room.account, room.charge
        self._is_contended = account.book.uploads.has(account.owner, charge.place, charge)

    @property
    def path(self) -> VirtualPath:
        """The name that it will be published under."""
        path: VirtualPath = self.inner.path
        return path

    def __conform__(self, interface: object) -> object:
        if interface is IHeldUpload:
            return IHeldUpload(self.inner, None)
        if interface is ISpliceTarget:
            target = ISpliceTarget(self.inner, None)
            return None if target is None else _MeteredTarget(self, target)
        if interface is IBatchCommit:
            ready = IBatchCommit(self.inner, None)
            must_read = self.room.charge.replaced is not None or not IReplacing.providedBy(
                self.inner
            )
            return None if ready is None or must_read else _MeteredBatchCommit(self, ready)
        return None

    async def write(self, data: bytes) -> None:
        """Write ``data`` if there is room for all of it; raises `QuotaExceeded`."""
        if not self.has_ended:
            end = self.position + len(data)
            if end > self.room.charge.size:
                await self.room.hold(end)
            self.position = end
        await self.inner.write(data)

    async def commit(self) -> Entry:
        """Publish the file; completes even if cancelled, so that the ledgers are right."""
        if self.has_ended:
            entry: Entry = await self.inner.commit()  # raises
            return entry
        self.has_ended = True
        return await run_to_the_end(self._commit())

    async def _commit(self) -> Entry:
        room, replaced = self.room, None
        async with room.account.change(room.path):
            try:
                await room.check_credit()
                if self._mode is WriteMode.REPLACE and not IReplacing.providedBy(self.inner):
                    replaced = await room.account.file_size(room.path)
                entry: Entry = await self.inner.commit()
            except BaseException:
                await self.settle_abandoned()
                raise
            self.settle_published(entry, replaced)
        if room.account.trash is not None:
            await room.account.trash.trim()
        return entry

    def settle_published(self, entry: Entry, replaced: int | None = None) -> None:
        """Settle what is published, and what was replaced if the storage does not tell."""
        account, charge = self.room.account, self.room.charge
        if IReplacing.providedBy(self.inner):
            replaced = self.inner.replaced_size
        if replaced is None:
            account.settle(charge, entry.size, 1)
        else:  # in one step: the other file is gone already
            if account.trash is not None:
                account.trash.add(replaced, 1)
            account.settle(charge, entry.size - replaced, 0)
        self._doubt_if_contended()

    async def abandon(self) -> None:
        """End without publishing; completes even if cancelled.

        After a commit whose caller was cancelled, wait until that has ended.
        """
        if self.has_ended:
            async with self.room.account.change(self.room.path):
                return
        self.has_ended = True
        await run_to_the_end(self._abandon())

    async def _abandon(self) -> None:
        async with self.room.account.change(self.room.path):
            await self.settle_abandoned()

    async def settle_abandoned(self) -> None:
        """End the transaction, and settle what is kept of it; that has to fit as well."""
        room, path = self.room, self.room.path
        account, charge = room.account, room.charge
        try:
            await self.inner.abandon()
        finally:
            if account.trash is not None:
                account.trash.add(0, 0)  # a commit that failed may have made room in it
            kept = await self._kept_size()
            charge.will_replace(None)
            charge.shrink_to(kept)
            if kept and (room.is_exceeded or charge.is_exceeded):
                with suppress(StorageError):
                    await IPartials(account.storage).drop_partials(path)
                kept = await self._kept_size()
            account.settle(charge, kept, int(bool(kept)))
            account.book.add(charge.place, 0, 0, int(bool(kept)))
            self._doubt_if_contended()

    def _doubt_if_contended(self) -> None:
        """Have the tree counted after two uploads to one name: which one is kept is not known."""
        account, charge = self.room.account, self.room.charge
        if self._is_contended or account.book.uploads.has(account.owner, charge.place):
            account.doubt(self.room.path)

    async def _kept_size(self) -> int:
        """Return the bytes that are kept of this upload."""
        account, charge = self.room.account, self.room.charge
        is_empty = not self.position and not charge.taken_over
        if is_empty or self._mode is WriteMode.UNIQUE:
            return 0
        if account.book.uploads.has(account.owner, charge.place, charge):
            return 0  # that one may keep its bytes
        return await partial_size(account.storage, self.room.path)


@implementer(ISpliceTarget)
class _MeteredTarget:
    """An upload that threads write to, in turns of as many bytes as it holds."""

    def __init__(self, writing: MeteredUpload, target: ISpliceTarget) -> None:
        self._writing = writing
        self._target = target

    async def with_descriptor(self, function: Callable[..., T]) -> T:
        """Call ``function`` with the descriptor and ``most``; raises `QuotaExceeded`.

        With no room left it may write one byte, which then is one too many: only so can it tell
        that the upload has ended. Under TLS it writes whole records. What is too much is in the
        partial upload, which is removed.
        """
        writing, room, charge = self._writing, self._writing.room, self._writing.room.charge
        free, has_begun = charge.size - writing.position, False
        if free <= 0:
            free = await room.hold_for_turn()
            has_begun = free > 0
        ledgers = list(charge.ledgers)  # others may take their place meanwhile
        for ledger in () if has_begun else ledgers:
            ledger.begin_turn()
        try:
            result: Any = await self._target.with_descriptor(partial(function, most=max(1, free)))
            writing.position += result[0]
            charge.shrink_to(max(writing.position, charge.reserved))
        finally:  # after an error the thread may still write; all is held to the end then
            for ledger in ledgers:
                ledger.end_turn()
        await room.hold(writing.position)
        return result  # type: ignore[no-any-return]


@implementer(ISettledCommit)
class _MeteredBatchCommit:
    """The commit of an upload in a batch, within a change of its name."""

    def __init__(self, writing: MeteredUpload, ready: Any) -> None:
        self._writing = writing
        self._ready = ready
        self._change: Change | None = None
        self.pool: BlockingRunner = ready.pool

    def begin(self) -> bool:
        """Prepare the commit, if that takes no waiting; tell whether it does not."""
        writing = self._writing
        change = writing.room.account.change(writing.room.path)
        if writing.has_ended or not change.try_enter():
            return False
        self._change, writing.has_ended = change, True
        return True

    def commit_in_thread(self) -> Entry:
        """Publish the file."""
        entry: Entry = self._ready.commit_in_thread()
        return entry

    async def end(self, outcome: Entry | StorageError) -> None:
        """Settle what was published or kept."""
        assert self._change is not None
        try:
            if isinstance(outcome, Entry):
                self._writing.settle_published(outcome)
            else:
                await self._writing.settle_abandoned()
        finally:
            self._change.leave()
        if self._writing.room.account.trash is not None:
            await self._writing.room.account.trash.trim()
