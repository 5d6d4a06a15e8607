"""Appending to a file: its object is replaced, at the commit, by a longer one.

The server copies the old content, if that is long enough to be a part of a multipart upload. What
others have appended since the beginning is kept; the new bytes follow it. Nothing is changed by an
append that does not come to its commit, so there is nothing to resume.
"""

from __future__ import annotations

from time import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.backends.s3.api.bucket import Condition, ObjectFacts
from ftpservice.backends.s3.api.failures import CHANGED, S3Failure
from ftpservice.backends.s3.api.multiparts import MIN_PART_SIZE
from ftpservice.backends.s3.api.signed_requests import BytesBody, PartBody
from ftpservice.backends.s3.api.xml_documents import UploadPart
from ftpservice.backends.s3.tree.bucket_calls import unless_abandoned
from ftpservice.backends.s3.tree.object_copy import MAX_COPY_PARTS, copy_spans
from ftpservice.backends.s3.tree.object_entries import MTIME, file_entry
from ftpservice.backends.s3.tree.part_buffer import PartBuffer, appended_part_size
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.concurrency.task import wait_out
from ftpservice.storage.errors import Busy, PathNotFound, StorageError, Unavailable
from ftpservice.storage.interfaces import IWriting, WriteRequest
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["S3Append"]

FIRST_NUMBER = MAX_COPY_PARTS + 2
"""That of the first part that is stored before the commit, after the copied ones and the first."""
MAX_TRIES = 5
"""How often an append begins again because others have changed the file."""


@implementer(IWriting)
class S3Append:
    """Bytes for the end of the file at ``path``, whose facts were ``facts``.

    ``key`` follows the file if it is renamed. The first part is stored at the commit: only then is
    it known what it follows.
    """

    def __init__(
        self, view: BucketView, path: VirtualPath, request: WriteRequest, facts: ObjectFacts
    ) -> None:
        self.path = path
        self.key = self._first_key = view.keys.key(path)
        self.offset = facts.size
        self._view = view
        self._request = request
        self._facts = facts
        self._first = view.served.new_buffer()
        self._next: PartBuffer | None = None
        self._parts: list[UploadPart] = []
        self.upload_id = ""
        self._written = 0
        self._ended = False
        self._working: Deferred[Any] | None = None
        view.served.running.appends.add(self)

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        self._require_open()
        self._written += len(data)
        await self._run(self._add(data))

    async def commit(self) -> Entry:
        """Make the longer file; raises `PathNotFound` if it was removed meanwhile."""
        self._require_open()
        self._ended = True
        entry: Entry = await self._run(self._commit())
        return entry

    async def abandon(self) -> None:
        """Leave the file as it is."""
        if self._working is not None and not self._working.called:
            await wait_out(self._working)
        if not self._ended:
            self._ended = True
            await self._discard()

    async def _add(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            buffer = self._next or self._first
            room = appended_part_size(len(self._parts)) - buffer.size
            if room <= 0:
                if self._next is not None:
                    await self._view.in_thread(self.path, self._store_next)
                self._next = self._view.served.new_buffer()
                continue
            piece = data[position : position + room]
            if not buffer.add(piece):
                await self._view.in_thread(self.path, buffer.spool, piece)
            position += len(piece)

    def _store_next(self) -> None:
        """Store the part after the first one, or the one after those stored."""
        multiparts = self._view.served.multiparts
        if not self.upload_id:
            self.upload_id = self._create(self._first_key, self._facts)
        assert self._next is not None
        number = FIRST_NUMBER + len(self._parts)
        part = multiparts.write(self._first_key, self.upload_id, number, self._next)
        self._parts.append(part)
        self._next.close()

    async def _commit(self) -> Entry:
        try:
            self._request.check_announced(self._written, self.path)
            if self._next is not None and self._next.size:
                await self._view.in_thread(self.path, self._store_next)
            key = self.key
            size, etag = await self._view.in_thread(self.path, self._publish, key)
        except BaseException:
            await self._discard()
            raise
        self._close()
        entry = file_entry(key, size, etag, float(int(time())))
        return entry if key == self._first_key else entry._replace(name=key.rpartition("/")[2])

    def _publish(self, key: str) -> tuple[int, str]:
        """Make the object; begin again if it changes meanwhile."""
        for _ in range(MAX_TRIES):
            facts = self._view.bucket.head(key)
            if facts is None:
                raise PathNotFound(self.path, "removed while it was appended to")
            try:
                return self._publish_over(key, facts)
            except S3Failure as failure:
                if failure.status != CHANGED:
                    raise
        raise Busy(self.path, "others keep changing it")

    def _publish_over(self, key: str, facts: ObjectFacts) -> tuple[int, str]:
        """Make the object if the file is still that of ``facts``."""
        condition = Condition(if_etag=facts.etag if self._view.served.traits.replaces else "")
        size = facts.size + self._written
        is_small = facts.size < MIN_PART_SIZE
        head = self._view.bucket.read(key, 0, facts.size, facts).data if is_small else b""
        first = BytesBody(head + self._first.all_bytes())
        if not self.upload_id and is_small:
            return size, self._view.bucket.write(key, first, _kept_metadata(facts), condition)
        if key != self._first_key and self.upload_id:
            raise Busy(self.path, "renamed while much was appended to it")
        return size, self._complete(key, facts, first, condition)

    def _complete(self, key: str, facts: ObjectFacts, first: PartBody, condition: Condition) -> str:
        multiparts = self._view.served.multiparts
        upload_id = self.upload_id or self._create(key, facts)
        try:
            spans = copy_spans(facts.size) if facts.size >= MIN_PART_SIZE else []
            copied = [
                multiparts.copy((key, upload_id, number), key, facts, span)
                for number, span in enumerate(spans, 1)
            ]
            if first.size:
                copied.append(multiparts.write(key, upload_id, MAX_COPY_PARTS + 1, first))
            return multiparts.complete(key, upload_id, [*copied, *self._parts], condition)
        except Exception:
            if not self.upload_id:
                multiparts.abort(key, upload_id)
            raise

    def _create(self, key: str, facts: ObjectFacts) -> str:
        kept = _kept_metadata(facts)
        return self._view.served.multiparts.create(key, kept, facts.content_headers)

    async def _discard(self) -> None:
        self._close()
        if not self.upload_id:
            return
        abort = self._view.served.multiparts.abort
        try:
            await self._view.in_thread(self.path, abort, self._first_key, self.upload_id)
        except StorageError as error:
            log.warn(
                "{path}: parts of an append stay for the sweep: {error}",
                path=self.path,
                error=error,
            )

    def _close(self) -> None:
        self._view.served.running.appends.discard(self)
        for buffer in filter(None, (self._first, self._next)):
            buffer.close()

    async def _run(self, work: Any) -> Any:
        """Run a step, which goes on if the wait is cancelled."""
        self._working = Deferred.fromCoroutine(work)
        return await unless_abandoned(self._working)

    def _require_open(self) -> None:
        if self._ended:
            raise Unavailable(self.path, "the transaction is over")


def _kept_metadata(facts: ObjectFacts) -> dict[str, str]:
    """Return the metadata of the longer file: all but the time that a client has set."""
    return {name: value for name, value in facts.metadata.items() if name != MTIME}


log = Logger()
