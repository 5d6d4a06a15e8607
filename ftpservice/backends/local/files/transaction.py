"""Write transactions on the disk: the side that callers see, whose work is done in a pool."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import TypeVar, TypeVarTuple

from zope.interface import implementer, implementer_only

from ftpservice.backends.local.files.append import LocalAppend
from ftpservice.backends.local.files.lazy import LazyUpload, lazy_upload_for
from ftpservice.backends.local.files.opening import begin_writing
from ftpservice.backends.local.files.request import LocalUpload, UploadRequest
from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import StorageError, Unavailable
from ftpservice.storage.interfaces import (
    IBatchCommit,
    IDescriptor,
    IRetractableWriting,
    ISpliceTarget,
    IWriting,
)
from ftpservice.storage.os_errors import translate
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["LocalWriter", "open_writing"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the kernel says where no more of a file may be written: `NoSpace`, `QuotaExceeded`."""
MAX_PENDING_BYTES = 64 * 1024
"""Bytes of a new file that wait in memory for more to be written with them."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class LockedUpload:
    """An upload or append, used by one thread at a time and ended once.

    What is to be written waits in ``pending`` and is taken from there, in its order, by whatever
    call is the next: also by `abandon`, when the call that was made for it never began.
    """

    def __init__(self, inner: LocalUpload | LocalAppend | LazyUpload) -> None:
        self.inner = inner
        self.ended = False
        self.pending: deque[bytes] = deque()
        self._is_torn = False
        self._lock = Lock()

    def prepare(self) -> bool:
        """Copy some of what it goes on from; tells whether there is more to copy."""
        with self._lock:
            self._check_open()
            try:
                return self._begun().prepare()
            except BaseException as error:
                self._drop_if_full(error)
                raise

    def write(self) -> None:
        """Write all that is pending."""
        with self._lock:
            self._check_open()
            self._begun().mark()
            self._write()

    def lend(self, function: Callable[[int], T]) -> T:
        """Write all that is pending, then call ``function`` with the descriptor."""
        with self._lock:
            self._check_open()
            self._begun().mark()
            self._write()
            try:
                return function(self._begun().descriptor)
            except BaseException as error:
                self._drop_if_full(error)
                raise

    def _write(self) -> None:
        pieces = []
        while self.pending:
            pieces.append(self.pending.popleft())
        if self._is_torn:
            raise Unavailable(self.inner.path, "what came before could not be written")
        try:
            if pieces:
                self._begun().write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        except BaseException as error:
            self._is_torn = True
            self._drop_if_full(error)
            raise

    def _drop_if_full(self, error: BaseException) -> None:
        """Keep no partial where space was the reason: it would keep the disk full, unseen."""
        is_full = isinstance(error, OSError) and error.errno in FULL
        if is_full and not isinstance(self.inner, LazyUpload):
            self.inner.lose()

    def _begun(self) -> LocalUpload | LocalAppend:
        if isinstance(self.inner, LazyUpload):
            self.inner = self.inner.begin()
        return self.inner

    def retract(self) -> bool:
        """Take back what was appended, if nobody else has appended since."""
        with self._lock:
            self._check_open()
            self._write()
            return isinstance(self.inner, LocalAppend) and self.inner.retract()

    def commit(self) -> Entry:
        """Write the rest, publish and end; or keep what arrived, end and raise."""
        with self._lock:
            self._check_open()
            self.ended = True
            inner = self._begun()
            try:
                self._write()
                return inner.commit()
            except BaseException as error:
                self._drop_if_full(error)
                inner.abandon()
                raise
            finally:
                inner.close()

    def abandon(self) -> None:
        """End without publishing, what is pending kept too, once no other call is in progress."""
        with self._lock:
            if self.ended:
                return
            self.ended = True
            try:
                with suppress(OSError, StorageError):
                    self._write()
                if not isinstance(self.inner, LazyUpload):
                    self.inner.abandon()
            finally:
                self.inner.close()

    def _check_open(self) -> None:
        if self.ended:
            raise Unavailable(self.inner.path, "the transaction is over")


@implementer(IWriting, IDescriptor)
class LocalWriter:
    """A transaction whose steps are taken in a pool."""

    def __init__(
        self, runner: BlockingRunner, work: LockedUpload, brief: BlockingRunner | None = None
    ) -> None:
        self._size_kept = 0
        self._most_kept = 0 if isinstance(work.inner, LocalAppend) else MAX_PENDING_BYTES
        self._runner = runner
        self._brief = brief or runner
        self._work = work

    @property
    def path(self) -> VirtualPath:
        """What it will be published under."""
        return self._work.inner.path

    @property
    def offset(self) -> int:
        """Where the first written byte goes."""
        return self._work.inner.offset

    def fileno(self) -> int:
        """Return the descriptor, its position where the next byte goes; ask before writing.

        Raises `Unavailable` when the transaction is over.
        """
        if self._work.inner.descriptor < 0 or self._work.pending:
            raise Unavailable(self.path, "the transaction is over, or has not begun")
        return self._work.inner.descriptor

    async def write(self, data: bytes) -> None:
        """Add ``data``; the beginning waits for more, so that a small file takes one call."""
        if self._work.ended:
            raise Unavailable(self.path, "the transaction is over")
        self._work.pending.append(data)
        self._size_kept += len(data)
        if self._size_kept >= self._most_kept:
            self._most_kept = 0
            await in_pool(self._runner, self.path, self._work.write)

    async def commit(self) -> Entry:
        """Publish the file."""
        return await in_pool(self._brief, self.path, self._work.commit)

    async def abandon(self) -> None:
        """End the transaction; also when nobody waits for that."""
        if not self._work.ended:
            try:
                await self._runner.finish(self._work.abandon)
            except OSError as error:
                raise translate(error, self.path) from error


@implementer(IRetractableWriting)
class LocalAppendWriter(LocalWriter):
    """A file that grows in place."""

    async def retract(self) -> bool:
        """Take back what was appended, if nobody else has appended since."""
        return await in_pool(self._runner, self.path, self._work.retract)


@implementer(ISpliceTarget, IBatchCommit)
class LocalUploadWriter(LocalWriter):
    """A new file; unlike one that is appended to, the kernel can fill it by itself."""

    @property
    def pool(self) -> BlockingRunner:
        """Where it is published."""
        return self._brief

    def commit_in_thread(self) -> Entry:
        """Publish the file, in this thread."""
        return self._work.commit()

    async def exclusively(self, function: Callable[[int], T]) -> T:
        """Call ``function`` with the descriptor, behind what was written."""
        self._most_kept = 0
        return await in_pool(self._runner, self.path, self._work.lend, function)


@implementer_only(IWriting, ISpliceTarget, IBatchCommit)
class LazyUploadWriter(LocalUploadWriter):
    """A new file that does not exist yet, so that there is no descriptor to ask for."""


def _begin(order: UploadRequest) -> tuple[LockedUpload, bool]:
    """Begin, and tell whether there is more of an old file to copy."""
    work = LockedUpload(begin_writing(order))
    try:
        return work, work.prepare()
    except BaseException:
        work.abandon()
        raise


def _dispose(begun: tuple[LockedUpload, bool]) -> None:
    begun[0].abandon()


async def open_writing(
    runner: BlockingRunner, order: UploadRequest, brief: BlockingRunner | None = None
) -> LocalWriter:
    """Begin a transaction and copy what it goes on from, in turns that others get between.

    An ordinary upload begins with the first bytes that go to the disk. ``brief`` publishes.
    """
    try:
        promise = lazy_upload_for(order)
    except OSError as error:
        raise translate(error, order.path) from error
    if promise is not None:
        return LazyUploadWriter(runner, LockedUpload(promise), brief)
    work, more = await in_pool(runner, order.path, _begin, order, dispose=_dispose)
    try:
        while more:
            more = await in_pool(runner, order.path, work.prepare)
    except BaseException:
        run_unattended(runner, work.abandon)
        raise
    kind = LocalAppendWriter if isinstance(work.inner, LocalAppend) else LocalUploadWriter
    return kind(runner, work, brief)
