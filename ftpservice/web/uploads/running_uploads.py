"""What the requests of tus share: the records, and the uploads under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ftpservice.events import TransferStarted
from ftpservice.stream.errors import TransferAborted
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.scopes import Caller
from ftpservice.web.uploads.upload_progress import UploadProgress
from ftpservice.web.uploads.upload_records import UploadRecord, UploadRecords
from ftpservice.wire.paths import VirtualPath

__all__ = ["UploadAccess", "Uploads"]


class UploadAccess(Protocol):
    """Tells who makes a request."""

    def caller(self, request: Any, *, has_json: bool = True) -> Awaitable[Caller]:
        """Return the caller; raises `Problem`."""


class Uploads:
    """What the requests share: the records, and the uploads under way."""

    def __init__(self, access: UploadAccess, records: UploadRecords) -> None:
        self.access = access
        self.records = records
        self.running: dict[str, UploadProgress] = {}
        """By the key of the record: an upload that goes on over several requests."""
        self._is_beginning = False

    def transfer_started(self, event: TransferStarted) -> None:
        """Note that a name is uploaded anew; a subscriber of `TransferStarted`."""
        if event.upload and not self._is_beginning:
            self.records.supersede(event.info.owner or event.user, event.path)

    def begin(
        self, account: AccountSession, path: VirtualPath, size: int, stop: Callable[[], object]
    ) -> UploadProgress:
        """Begin a transfer."""
        self._is_beginning = True
        try:
            return UploadProgress(account, path, size, stop)
        finally:
            self._is_beginning = False

    def progress(
        self, record: UploadRecord, account: AccountSession, offset: int, stop: Callable[[], object]
    ) -> UploadProgress:
        """Return the transfer of an upload, which goes on or begins."""
        found = self.running.get(record.key)
        if found is not None and found.account is account:
            found.go_on(stop)
            return found
        if found is not None:
            found.ended(TransferAborted("another login continues it"))
        new = self.begin(account, VirtualPath.parse(record.path), record.length - offset, stop)
        self.adopt(record, new)
        return new

    def adopt(self, record: UploadRecord, progress: UploadProgress) -> None:
        """Let the requests to come find a transfer."""
        self.running[record.key] = progress
        progress.when_over = lambda: self._forget(record.key, progress)

    def _forget(self, key: str, progress: UploadProgress) -> None:
        if self.running.get(key) is progress:
            del self.running[key]
