"""An upload to the disk that nobody sees before it is whole: the blocking side.

The file grows as a hidden partial in its target's directory, which stays open all the while, and
is renamed into place. What is counted is what the partial holds, so whoever writes straight to
the descriptor (from its position on) is counted too.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain

from ftpservice.backends.local.files.in_place import RENAME_REFUSED_ERRNOS, write_in_place
from ftpservice.backends.local.metadata.access import require_writable
from ftpservice.backends.local.metadata.acl import new_file_mode
from ftpservice.backends.local.metadata.preservation import copy_metadata
from ftpservice.backends.local.metadata.stat import entry_of
from ftpservice.backends.local.partials.partial_file import PartialFile
from ftpservice.backends.local.paths.file_ops import (
    check_announced,
    copy_range,
    ignore_unsupported,
    sync_directory,
    sync_file,
    write_all,
)
from ftpservice.backends.local.paths.names import encoded, unique_names
from ftpservice.backends.local.paths.tree import DirectoryEntry, DirectoryTree
from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.storage.errors import BadOffset, IsDirectory
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["LocalUpload", "UploadRequest"]

COPY_BYTES_PER_TURN = 32 << 20
"""Bytes of an old file copied in one call of the pool."""


@dataclass(frozen=True)
class UploadRequest:
    """What is to be written, where and for whom."""

    tree: DirectoryTree
    owner: str
    path: VirtualPath
    request: WriteRequest
    durable: bool
    lazy_uploads: set[object] = field(default_factory=set)
    """The uploads of the source that have no partial yet."""


class LocalUpload:
    """A partial, which it takes over, on its way to ``name``; calls must not overlap."""

    def __init__(self, order: UploadRequest, partial: PartialFile, name: bytes) -> None:
        self.path = order.path
        self.offset = 0
        self.partial = partial
        self._order = order
        self._name = name
        self._resumed = False
        self._lost = False
        self._old: int | None = None
        self._copied = 0

    @property
    def descriptor(self) -> int:
        """The file being written; -1 when it is over."""
        return self.partial.descriptor

    def start(self, offset: int, old: int | None = None) -> None:
        """Keep ``offset`` bytes of the partial or, where given, of ``old``, closed here."""
        self._old = old
        self._resumed = old is None and offset > 0
        self.offset = offset
        if self.partial.found or offset:
            os.ftruncate(self.descriptor, offset if old is None else 0)
            with ignore_unsupported():
                os.fchmod(self.descriptor, 0o600)
            os.lseek(self.descriptor, offset, os.SEEK_SET)

    def prepare(self) -> bool:
        """Copy some of the old file; tells whether there is more to copy."""
        if self._old is None:
            return False
        end = min(self._copied + COPY_BYTES_PER_TURN, self.offset)
        self._copied = copy_range(self._old, self.descriptor, self._copied, end)
        if self._copied < end:
            raise BadOffset(self.path, "the file has become shorter")
        if self._copied == self.offset:
            self._forget_old()
        return self._old is not None

    def write(self, data: bytes) -> None:
        """Write all of ``data``."""
        write_all(self.descriptor, data)

    def mark(self) -> None:
        """Have the partial tell whose it is, should it be left behind by a crash."""
        if self._order.request.how is not WriteMode.UNIQUE:
            self.partial.mark(self._order.owner, self._name)

    def lose(self) -> None:
        """Keep nothing of what arrived: there is no space for it, or it is not all there."""
        self._lost = True

    def commit(self) -> Entry:
        """Publish; when this raises, `abandon` is due."""
        if self._order.request.announced is not None:
            check_announced(self._order.request, self.partial.size - self.offset, self.path)
        self.partial.unmark()
        in_place = not self._is_dressed()
        if self._order.durable:
            self._sync()
        facts = self._publish(in_place)
        if self._order.durable:
            sync_directory(self.partial.directory)
        return entry_of(self.path.name, facts)

    def abandon(self) -> None:
        """Keep what arrived, if anything did and there is a name to go on from it by."""
        arrived = self._old is None and self.partial.size > self.offset
        named = self._order.request.how is not WriteMode.UNIQUE
        if named and (arrived or self._resumed) and not self._lost:
            self.mark()
            self.partial.keep()
        else:
            self.partial.discard()

    def _sync(self) -> None:
        """Have the bytes survive a power cut; when this fails, some of them are lost.

        The kernel tells that once: it takes the pages for clean then, and whoever went on from
        the partial would be told that all is well.
        """
        try:
            sync_file(self.descriptor)
        except OSError:
            self._lost = True
            raise

    def close(self) -> None:
        """Let go of everything; once."""
        self._forget_old()
        self.partial.close()

    def _replaced(self) -> os.stat_result | None:
        """Return the facts of the plain file that will give way, if there is one by now."""
        if self._order.request.how is not WriteMode.REPLACE:
            return None
        facts = DirectoryEntry(self.partial.directory, self._name).facts()
        if facts is not None and stat.S_ISDIR(facts.st_mode):
            raise IsDirectory(self.path)
        return facts if facts is not None and stat.S_ISREG(facts.st_mode) else None

    def _is_dressed(self) -> bool:
        """Give the file all but the content of what it replaces; tells whether it could."""
        replaced = self._replaced()
        directory = self.partial.directory
        if replaced is not None:
            place = DirectoryEntry(directory, self._name)
            require_writable(place, replaced, self.path)
            return copy_metadata(self.descriptor, directory, self._name, replaced)
        try:
            os.fchmod(self.descriptor, new_file_mode(directory, self._order.request.mode))
        except OSError as error:
            if error.errno not in UNSUPPORTED_ERRNOS:
                raise
        return True

    def _publish(self, in_place: bool) -> os.stat_result:
        """Give the file its name, or its content to the file of that name; returns the facts."""
        if self._order.request.how is WriteMode.UNIQUE:
            self._publish_unique()
        elif in_place:
            return self._write_in_place()
        else:
            try:
                exclusive = self._order.request.how is not WriteMode.REPLACE
                self.partial.publish(self._name, exclusive)
            except OSError as error:
                if error.errno not in RENAME_REFUSED_ERRNOS or self._replaced() is None:
                    raise
                return self._write_in_place()
        return os.fstat(self.descriptor)

    def _write_in_place(self) -> os.stat_result:
        """Copy what arrived over the file that has to stay; then the partial can go."""
        opened, facts = write_in_place(
            self.descriptor, self.partial.directory, self._name, self.path
        )
        try:
            if self._order.durable:
                sync_file(opened)
        finally:
            os.close(opened)
        self.partial.discard()
        return facts

    def _publish_unique(self) -> None:
        """Publish under the name that was promised, or the next if somebody took it meanwhile."""
        for path in chain([self.path], unique_names(self._order.path)):
            with suppress(FileExistsError):
                self.partial.publish(encoded(path.name, path), exclusive=True)
                self.path = path
                return

    def _forget_old(self) -> None:
        if self._old is not None:
            os.close(self._old)
            self._old = None
