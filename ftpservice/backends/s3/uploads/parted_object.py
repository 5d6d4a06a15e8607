"""An object that is stored while its bytes arrive: in one piece if it is small, else in parts.

Everything here blocks, and raises `S3Failure` or `StorageError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from threading import Lock
from time import monotonic, time
from uuid import uuid4

from ftpservice.backends.s3.api.bucket import ANYTHING, Condition
from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure
from ftpservice.backends.s3.api.http_connections import PartBody
from ftpservice.backends.s3.api.multiparts import MIN_PART_SIZE
from ftpservice.backends.s3.api.prompt_requests import MAX_PROMPT_BYTES
from ftpservice.backends.s3.api.signed_requests import BytesBody, S3Call
from ftpservice.backends.s3.api.xml_documents import UploadPart
from ftpservice.backends.s3.trash.trash_bin import S3TrashBin
from ftpservice.backends.s3.tree.object_copy import copy_spans
from ftpservice.backends.s3.tree.object_entries import file_entry
from ftpservice.backends.s3.tree.object_lookup import require_no_directory
from ftpservice.backends.s3.tree.part_buffer import PartBuffer
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.creation_lock import creation_lock
from ftpservice.backends.s3.uploads.partial_records import (
    REFRESH_SECONDS,
    PartialRecord,
    PartialRecords,
    without_gap,
)
from ftpservice.backends.s3.uploads.upload_process import process_mark
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
        self._note = note or None
        self._records = PartialRecords(view)
        self._recording = Lock()
        """Held while the record of an upload under way is written."""
        self._has_record = self.is_resumed
        """Whether there may be a record, to be removed at the end."""
        self._is_kept_in_record = self.is_resumed
        """Whether the record has bytes that are not in a part yet."""
        self._parts = {one.number: one for one in parts}
        self._base_etag = record.base_etag if record is not None else ""
        self._checked = monotonic(), view.served.directories.changes
        self._saved_at = monotonic() if record is None else float("-inf")
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
        with self._recording:
            now = self._view.bucket.head(self.key)
            self._base_etag = now.etag if now is not None else ""
            self.upload_id = self._view.served.multiparts.create(self.key)
            self._upload_ids.add(self.upload_id)
            self._save_running()

    def _save_running(self) -> None:
        self._has_record = True
        self._records.save(self.path, self._record(is_running=True), NOTHING)
        self._saved_at = monotonic()

    def note_begin(self) -> None:
        """Keep the note of an upload over a file before anything of it is stored.

        Else nothing would tell a client that comes back after a kill that the file is not its own.
        """
        with self._recording:
            if self._has_record or self._note is None:
                return
            there = self._view.bucket.head(self.key)
            if there is not None:
                self._base_etag = there.etag
                self._save_running()

    @property
    def is_record_old(self) -> bool:
        """Whether other processes may soon think that the upload has ended; for any thread."""
        is_old = monotonic() - self._saved_at > REFRESH_SECONDS
        return is_old and self._has_record and not self._is_kept_in_record

    def refresh(self) -> None:
        """Tell other processes, from time to time, that the upload is under way."""
        with self._recording:
            if self.is_record_old:
                self._saved_at = monotonic()
                self._records.refresh(self.path, self._record(is_running=True))

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
        self._is_kept_in_record = False
        self.refresh()

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
        if self._must_check:
            require_no_directory(self._view, self.path)
        if self.upload_id and (rest.size or not self._parts):
            self._rest_number = self.next_number
            self.write_part(self._rest_number, rest)
        if mode is WriteMode.REPLACE:
            size, etag = self._replace(rest)
        else:
            size, etag = self._create(rest, mode)
        if self._has_record:
            self._records.forget(self.path, self._upload_ids)
        elif mode is not WriteMode.UNIQUE:
            self._records.discard_known(self.path)
        return self.entry(size, etag)

    def prompt_call(self, rest: PartBuffer, record_key: str) -> S3Call | None:
        """Return the only call that it takes to replace the file; None if it may take more.

        ``record_key``: that of the record of this name and owner. Never blocks.
        """
        view = self._view
        if view.rule is not None or self._has_record or self._must_check:
            return None
        if rest.size > MAX_PROMPT_BYTES or not rest.is_in_memory:
            return None
        if not view.served.record_index.has_none(record_key):
            return None
        return S3Call("PUT", self.key, body=rest)

    def entry(self, size: int, etag: str) -> Entry:
        """Return the entry of the object, which was published now."""
        return file_entry(self.key, size, etag, float(int(time())))

    @property
    def _must_check(self) -> bool:
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
        if is_empty and (self.upload_id or not self._has_record):
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
            self._base_etag = now.etag if now is not None else ""
        try:
            self._records.save(self.path, self._record(), tail)
        except Busy:
            self.discard()
            raise

    def discard(self) -> None:
        """Keep nothing."""
        if self.upload_id:
            self._view.served.multiparts.abort(self.key, self.upload_id)
        if self._has_record:
            self._records.forget(self.path, self._upload_ids)

    def _record(self, is_running: bool = False) -> PartialRecord:
        return PartialRecord(
            self._view.owner,
            self.key,
            self.upload_id,
            self.size,
            self._base_etag,
            is_running=is_running,
            note=self._note,
            process=process_mark() if is_running else "",
        )


def random_name(path: VirtualPath) -> VirtualPath:
    """Return a path beside ``path`` that nobody has."""
    return path.parent.child(f"{path.name}.{uuid4().hex[:12]}")
