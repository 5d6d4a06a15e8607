"""The record of an upload under way, and when it is written; see `partial_records`."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.partial_records import (
    REFRESH_SECONDS,
    PartialRecord,
    PartialRecords,
)
from ftpservice.backends.s3.uploads.upload_calls import UploadCalls
from ftpservice.backends.s3.uploads.upload_process import process_mark
from ftpservice.wire.paths import VirtualPath

__all__ = ["ProgressRecording", "S3UploadRecord"]

NOTHING = BytesBody(b"")
NOTED_SECONDS = 2
"""An upload over a file that takes longer has a record, even if nothing of it is stored."""


class S3UploadRecord:
    """The record of the upload to ``path``, or of ``resumed``; for any thread.

    ``note`` is that of its request.
    """

    def __init__(
        self, view: BucketView, path: VirtualPath, note: str, resumed: PartialRecord | None
    ) -> None:
        self.upload_id = ""
        """Of the multipart upload, as soon as there is one."""
        self.base_etag = resumed.base_etag if resumed is not None else ""
        self.exists = resumed is not None
        """Whether there may be a record, to be removed at the end."""
        self.has_bytes = resumed is not None
        """Whether it has bytes that are not in a part yet."""
        self._view = view
        self._path = path
        self._key = view.keys.key(path)
        self._note = note or None
        self._records = PartialRecords(view)
        self._writing = Lock()
        self._saved_at = monotonic() if resumed is None else float("-inf")

    def begin_parts(self, create: Callable[[], str]) -> None:
        """Begin a multipart upload that is found again if this process is killed. Blocks."""
        with self._writing:
            self._see_file()
            self.upload_id = create()
            self._save()

    def note_begin(self) -> None:
        """Keep the note of an upload over a file before anything of it is stored. Blocks.

        Else nothing would tell a client that comes back after a kill that the file is not its own.
        """
        with self._writing:
            if not self.exists and self._note is not None and self._see_file():
                self._save()

    @property
    def is_old(self) -> bool:
        """Whether other processes may soon think that the upload has ended."""
        is_old = monotonic() - self._saved_at > REFRESH_SECONDS
        return is_old and self.exists and not self.has_bytes

    def refresh(self, size: int) -> None:
        """Tell other processes, from time to time, that the upload is under way. Blocks."""
        with self._writing:
            if self.is_old:
                self._saved_at = monotonic()
                self._records.refresh(self._path, self.now(size, is_running=True))

    def now(self, size: int, is_running: bool = False) -> PartialRecord:
        """Return what is to be said of the upload, of which ``size`` bytes are in parts."""
        return PartialRecord(
            self._view.owner,
            self._key,
            self.upload_id,
            size,
            self.base_etag,
            is_running=is_running,
            note=self._note,
            process=process_mark() if is_running else "",
        )

    def _see_file(self) -> bool:
        """Note which file is to be replaced; return whether there is one."""
        there = self._view.bucket.head(self._key)
        self.base_etag = there.etag if there is not None else ""
        return there is not None

    def _save(self) -> None:
        self.exists = True
        self._records.save(self._path, self.now(0, is_running=True), NOTHING)
        self._saved_at = monotonic()


class ProgressRecording:
    """Writes a record while the upload is under way: the source calls `tick` every second.

    ``size`` returns how many bytes are in parts; ``is_noted``: whether the upload may need a record
    before its first part.
    """

    def __init__(
        self, record: S3UploadRecord, calls: UploadCalls, size: Callable[[], int], is_noted: bool
    ) -> None:
        self.is_over = False
        """Whether the upload ends."""
        self._record = record
        self._calls = calls
        self._size = size
        self._is_noted = is_noted
        self._seconds = 0
        self._writing: Deferred[object] | None = None

    def tick(self) -> None:
        """Begin to write the record, if it is time."""
        if self.is_over or self._writing is not None:
            return
        self._seconds += 1
        if self._seconds == NOTED_SECONDS and self._is_noted:
            self._write(self._record.note_begin)
        elif self._record.is_old:
            self._write(lambda: self._record.refresh(self._size()))

    def _write(self, write: Callable[[], None]) -> None:
        def ended(outcome: object) -> None:
            self._writing = None
            if isinstance(outcome, Failure):
                log.warn("the record of an upload is not written: {error}", error=outcome.value)

        self._writing = self._calls.begin(write)
        self._writing.addBoth(ended)


log = Logger()
