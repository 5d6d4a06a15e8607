"""Upload transactions on the disk as their callers see them; the work is done in a pool."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from zope.interface import implementer, implementer_only

from ftpservice.backends.local.files.append import LocalAppend
from ftpservice.backends.local.files.held_file import LocalHeldFile, reopened
from ftpservice.backends.local.files.lazy_upload import LazyUpload
from ftpservice.backends.local.files.open_upload import begin_writing
from ftpservice.backends.local.files.upload import AccountUploads, LocalUpload
from ftpservice.concurrency.task import wait_out
from ftpservice.concurrency.thread_pool import BlockingRunner, CallOverdue, run_unattended
from ftpservice.state_files.disk_space import NO_SPACE_ERRNOS
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import StorageError, Unavailable
from ftpservice.storage.gates import IHeldUpload
from ftpservice.storage.interfaces import (
    IBatchCommit,
    IDescriptor,
    IRetractableWriting,
    ISpliceTarget,
    IWriting,
    WriteRequest,
)
from ftpservice.storage.os_errors import translate
from ftpservice.storage.quota_interfaces import IReplacing
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["LazyUploadWriter", "LocalWriter", "open_writer"]

"""What a write fails with when there is no space: `NoSpace`, `QuotaExceeded`."""
MAX_PENDING_BYTES = 64 * 1024
"""Bytes of a new file that are collected in memory before the first write to the disk."""

T = TypeVar("T")


@implementer(IWriting, IDescriptor)
class LocalWriter:
    """One upload or append: coroutines for the reactor thread, ``…_in_thread`` for the pool.

    Written bytes are queued in ``_pending``. Whatever call in the pool comes next writes all of
    them in order, `abandon` too, so nothing is lost if the call made for them was cancelled before
    it began. ``_lock`` keeps those calls apart.
    """

    def __init__(
        self, uploads: AccountUploads, upload: LocalUpload | LocalAppend | LazyUpload
    ) -> None:
        self.path: VirtualPath = upload.path
        self.offset = upload.offset
        self._runner = uploads.runner
        self._commit_runner = uploads.commit_runner
        self._upload = upload
        self._lock = Lock()
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        is_append = isinstance(upload, LocalAppend)
        self._max_pending_bytes = 0 if is_append else MAX_PENDING_BYTES
        self._write_failed = self._keeps_nothing = self._ended = False
        self._is_overdue = False
        """Whether `abandon` has given up waiting; it is done when the disk answers."""

    def fileno(self) -> int:
        """Return the descriptor, positioned for the next byte; to be asked for before writing.

        Raises `Unavailable` when the transaction is over.
        """
        descriptor = self._upload.descriptor
        if descriptor < 0 or self._pending:
            raise Unavailable(self.path, "the transaction is over, or has not begun")
        return descriptor

    async def write(self, data: bytes) -> None:
        """Add ``data``. The first bytes are collected, so that a small file takes one pool call."""
        if self._ended:
            raise Unavailable(self.path, "the transaction is over")
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= self._max_pending_bytes:
            self._max_pending_bytes = 0
            await in_pool(self._runner, self.path, self._write_in_thread)

    async def commit(self) -> Entry:
        """Publish the file."""
        return await in_pool(self._commit_runner, self.path, self.commit_in_thread, takes_long=True)

    async def abandon(self) -> None:
        """End the transaction, and return when it has ended, even if the call is cancelled."""
        if (not self._ended or self._lock.locked()) and not self._is_overdue:
            try:
                await wait_out(self._runner.finish(self.abandon_in_thread))
            except CallOverdue:
                self._is_overdue = True
            except OSError as error:
                raise translate(error, self.path) from error

    def prepare_in_thread(self) -> bool:
        """Copy a part of the old file that is resumed; return whether there is more to copy."""
        with self._lock:
            self._require_open()
            upload = self._begun()
            try:
                return upload.prepare()
            except BaseException as error:
                _discard_if_full(upload, error)
                raise

    def commit_in_thread(self) -> Entry:
        """Write what is pending, publish and end; after an error keep what arrived and end."""
        with self._lock:
            self._require_open()
            self._ended = True
            is_new = isinstance(self._upload, LazyUpload)
            upload = self._begun()
            try:
                self._write_pending(upload)
                entry = upload.commit(is_new)
                self.path = upload.path
                return entry
            except BaseException as error:
                _discard_if_full(upload, error)
                self._abandon(upload)
                raise
            finally:
                upload.close()

    def abandon_in_thread(self) -> None:
        """Write what is pending and end without publishing, after any call in progress."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            try:
                self._try_to_write_pending()
                if not isinstance(self._upload, LazyUpload):
                    self._abandon(self._upload)
            finally:
                self._upload.close()

    def _abandon(self, upload: LocalUpload | LocalAppend) -> None:
        if self._keeps_nothing:
            upload.discard_on_abandon()
        upload.abandon()

    def _try_to_write_pending(self) -> None:
        """Write what is pending; an upload that may replace a file begins, to keep its note."""
        upload = self._upload
        with suppress(OSError, StorageError):
            if isinstance(upload, LazyUpload) and upload.may_replace_noted:
                self._begun().mark()
            if self._pending:
                self._write_pending(self._begun())

    def _write_in_thread(self) -> None:
        self._call_with_descriptor(lambda _descriptor: None)

    def _call_with_descriptor(self, function: Callable[[int], T]) -> T:
        """Write what is pending, then call ``function`` with the descriptor."""
        with self._lock:
            self._require_open()
            upload = self._begun()
            upload.mark()
            self._write_pending(upload)
            try:
                return function(upload.descriptor)
            except BaseException as error:
                _discard_if_full(upload, error)
                raise

    def _require_open(self) -> None:
        if self._ended:
            raise Unavailable(self.path, "the transaction is over")

    def _begun(self) -> LocalUpload | LocalAppend:
        """Return the upload; a lazy one begins now."""
        if isinstance(self._upload, LazyUpload):
            self._upload = self._upload.begin()
        return self._upload

    def _write_pending(self, upload: LocalUpload | LocalAppend) -> None:
        if self._write_failed:
            raise Unavailable(self.path, "an earlier write failed")
        pieces = []
        while self._pending:
            pieces.append(self._pending.popleft())
        if not pieces:
            return
        try:
            upload.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        except BaseException as error:
            self._write_failed = True
            _discard_if_full(upload, error)
            raise


def _discard_if_full(upload: LocalUpload | LocalAppend, error: BaseException) -> None:
    """Keep no partial if ``error`` means that there is no space: hidden, it would fill the disk."""
    if isinstance(error, OSError) and error.errno in NO_SPACE_ERRNOS:
        upload.discard_on_abandon()


@implementer(IRetractableWriting)
class LocalAppendWriter(LocalWriter):
    """A file that grows in place."""

    async def retract(self) -> bool:
        """Remove what was appended; False if another writer has appended since."""
        return await in_pool(self._runner, self.path, self._retract_in_thread)

    def _retract_in_thread(self) -> bool:
        with self._lock:
            self._require_open()
            upload = self._begun()
            self._write_pending(upload)
            return isinstance(upload, LocalAppend) and upload.retract()


@implementer(ISpliceTarget, IBatchCommit, IReplacing, IHeldUpload)
class LocalUploadWriter(LocalWriter):
    """A new file; unlike one that is appended to, it can be filled by splice(2)."""

    async def open_held(self) -> LocalHeldFile:
        """Write what is pending, and open the file once more."""
        self._max_pending_bytes = 0
        return await in_pool(
            self._runner, self.path, self._held_in_thread, dispose=LocalHeldFile.close_in_thread
        )

    def _held_in_thread(self) -> LocalHeldFile:
        descriptor = self._call_with_descriptor(reopened)
        return LocalHeldFile(self._runner, self.path, descriptor)

    def keep_nothing(self) -> None:
        """Make `abandon` keep no partial upload."""
        self._keeps_nothing = True

    @property
    def replaced_size(self) -> int | None:
        """After the commit, the bytes of the file that was replaced."""
        return self._upload.replaced_size if isinstance(self._upload, LocalUpload) else None

    @property
    def pool(self) -> BlockingRunner:
        """Where it is published."""
        return self._commit_runner

    async def with_descriptor(self, function: Callable[[int], T]) -> T:
        """Write what is pending, then call ``function`` with the descriptor."""
        self._max_pending_bytes = 0
        return await in_pool(
            self._runner, self.path, self._call_with_descriptor, function, takes_long=True
        )


@implementer_only(IWriting, ISpliceTarget, IBatchCommit, IReplacing, IHeldUpload)
class LazyUploadWriter(LocalUploadWriter):
    """A new file that does not exist yet, so it offers no descriptor."""


def _begin(
    uploads: AccountUploads, path: VirtualPath, request: WriteRequest
) -> tuple[LocalWriter, bool]:
    """Begin; return also whether a part of an old file remains to be copied."""
    upload = begin_writing(uploads, path, request)
    kind = LocalAppendWriter if isinstance(upload, LocalAppend) else LocalUploadWriter
    writer = kind(uploads, upload)
    try:
        return writer, writer.prepare_in_thread()
    except BaseException:
        writer.abandon_in_thread()
        raise


def _dispose(begun: tuple[LocalWriter, bool]) -> None:
    begun[0].abandon_in_thread()


async def open_writer(
    uploads: AccountUploads, path: VirtualPath, request: WriteRequest
) -> LocalWriter:
    """Begin a transaction in the pool. An old file is copied in turns that others get between."""
    runner, copies = uploads.runner, request.offset > 0
    writer, more = await in_pool(
        runner, path, _begin, uploads, path, request, dispose=_dispose, takes_long=copies
    )
    try:
        while more:
            more = await in_pool(runner, path, writer.prepare_in_thread, takes_long=True)
    except BaseException:
        run_unattended(runner, writer.abandon_in_thread)
        raise
    return writer
