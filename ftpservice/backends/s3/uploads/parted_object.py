"""An object that is stored while its bytes arrive: in one piece if it is small, else in parts.

Everything here blocks, and raises `S3Failure` or `StorageError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from time import monotonic
from uuid import uuid4

from ftpservice.backends.s3.api.bucket import ANYTHING, Condition
from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure
from ftpservice.backends.s3.api.http_connections import PartBody
from ftpservice.backends.s3.api.multiparts import MIN_PART_SIZE
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.api.xml_documents import UploadPart
from ftpservice.backends.s3.trash.trash_bin import S3TrashBin
from ftpservice.backends.s3.tree.object_copy import copy_spans
from ftpservice.backends.s3.tree.object_entries import stored_entry
from ftpservice.backends.s3.tree.object_lookup import require_no_directory
from ftpservice.backends.s3.tree.part_buffer import PartBuffer
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.creation_lock import creation_lock
from ftpservice.backends.s3.uploads.partial_records import (
    PartialRecord,
    PartialRecords,
    without_gap,
)
from ftpservice.backends.s3.uploads.upload_record import S3UploadRecord
from ftpservice.storage.errors import Busy, Exists
from ftpservice.storage.interfaces import WriteMode
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["PartedObject", "random_name"]

NOTHING = BytesBody(b"")
CHECKED_SECONDS = 5.0
"""How long it counts that there was no directory of the name."""


class PartedObject:
    """The object at ``path`` before it is there.

    ``note`` is that of its request; ``record`` and ``parts`` are those of an upload that is
    resumed.
    """

    def __init__(
        self,
        view: BucketView,
        path: VirtualPath,
        note: str = "",
        record: PartialRecord | None = None,
        parts: Sequence[UploadPart] = (),
    ) -> None:
        self.path = path
        self.key = view.keys.key(path)
        self.upload_id = record.upload_id if record is not None and parts else ""
        self.is_resumed = record is not None
        self.is_lost = False
        """Whether others have removed the parts."""
        self._view = view
        self._records = PartialRecords(view)
        self.record = S3UploadRecord(view, path, note, record)
        self.record.upload_id = self.upload_id
        self._parts = {one.number: one for one in parts}
        self._checked = monotonic(), view.served.directories.changes
        self._upload_ids = {"", "" if record is None else record.upload_id}
        self._rest_number = 0
        """The number of the last part; 0 as long as it is not stored."""

    @property
    def size(self) -> int:
        """The bytes of the parts that are stored without a gap."""
        return sum(one.size for one in without_gap(sorted(self._parts.values())))

    @property
    def next_number(self) -> int:
        """The number after those of the parts that are stored."""
        return max(self._parts, default=0) + 1

    def begin(self) -> None:
        """Begin a multipart upload that is found again if this process is killed."""
        self.record.begin_parts(self._create_upload)

    def _create_upload(self) -> str:
        self.upload_id = self._view.served.multiparts.create(self.key)
        self._upload_ids.add(self.upload_id)
        return self.upload_id

    def copy_beginning(self, size: int) -> None:
        """Begin with the first ``size`` bytes, at least a part, of the file that is there."""
        facts = self._view.bucket.head(self.key)
        if facts is None or facts.size < size:
            raise S3Failure(CHANGED, "", "the file has changed")
        self.begin()
        for number, span in enumerate(copy_spans(size), 1):
            upload = (self.key, self.upload_id, number)
            self._parts[number] = self._view.served.multiparts.copy(upload, self.key, facts, span)

    def write_part(self, number: int, body: PartBuffer) -> None:
        """Store a part; raises `Busy` if the upload was removed meanwhile."""
        try:
            part = self._view.served.multiparts.write(self.key, self.upload_id, number, body)
        except S3Failure as failure:
            raise self._explained(failure) from None
        self._parts[number] = part
        self.record.has_bytes = False
        self.record.refresh(self.size)

    def _explained(self, failure: S3Failure) -> Exception:
        """Return the failure of a call for parts; it is `Busy` if others have removed them."""
        if failure.status != MISSING or failure.code == "NoSuchBucket":
            return failure
        self.is_lost = True
        return Busy(self.path, "its parts were removed, or published, by another session")

    def publish(self, rest: PartBuffer, mode: WriteMode) -> Entry:
        """Make the object, whose last bytes are ``rest``; raises `Exists`, `IsDirectory`.

        A small one with a unique name gets another name if its own was taken meanwhile.
        """
        if self.must_check_directories:
            require_no_directory(self._view, self.path)
        if self.upload_id and (rest.size or not self._parts):
            self._rest_number = self.next_number
            self.write_part(self._rest_number, rest)
        if mode is WriteMode.REPLACE:
            size, etag = self._replace(rest)
        else:
            size, etag = self._create(rest, mode)
        if self.record.exists:
            self._records.forget(self.path, self._upload_ids)
        elif mode is not WriteMode.UNIQUE:
            self._records.discard_known(self.path)
        return stored_entry(self.key, size, etag)

    @property
    def must_check_directories(self) -> bool:
        """Whether a directory may have got the name since there was none."""
        checked_at, changes = self._checked
        is_old = monotonic() - checked_at > CHECKED_SECONDS
        return is_old or changes != self._view.served.directories.changes

    def _replace(self, rest: PartBuffer) -> tuple[int, str]:
        if self._view.rule is None:
            return self._publish(rest, ANYTHING)
        trash = S3TrashBin(self._view)
        return trash.replace(self.path, lambda condition: self._publish(rest, condition))

    def _create(self, rest: PartBuffer, mode: WriteMode) -> tuple[int, str]:
        condition = Condition(if_absent=True)
        served = self._view.served
        locked = creation_lock(served, self.path, self.key) if self.upload_id else nullcontext()
        try:
            with locked:
                return self._publish(rest, condition)
        except S3Failure as failure:
            if failure.status != CHANGED:
                raise
            if mode is not WriteMode.UNIQUE or self.upload_id:
                raise Exists(self.path, "created meanwhile") from None
        self.path = random_name(self.path)
        self.key = self._view.keys.key(self.path)
        return self._publish(rest, condition)

    def _publish(self, rest: PartBuffer, condition: Condition) -> tuple[int, str]:
        if not self.upload_id:
            return rest.size, self._view.bucket.write(self.key, rest, None, condition)
        parts = sorted(self._parts.values())
        multiparts = self._view.served.multiparts
        try:
            etag = multiparts.complete(self.key, self.upload_id, parts, condition)
        except S3Failure as failure:
            raise self._explained(failure) from None
        return sum(one.size for one in parts), etag

    def keep(self, rest: PartBuffer, in_record: bool = False) -> None:
        """Keep what arrived, if anything, as a partial upload, whose last bytes are ``rest``.

        ``in_record``: all of them are kept in the record, where they can be read.
        """
        if rest.size < MIN_PART_SIZE:  # as a part it could have none after it (`kept_parts`)
            self._parts.pop(self._rest_number, None)
        is_stored = self._rest_number in self._parts
        is_empty = not is_stored and not self.size + rest.size
        if is_empty and (self.upload_id or not self.record.exists):
            self.discard()
            return
        has_gap = len(without_gap(sorted(self._parts.values()))) < len(self._parts)
        tail: PartBody = NOTHING
        if not (has_gap or is_stored) and rest.size >= MIN_PART_SIZE and not in_record:
            if not self.upload_id:
                self.begin()
            self.write_part(self.next_number, rest)
        elif not (has_gap or is_stored):
            tail = rest
        if not self.upload_id:
            now = self._view.bucket.head(self.key)
            self.record.base_etag = now.etag if now is not None else ""
        try:
            self._records.save(self.path, self.record.now(self.size), tail)
        except Busy:
            self.discard()
            raise

    def discard(self) -> None:
        """Keep nothing."""
        if self.upload_id:
            self._view.served.multiparts.abort(self.key, self.upload_id)
        if self.record.exists:
            self._records.forget(self.path, self._upload_ids)


def random_name(path: VirtualPath) -> VirtualPath:
    """Return a path beside ``path`` that nobody has."""
    return path.parent.child(f"{path.name}.{uuid4().hex[:12]}")
