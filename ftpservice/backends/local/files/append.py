"""A file on the disk that grows in place: the blocking side."""

from __future__ import annotations

import os

from ftpservice.backends.local.files.file_locks import exclusive_lock, shared_lock
from ftpservice.backends.local.files.in_place import drop_set_id
from ftpservice.backends.local.files.upload import AccountUploads
from ftpservice.backends.local.metadata.stat import O_PATH, entry_of, require_file
from ftpservice.backends.local.paths.file_ops import sync_file, write_all
from ftpservice.backends.local.trash.trash_names import is_in_trash
from ftpservice.storage.errors import Busy, PathNotFound, StorageError
from ftpservice.storage.interfaces import WriteRequest
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["LocalAppend"]


class LocalAppend:
    """An existing file, open to append to; its calls must not overlap.

    Raises `FileNotFoundError` if there is no such file.
    """

    def __init__(self, uploads: AccountUploads, path: VirtualPath, request: WriteRequest) -> None:
        self.path = path
        self._written = 0
        self._uploads = uploads
        self._request = request
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY
        self.descriptor = uploads.tree.open(path, flags)
        try:
            facts = os.fstat(self.descriptor)
            require_file(facts, path)
            shared_lock(self.descriptor, path)
            drop_set_id(self.descriptor, facts)
        except BaseException:
            self.close()
            raise
        self.offset = facts.st_size

    def prepare(self) -> bool:
        """Return False: nothing has to be copied first."""
        return False

    def mark(self) -> None:
        """Do nothing: there is no partial that a crash could leave behind."""

    def discard_on_abandon(self) -> None:
        """Do nothing: the appended bytes cannot be distinguished from those of other sessions."""

    def write(self, data: bytes) -> None:
        """Write all of ``data`` at the end of the file, wherever that is now."""
        write_all(self.descriptor, data)
        self._written += len(data)

    def commit(self, is_new: bool = False) -> Entry:  # noqa: ARG002 - as `LocalUpload.commit`
        """Confirm what the file received, whatever its name is now.

        The entry has the name that the file has now, or an empty one if that is not known. Raises
        `PathNotFound` if the file was removed altogether, and what was appended with it.
        """
        facts = os.fstat(self.descriptor)
        self._request.check_announced(self._written or facts.st_size - self.offset, self.path)
        if self._uploads.is_durable:
            sync_file(self.descriptor)
        if facts.st_nlink == 0:
            raise PathNotFound(self.path, "removed while it was appended to")
        name = self._name_now(facts)
        if not name and is_in_trash(self.descriptor):
            raise PathNotFound(self.path, "deleted while it was appended to; it is in the trash")
        return entry_of(name, facts)

    def _name_now(self, facts: os.stat_result) -> str:
        """Return the last component of the file's path; empty if it was renamed."""
        try:
            there = self._uploads.tree.open(self.path, O_PATH)
        except (OSError, StorageError):
            return ""
        try:
            return self.path.name if os.path.samestat(os.fstat(there), facts) else ""
        finally:
            os.close(there)

    def retract(self) -> bool:
        """Remove what was appended; False if another writer holds the file or has added to it."""
        if not self._is_last_writer():
            return False
        try:
            with exclusive_lock(self.descriptor, self.path):
                if not self._is_last_writer():
                    return False
                os.ftruncate(self.descriptor, self.offset)
                self._written = 0
                return True
        except Busy:
            return False

    def _is_last_writer(self) -> bool:
        return os.fstat(self.descriptor).st_size == self.offset + self._written

    def abandon(self) -> None:
        """Keep the bytes: other sessions may have appended since, and the bytes look alike."""

    def close(self) -> None:
        """Close the file, once."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
