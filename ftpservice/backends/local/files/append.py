"""A file on the disk that grows in place: the blocking side."""

from __future__ import annotations

import os

from ftpservice.backends.local.files.file_locks import exclusive_lock, shared_lock
from ftpservice.backends.local.files.in_place import drop_set_id
from ftpservice.backends.local.files.request import UploadRequest
from ftpservice.backends.local.metadata.stat import O_PATH, entry_of, require_file
from ftpservice.backends.local.paths.file_ops import check_announced, sync_file, write_all
from ftpservice.storage.errors import Busy, PathNotFound, StorageError
from ftpservice.wire.entry import Entry

__all__ = ["LocalAppend"]


class LocalAppend:
    """An existing file, opened to add to its end; calls must not overlap.

    Raises `FileNotFoundError` if there is no such file.
    """

    def __init__(self, order: UploadRequest) -> None:
        self.path = order.path
        self._order = order
        self._written = 0
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY
        self.descriptor = order.tree.open(order.path, flags)
        try:
            facts = os.fstat(self.descriptor)
            require_file(facts, order.path)
            shared_lock(self.descriptor, order.path)
            drop_set_id(self.descriptor, facts)
        except BaseException:
            self.close()
            raise
        self.offset = facts.st_size

    def prepare(self) -> bool:
        """There is nothing to do first."""
        return False

    def mark(self) -> None:
        """There is no partial that could be left behind."""

    def lose(self) -> None:
        """What was appended stays: it cannot be told from what others appended."""

    def write(self, data: bytes) -> None:
        """Write all of ``data`` at the end, wherever that is by now."""
        write_all(self.descriptor, data)
        self._written += len(data)

    def commit(self) -> Entry:
        """Confirm what the file got, whatever its name is by now.

        The entry's name is the one the file has now, empty if that is not known. Raises
        `PathNotFound` only when the file is removed altogether, and what was appended with it.
        """
        facts = os.fstat(self.descriptor)
        check_announced(
            self._order.request, self._written or facts.st_size - self.offset, self.path
        )
        if self._order.durable:
            sync_file(self.descriptor)
        if facts.st_nlink == 0:
            raise PathNotFound(self.path, "removed while it was appended to")
        return entry_of(self._name_now(facts), facts)

    def _name_now(self, facts: os.stat_result) -> str:
        """Return the last component of the file's path; empty if it is not known any more."""
        try:
            there = self._order.tree.open(self.path, O_PATH)
        except (OSError, StorageError):
            return ""
        try:
            return self.path.name if os.path.samestat(os.fstat(there), facts) else ""
        finally:
            os.close(there)

    def retract(self) -> bool:
        """Take back what was written, unless somebody else writes, or has written since."""
        if os.fstat(self.descriptor).st_size != self.offset + self._written:
            return False
        try:
            with exclusive_lock(self.descriptor, self.path):
                return self._cut_back()
        except Busy:
            return False

    def _cut_back(self) -> bool:
        if os.fstat(self.descriptor).st_size != self.offset + self._written:
            return False
        os.ftruncate(self.descriptor, self.offset)
        self._written = 0
        return True

    def abandon(self) -> None:
        """Leave what arrived; it cannot be told from what others may have appended since."""

    def close(self) -> None:
        """Let go of the file; once."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
