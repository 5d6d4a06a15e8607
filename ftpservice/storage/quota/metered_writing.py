"""An upload that holds its bytes in the ledgers before it writes them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.errors import QuotaExceeded, StorageError
from ftpservice.storage.interfaces import (
    IBatchCommit,
    IPartials,
    IRetractableWriting,
    ISpliceTarget,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import Change
from ftpservice.storage.quota.count import partial_size
from ftpservice.storage.quota.ledger import UploadCharge
from ftpservice.storage.quota_interfaces import IReplacing, ISettledCommit
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["MeteredWriting"]

T = TypeVar("T")

BYTES_PER_TURN = 16 << 20
"""Bytes that are held for one turn of a thread; what it does not use is given back."""


@implementer(IWriting)
class MeteredWriting:
    """``inner``, an upload whose ``charge`` holds the bytes that are expected.

    ``in_place``: it appends to a file that others see, so what it adds is settled at once.
    """

    def __init__(
        self,
        inner: IWriting,
        account: QuotaAccount,
        request: WriteRequest,
        charge: UploadCharge,
        in_place: bool = False,
    ) -> None:
        self.offset: int = inner.offset
        self.inner = inner
        self.account = account
        self.charge = charge
        self._place: VirtualPath = inner.path
        self._request = request
        self._in_place = in_place
        self.position = 0 if in_place else self.offset
        """Bytes in the file under way; of an append, those added."""
        self._is_over_quota = self._ended = False
        self._is_contended = account.book.has_upload(account.owner, charge.place, charge)

    @property
    def path(self) -> VirtualPath:
        """The name that it will be published under."""
        path: VirtualPath = self.inner.path
        return path

    def __conform__(self, interface: object) -> object:
        if interface is ISpliceTarget:
            target = None if self._in_place else ISpliceTarget(self.inner, None)
            return None if target is None else _MeteredTarget(self, target)
        if interface is IRetractableWriting:
            retractable = IRetractableWriting(self.inner, None)
            return None if retractable is None else _MeteredRetraction(self, retractable)
        if interface is IBatchCommit:
            return self._batch_commit()
        return None

    async def write(self, data: bytes) -> None:
        """Write ``data`` if there is room for all of it; raises `QuotaExceeded`."""
        size = len(data)
        if self._ended:
            await self.inner.write(data)  # raises
        elif self._in_place:
            await self.hold(size)
            async with self.change():
                await self._append(data)
        else:
            end = self.position + size
            if end > self.charge.size:
                await self.hold(end)
            self.position = end
            await self.inner.write(data)

    async def hold(self, size: int) -> None:
        """Hold ``size`` bytes, or more; raises `QuotaExceeded`, and keeps no partial then."""
        charge, account = self.charge, self.account
        while not charge.try_grow(size - charge.size):
            if not await self.found_credit():
                try:
                    await account.find_room(self._place)
                except QuotaExceeded:
                    self._is_over_quota = True
                    raise

    async def found_credit(self) -> bool:
        """Look for the file that will be replaced; tell whether it was not known before."""
        charge = self.charge
        if charge.replaced is not None or self._request.write_mode is not WriteMode.REPLACE:
            return False
        charge.will_replace(await self.account.file_size(self._place))
        return charge.replaced is not None

    async def grow_for_turn(self) -> int:
        """Hold as much as there is room for, up to `BYTES_PER_TURN`; return it, 0 for nothing."""
        while not (size := self.charge.grow_up_to(BYTES_PER_TURN)):
            if not await self.found_credit():
                try:
                    await self.account.find_room(self._place)
                except QuotaExceeded:
                    break
        return size

    async def _append(self, data: bytes) -> None:
        try:
            await self.inner.write(data)
        except StorageError:
            self.account.doubt(self._place)  # some of it may be in the file
            raise
        except BaseException:  # cancelled: the end of the transaction writes it
            self._settle_appended(len(data))
            raise
        self._settle_appended(len(data))

    def _settle_appended(self, size: int) -> None:
        self.charge.settle_part(size)
        self.position += size

    def give_back(self) -> None:
        """Hold no more than what is written or expected."""
        self.charge.shrink_to(max(self.position, self.charge.reserved))

    def change(self) -> Change:
        """Return a change of the name, to be entered."""
        return self.account.change(self._place)

    async def commit(self) -> Entry:
        """Publish the file; goes on if the call is cancelled, so that the ledgers are right."""
        if self._ended:
            entry: Entry = await self.inner.commit()  # raises
            return entry
        self._ended = True
        return await _to_the_end(self._commit())

    async def _commit(self) -> Entry:
        async with self.change():
            try:
                await self._check_replaced()
                replaced = await self._replaced_before()
                entry: Entry = await self.inner.commit()
            except BaseException as error:
                await self._abandon(error)
                raise
            self._published(entry, replaced)
            return entry

    async def _check_replaced(self) -> None:
        """Raise `QuotaExceeded` if the file that makes room for this one has changed or gone."""
        charge = self.charge
        if charge.replaced is not None:
            charge.will_replace(await self.account.file_size(self._place))
            if charge.is_exceeded:
                self._is_over_quota = True
                raise QuotaExceeded(self._place, "the file that it replaces has changed")

    async def _replaced_before(self) -> int | None:
        """Return the size of the file to be replaced, if only this wrapper can tell."""
        if IReplacing.providedBy(self.inner) or self._request.write_mode is not WriteMode.REPLACE:
            return None
        return await self.account.file_size(self._place)

    def _published(self, entry: Entry, replaced: int | None) -> None:
        """Settle what is published, and what was replaced."""
        if self._in_place:
            self.account.settle(self.charge)
            return
        if IReplacing.providedBy(self.inner):
            replaced = self.inner.replaced_size
        self.account.settle(self.charge, entry.size, 1)
        if replaced is not None:
            self.account.book.add(self.charge.place, -replaced, -1)

    async def abandon(self) -> None:
        """End without publishing; goes on if the call is cancelled."""
        if not self._ended:
            self._ended = True
            await _to_the_end(self._abandon_in_change())

    async def _abandon_in_change(self) -> None:
        async with self.change():
            await self._abandon(None)

    async def _abandon(self, error: BaseException | None) -> None:
        """End the transaction, and settle what is kept of it; that has to fit as well."""
        account, charge = self.account, self.charge
        try:
            await self.inner.abandon()
        finally:
            if self._in_place:
                account.settle(charge)
                if error is not None:
                    account.doubt(self._place)  # the file may have been removed meanwhile
            else:
                await self._settle_kept()

    async def _settle_kept(self) -> None:
        account, charge, path = self.account, self.charge, self._place
        kept = 0
        may_keep = self.position and self._request.write_mode is not WriteMode.UNIQUE
        if may_keep and not account.book.has_upload(account.owner, charge.place, charge):
            kept = await partial_size(account.storage, path)
        charge.will_replace(None)
        charge.shrink_to(kept)
        if kept and (self._is_over_quota or charge.is_exceeded):
            try:
                await IPartials(account.storage).drop_partials(path)
                kept = 0
            except StorageError:
                account.doubt(path)
        account.settle(charge, kept, int(bool(kept)))
        if kept:
            account.book.add(charge.place, 0, 0, 1)
        if self._is_contended:
            account.doubt(path)  # two uploads to one name: which of them was kept is not known

    def _batch_commit(self) -> _MeteredBatchCommit | None:
        """Return what commits in a batch, if nothing has to be read before."""
        ready = IBatchCommit(self.inner, None)
        if ready is None or self._ended or self._in_place or self.charge.replaced is not None:
            return None
        return _MeteredBatchCommit(self, ready) if IReplacing.providedBy(self.inner) else None

    def begin_batch(self) -> Change | None:
        """Enter the change of a commit in a batch, if that takes no waiting."""
        change = self.change()
        self._ended = change.try_enter()
        return change if self._ended else None

    async def end_batch(self, outcome: Entry | StorageError) -> None:
        """Settle what was published or kept."""
        if isinstance(outcome, Entry):
            self._published(outcome, None)
        else:
            await self._abandon(outcome)


async def _to_the_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine, which runs to its end if the wait is cancelled."""
    task = Task(coroutine)
    if not task.ended:
        waiter: Deferred[T] = Deferred()
        task.done.chainDeferred(waiter)
        return await waiter
    return await task


@implementer(ISpliceTarget)
class _MeteredTarget:
    """An upload that threads write to, in turns of as many bytes as it holds."""

    def __init__(self, writing: MeteredWriting, target: ISpliceTarget) -> None:
        self._writing = writing
        self._target = target

    async def with_descriptor(self, function: Callable[..., T]) -> T:
        """Call ``function`` with the descriptor and ``most``; raises `QuotaExceeded`.

        With no room left it may write one byte, which then is one too many: only so can it tell
        that the upload has ended. Under TLS it writes whole records. What is too much is in the
        partial upload, which is removed.
        """
        writing, charge = self._writing, self._writing.charge
        free = charge.size - writing.position
        if free <= 0:
            free = await writing.grow_for_turn()
        charge.begin_turn()
        try:
            result: Any = await self._target.with_descriptor(partial(function, most=max(1, free)))
            writing.position += result[0]
            writing.give_back()
        finally:  # after an error the thread may still write; all is held to the end then
            charge.end_turn()
        await writing.hold(writing.position)
        return result  # type: ignore[no-any-return]


@implementer(IRetractableWriting)
class _MeteredRetraction:
    """An append that can be undone."""

    def __init__(self, writing: MeteredWriting, retractable: IRetractableWriting) -> None:
        self._writing = writing
        self._retractable = retractable

    async def retract(self) -> bool:
        """Remove what was appended."""
        writing = self._writing
        async with writing.change():
            is_done: bool = await self._retractable.retract()
            if is_done:
                writing.account.book.add(writing.charge.place, -writing.position, 0)
                writing.position = 0
        return is_done


@implementer(ISettledCommit)
class _MeteredBatchCommit:
    """A commit in a batch."""

    def __init__(self, writing: MeteredWriting, ready: Any) -> None:
        self._writing = writing
        self._ready = ready
        self._change: Change | None = None
        self.pool: BlockingRunner = ready.pool

    def begin(self) -> bool:
        """Prepare the commit, if that takes no waiting; tell whether it does not."""
        self._change = self._writing.begin_batch()
        return self._change is not None

    def commit_in_thread(self) -> Entry:
        """Publish the file."""
        entry: Entry = self._ready.commit_in_thread()
        return entry

    async def end(self, outcome: Entry | StorageError) -> None:
        """Settle what was published or kept."""
        change = self._change
        if change is not None:
            self._change = None
            try:
                await self._writing.end_batch(outcome)
            finally:
                change.leave()
