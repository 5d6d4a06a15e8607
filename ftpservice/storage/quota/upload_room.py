"""Room for the bytes of one upload: held before they are written."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from ftpservice.concurrency.lock_wait import LockWait, after_lock
from ftpservice.concurrency.task import Task
from ftpservice.storage.errors import QuotaExceeded
from ftpservice.storage.interfaces import WriteMode
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.ledgers.tree_record import RecordLocked
from ftpservice.storage.quota.ledgers.upload_charge import UploadCharge
from ftpservice.wire.paths import VirtualPath

__all__ = ["UploadRoom", "run_to_the_end"]

T = TypeVar("T")

BYTES_PER_TURN = 16 << 20
"""Bytes that are held for one turn of a thread; what it does not use is given back."""


class UploadRoom:
    """What an upload to ``path`` holds in ``charge``, and may hold."""

    def __init__(
        self, account: QuotaAccount, charge: UploadCharge, path: VirtualPath, mode: WriteMode
    ) -> None:
        self.account = account
        self.charge = charge
        self._path = path
        self.is_exceeded = False
        """Whether the upload was refused for lack of room: nothing of it is kept."""
        self._mode = mode

    @property
    def path(self) -> VirtualPath:
        """Where the upload is, also after its directory was renamed.

        Outside the account's tree, the path that it had.
        """
        root, place = self.account.root, self.charge.place
        if place[: len(root)] == root:
            return VirtualPath(tuple(map(str, place[len(root) :])))
        return self._path

    async def hold(self, size: int) -> None:
        """Hold ``size`` bytes, or more; raises `QuotaExceeded`."""
        wait: LockWait | None = None
        while True:
            try:
                if self.charge.try_grow(size - self.charge.size):
                    return
                if not await self._found_credit():
                    await self.account.find_room(self.path, size - self.charge.size)
            except QuotaExceeded:
                self.is_exceeded = True
                raise
            except RecordLocked as error:
                wait = await after_lock(self.account.book.clock, error, wait)

    async def hold_for_turn(self) -> int:
        """Hold more, as much as there is room for and a turn can use; return it, 0 for nothing.

        The turn has begun in the ledgers, unless it is nothing.
        """
        wait: LockWait | None = None
        while True:
            try:
                if size := self.charge.grow_up_to(BYTES_PER_TURN):
                    return size
                if not await self._found_credit():
                    await self.account.find_room(self.path, 1)
            except QuotaExceeded:
                return 0
            except RecordLocked as error:
                wait = await after_lock(self.account.book.clock, error, wait)

    async def _found_credit(self) -> bool:
        """Look for the file that will be replaced; tell whether it was not known before."""
        charge = self.charge
        if charge.replaced is not None or self._mode is not WriteMode.REPLACE:
            return False
        charge.will_replace(await self.account.file_size(self.path))
        return charge.replaced is not None

    async def check_credit(self) -> None:
        """Raise `QuotaExceeded` if the file that makes room for this one has changed or gone."""
        charge = self.charge
        if charge.replaced is not None:
            charge.will_replace(await self.account.file_size(self.path))
            if charge.is_exceeded:
                self.is_exceeded = True
                raise QuotaExceeded(self.path, "the file that it replaces has changed")


async def run_to_the_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine, which runs to its end even if the wait is cancelled."""
    task = Task(coroutine)
    if task.ended:
        return await task
    waiter: Deferred[T] = Deferred()
    task.done.chainDeferred(waiter)
    return await waiter
