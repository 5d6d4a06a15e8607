"""The upload transaction of a storage in a bucket.

Up to `FIRST_PART_SIZE` bytes are one object, stored at the commit. Of more bytes full parts are
stored while the next ones arrive, two at a time; the object appears at the commit. Whatever runs in
a thread goes on if the transfer is aborted, and is waited for before the transaction ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.backends.s3.tree.bucket_calls import unless_abandoned
from ftpservice.backends.s3.tree.part_buffer import PartBuffer, part_size
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.held_bytes import HeldBytes
from ftpservice.backends.s3.uploads.parted_object import PartedObject
from ftpservice.backends.s3.uploads.prompt_publication import publish_promptly
from ftpservice.backends.s3.uploads.upload_calls import UploadCalls, end_of
from ftpservice.backends.s3.uploads.upload_record import ProgressRecording
from ftpservice.concurrency.task import wait_out
from ftpservice.storage.errors import BadOffset, NoSpace, NotSupported, StorageError, Unavailable
from ftpservice.storage.gates import IHeldUpload
from ftpservice.storage.interfaces import IWriting, WriteMode, WriteRequest
from ftpservice.wire.entry import Entry

__all__ = ["S3Upload"]

MAX_STORING = 2
"""Parts of an upload that are being stored while another one arrives."""
HELD_READ_SIZE = 1 << 20
MAX_KEPT_HELD = 4 << 30
"""What is held back for gates is kept in one object, which has five GiB at most."""


@implementer(IWriting, IHeldUpload)
class S3Upload:
    """A file being uploaded, not visible yet; if interrupted, it becomes a partial upload.

    ``beginning`` are bytes of ``parted``, not in its parts, that what is written follows. The first
    ``overlap`` bytes to be written are there already.
    """

    def __init__(
        self,
        view: BucketView,
        request: WriteRequest,
        parted: PartedObject,
        beginning: PartBuffer,
        overlap: int = 0,
    ) -> None:
        self.path = parted.path
        self.key = parted.key
        self.record_key = view.keys.record(view.owner, parted.path)
        self.owner = view.owner if request.write_mode is not WriteMode.UNIQUE else ""
        self.offset: int = parted.size + beginning.size - overlap
        self._overlap = overlap
        self._view = view
        self._request = request
        self.parted = parted
        self._buffer = beginning
        self._number = parted.next_number
        self._written = 0
        self._ended = self._is_abandoned = self._is_lost = False
        self._calls = UploadCalls(view, parted.path)
        is_noted = bool(request.note) and request.write_mode is WriteMode.REPLACE
        self.progress = ProgressRecording(parted.record, self._calls, lambda: parted.size, is_noted)
        self._storing: list[Deferred[Any]] = []
        self._failure: StorageError | None = None
        self._ending: Deferred[Any] | None = None
        view.served.running.uploads.add(self)

    @property
    def received(self) -> int:
        """The bytes so far, with those that were resumed."""
        return self.offset + self._written

    async def write(self, data: bytes) -> None:
        """Add bytes; full parts are stored when more bytes come."""
        self._require_open()
        self._written += len(data)
        known = min(self._overlap, len(data))
        self._overlap -= known
        await self._add(data[known:] if known else data)

    async def commit(self) -> Entry:
        """Publish the file; goes on if it is cancelled."""
        self._require_open()
        self._ended = self.progress.is_over = True
        committing = Deferred.fromCoroutine(self._commit())
        self._ending = committing
        return await unless_abandoned(committing)

    async def abandon(self) -> None:
        """Keep what arrived, so that the owner can resume it, unless the name was a unique one."""
        if not self._ended:
            self._ended = self._is_abandoned = self.progress.is_over = True
            self._ending = Deferred.fromCoroutine(self._keep())
        if self._ending is not None and not self._ending.called:
            await wait_out(end_of(self._ending))

    async def open_held(self) -> HeldBytes:
        """Return what arrived, if nothing of it is on the server yet."""
        self._require_open()
        if self.parted.upload_id:
            raise NotSupported(self.path, "parts of the upload are on the server")
        return HeldBytes(self._view, self.path, self._buffer)

    def keep_nothing(self) -> None:
        """Make `abandon` keep nothing."""
        self._is_lost = True

    async def _add(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            room = len(data) if self._request.held else part_size(self._number) - self._buffer.size
            if room <= 0:
                await self._store_part()
                continue
            whole = position == 0 and len(data) <= room
            piece = data if whole else data[position : position + room]
            if not self._buffer.add(piece):
                await self._calls.make(self._buffer.spool, piece)
                self._require_open(self._is_abandoned)
            position += len(piece)

    async def _store_part(self) -> None:
        """Begin to store the part that is full, when fewer than `MAX_STORING` are under way."""
        if not self.parted.upload_id:
            await self._calls.make(self.parted.begin)
            self._require_open(self._is_abandoned)
        while len(self._storing) >= MAX_STORING:
            await unless_abandoned(end_of(self._storing[0]))
            self._require_open(self._is_abandoned)
        if self._failure is not None:
            raise self._failure
        part, number = self._buffer, self._number
        self._buffer, self._number = self._view.served.new_buffer(), number + 1
        storing = self._calls.begin(self.parted.write_part, number, part)
        self._storing.append(storing)
        storing.addBoth(self._stored, storing, part)

    def _stored(self, outcome: object, storing: Deferred[Any], part: PartBuffer) -> None:
        self._storing.remove(storing)
        part.close()
        if isinstance(outcome, Failure) and self._failure is None:
            error = outcome.value
            assert isinstance(error, StorageError)
            self._failure = error

    async def _commit(self) -> Entry:
        """Publish; after an error keep what arrived."""
        try:
            self._request.check_announced(self._written, self.path)
            if self._overlap:
                raise BadOffset(self.path, "more bytes than these are kept")
            if self._request.held:
                await self._release_held()
            await self._calls.wait()
            if self._failure is not None:
                raise self._failure
            mode = self._request.write_mode
            entry = await publish_promptly(self._view, self.parted, self._buffer, mode)
            if entry is None:
                entry = await self._calls.make(self.parted.publish, self._buffer, mode)
        except BaseException as error:
            self._is_lost = self._is_lost or isinstance(error, NoSpace)
            await self._keep()
            raise
        self.path, self.key = self.parted.path, self.parted.key
        self.release()
        return entry

    async def _release_held(self) -> None:
        """Store what was held back for gates."""
        held, self._buffer = self._buffer, self._view.served.new_buffer()
        self._request = replace(self._request, held=False)
        try:
            position = 0
            while data := await self._calls.make(held.read, position, HELD_READ_SIZE):
                await self._add(data)
                position += len(data)
        finally:
            held.close()

    async def _keep(self) -> None:
        """End without publishing."""
        await self._calls.wait()
        is_lost = self._is_lost or self.parted.is_lost
        is_kept = not is_lost and self._request.write_mode is not WriteMode.UNIQUE
        if self._request.held and self._buffer.size > MAX_KEPT_HELD:
            is_kept = False
        try:
            if not is_kept:
                await self._calls.make(self.parted.discard)
            elif self._written or not self.parted.is_resumed:
                await self._calls.make(self.parted.keep, self._buffer, self._request.held)
        except StorageError as error:
            log.warn("{path}: the partial upload is not kept: {error}", path=self.path, error=error)
        self.release()

    def release(self) -> None:
        """Give the name up, and the memory."""
        self._ended = self.progress.is_over = True
        self._view.served.running.uploads.discard(self)
        self._buffer.close()

    def _require_open(self, is_over: bool | None = None) -> None:
        """Raise `Unavailable` after the end, or if ``is_over``."""
        if self._ended if is_over is None else is_over:
            raise Unavailable(self.path, "the transaction is over")


log = Logger()
