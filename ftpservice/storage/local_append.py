"""A file on the disk that grows in place: the blocking side."""

from __future__ import annotations

import os

from ftpservice.storage.errors import Busy, NotFound
from ftpservice.storage.local_bytes import check_announced, sync_file, write_all
from ftpservice.storage.local_facts import O_PATH, entry_of, require_file
from ftpservice.storage.local_in_place import drop_set_id
from ftpservice.storage.local_locks import exclusive_lock, shared_lock
from ftpservice.storage.local_upload import Order
from ftpservice.wire.entry import Entry

__all__ = ["Append"]


class Append:
    """An existing file, opened to add to its end; calls must not overlap.

    Raises `FileNotFoundError` if there is no such file.
    """

    def __init__(self, order: Order) -> None:
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

    def write(self, data: bytes) -> None:
        """Write all of ``data`` at the end, wherever that is by now."""
        write_all(self.descriptor, data)
        self._written += len(data)

    def commit(self) -> Entry:
        """Make sure that the file which grew is still the one of that name."""
        facts = os.fstat(self.descriptor)
        check_announced(
            self._order.request, self._written or facts.st_size - self.offset, self.path
        )
        if self._order.durable:
            sync_file(self.descriptor)
        there = self._order.tree.open(self.path, O_PATH)
        try:
            if not os.path.samestat(os.fstat(there), facts):
                raise NotFound(self.path, "replaced while it was appended to")
        finally:
            os.close(there)
        return entry_of(self.path.name, facts)

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
