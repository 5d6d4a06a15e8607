"""An upload to the disk that becomes visible only when it is complete: the blocking side.

The bytes go to a hidden partial in the directory of the target, which is held open, and the partial
is renamed to the target. Sizes are read from the partial, so bytes that others write to its
descriptor, from its position on, count too.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from ftpservice.backends.local.files.in_place import RENAME_REFUSED_ERRNOS, write_in_place
from ftpservice.backends.local.metadata.access import require_writable
from ftpservice.backends.local.metadata.acl import new_file_mode
from ftpservice.backends.local.metadata.preservation import copy_metadata
from ftpservice.backends.local.metadata.stat import entry_of
from ftpservice.backends.local.partials.partial_file import PartialFile
from ftpservice.backends.local.paths.file_ops import (
    copy_range,
    ignore_unsupported,
    sync_directory,
    sync_file,
    write_all,
)
from ftpservice.backends.local.paths.names import encoded, unique_names
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.backends.local.trash.name_locks import locked
from ftpservice.backends.local.trash.trash_bin import TrashBin
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.storage.errors import BadOffset, IsDirectory
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["AccountUploads", "LocalUpload"]

COPY_BYTES_PER_TURN = 32 << 20
"""Bytes of an old file copied in one call of the pool."""


@dataclass(frozen=True)
class AccountUploads:
    """What all uploads of one account into one tree share; made once for a session."""

    tree: DirectoryTree
    owner: str
    runner: BlockingRunner
    commit_runner: BlockingRunner
    """Where uploads are published."""
    is_durable: bool
    """Whether a commit returns only when the upload would survive a power cut."""
    lazy_uploads: set[object]
    """The uploads of the storage source that have no partial yet."""
    trash: TrashBin | None = None
    """Where files that are replaced are kept."""


class LocalUpload:
    """One upload into a partial, which it owns; its calls must not overlap.

    ``replaced``: the facts of the plain file that had the target's name when this was made.
    """

    def __init__(
        self,
        uploads: AccountUploads,
        path: VirtualPath,
        request: WriteRequest,
        partial: PartialFile,
        replaced: os.stat_result | None = None,
    ) -> None:
        self.path = path
        """The name that it is published under; `WriteMode.UNIQUE` may change it."""
        self.offset = 0
        self.partial = partial
        self.descriptor = partial.descriptor
        """The file being written; -1 after the end."""
        self.replaced_size: int | None = None
        """After the commit, the bytes of the file that was replaced."""
        self._uploads = uploads
        self._requested_path = path
        self._request = request
        self._replaced = replaced
        self._is_resumed = False
        self._is_lost = False
        self.replaces_noted = replaced is not None and bool(request.note)
        """Whether it replaces a file, and its note is to be kept."""
        self._keeps_note = False
        self._old_file: int | None = None
        self._copied = 0

    def start(self, offset: int, old_file: int | None = None) -> None:
        """Keep ``offset`` bytes of the partial or, if given, of ``old_file``, which it closes."""
        self._old_file = old_file
        self._is_resumed = old_file is None and offset > 0
        self.offset = offset
        if self.partial.found or offset:
            os.ftruncate(self.descriptor, offset if old_file is None else 0)
            with ignore_unsupported():
                os.fchmod(self.descriptor, 0o600)
            os.lseek(self.descriptor, offset, os.SEEK_SET)

    def prepare(self) -> bool:
        """Copy a part of the old file; return whether there is more to copy."""
        if self._old_file is None:
            return False
        end = min(self._copied + COPY_BYTES_PER_TURN, self.offset)
        self._copied = copy_range(self._old_file, self.descriptor, self._copied, end)
        if self._copied < end:
            raise BadOffset(self.path, "the file has become shorter")
        if self._copied == self.offset:
            os.close(self._old_file)
            self._old_file = None
        return self._old_file is not None

    def write(self, data: bytes) -> None:
        """Write all of ``data``."""
        written = os.write(self.descriptor, data)
        if written < len(data):
            write_all(self.descriptor, data[written:])

    def mark(self) -> None:
        """Mark the partial, so that it can be listed if a crash leaves it behind.

        Of an upload over a file the note is kept as well, even if nothing arrives.
        """
        if self._request.write_mode is not WriteMode.UNIQUE:
            self.partial.mark(self._uploads.owner, self._request.note)
            self._keeps_note = self.replaces_noted

    def discard_on_abandon(self) -> None:
        """Keep nothing of what arrived: there is no space for it, or bytes of it are lost."""
        self._is_lost = True

    def commit(self, is_new: bool = False) -> Entry:
        """Publish the file; after an error, `abandon` has to be called.

        ``is_new``: the upload began so recently that its directory need not be examined again.
        """
        uploads, request, partial = self._uploads, self._request, self.partial
        if request.announced is not None:
            request.check_announced(partial.size - self.offset, self.path)
        # 1. Everything but the content: mode and ACL, or what the replaced file has.
        replaced = self._replaced
        if not is_new or (replaced is not None and replaced.st_nlink > 1):
            replaced = self._file_to_replace()
        self.replaced_size = replaced.st_size if replaced is not None else None
        in_place = not self._set_metadata(replaced, is_new)
        # 2. The content reaches the disk before the name does.
        if uploads.is_durable:
            self._sync()
        # 3. The name. Until then the note shows that an upload was interrupted.
        if in_place:
            facts = self._write_in_place()
        else:
            partial.unmark()
            facts = self._publish(is_new and not uploads.is_durable)
        if uploads.is_durable:
            sync_directory(partial.target.directory)
        return entry_of(self.path.parts[-1], facts)

    def abandon(self) -> None:
        """End without publishing; keep the partial if bytes arrived and it can be resumed.

        One that keeps a note remains, empty, if nothing arrived or what arrived is lost.
        """
        partial = self.partial
        arrived = self._old_file is None and partial.size > self.offset
        is_named = self._request.write_mode is not WriteMode.UNIQUE
        if is_named and (arrived or self._is_resumed) and not self._is_lost:
            self.mark()
            partial.keep()
        elif self._keeps_note and partial.has_name():
            os.ftruncate(self.descriptor, 0)
            self.mark()
            partial.keep()
        else:
            partial.discard()

    def close(self) -> None:
        """Close all descriptors, once."""
        if self._old_file is not None:
            os.close(self._old_file)
            self._old_file = None
        self.descriptor = -1
        self.partial.close()

    def _sync(self) -> None:
        """Flush the bytes to the disk; when that fails, some of them are lost.

        The kernel reports such a failure once and takes the pages for clean after that. An upload
        that resumed from the partial would be reported as complete without them.
        """
        try:
            sync_file(self.descriptor)
        except OSError:
            self._is_lost = True
            raise

    def _file_to_replace(self) -> os.stat_result | None:
        """Return the facts of the plain file that has the target's name now, if there is one.

        One that is about to be replaced by somebody else and kept has two names until then.
        """
        if self._request.write_mode is not WriteMode.REPLACE:
            return None
        target = self.partial.target
        facts = target.facts()
        if facts is not None and facts.st_nlink > 1:
            with locked(target, self.path):
                facts = target.facts()
        if facts is not None and stat.S_ISDIR(facts.st_mode):
            raise IsDirectory(self.path)
        return facts if facts is not None and stat.S_ISREG(facts.st_mode) else None

    def _set_metadata(self, replaced: os.stat_result | None, is_new: bool) -> bool:
        """Give the file all but the content of the replaced one; return whether that succeeded."""
        target = self.partial.target
        if replaced is not None:
            if not is_new:
                require_writable(target, replaced, self.path)
            return copy_metadata(self.descriptor, target.directory, target.name, replaced)
        try:
            os.fchmod(self.descriptor, new_file_mode(target.directory, self._request.mode))
        except OSError as error:
            if error.errno not in UNSUPPORTED_ERRNOS:
                raise
        return True

    def _publish(self, is_new: bool) -> os.stat_result:
        """Rename the partial, or write in place where a rename is refused; return the facts."""
        how, target, trash = self._request.write_mode, self.partial.target, self._uploads.trash
        if how is WriteMode.UNIQUE:
            self._publish_unique()
        else:
            try:
                if trash is None or how is not WriteMode.REPLACE:
                    self.partial.publish(target.name, how is not WriteMode.REPLACE, is_new)
                else:
                    _publish_over(self.partial, self.path, trash, is_new)
            except OSError as error:
                if error.errno not in RENAME_REFUSED_ERRNOS or self._file_to_replace() is None:
                    raise
                return self._write_in_place()
        return os.fstat(self.descriptor)

    def _write_in_place(self) -> os.stat_result:
        """Copy what arrived over the file that has to stay, then remove the partial."""
        target, trash = self.partial.target, self._uploads.trash
        with (
            locked(target, self.path)
            if trash is None
            else trash.replacing(target, self.path, in_place=True)
        ):
            written = write_in_place(self.descriptor, target.directory, target.name, self.path)
        opened, facts = written
        try:
            if self._uploads.is_durable:
                sync_file(opened)
        finally:
            os.close(opened)
        self.partial.discard()
        return facts

    def _publish_unique(self) -> None:
        """Publish under the promised name, or under the next one if that was taken meanwhile."""
        for path in chain([self.path], unique_names(self._requested_path)):
            with suppress(FileExistsError):
                self.partial.publish(encoded(path.name, path), exclusive=True)
                self.path = path
                return


def _publish_over(partial: PartialFile, path: VirtualPath, trash: TrashBin, is_new: bool) -> None:
    """Publish a partial; the file that has the name of its target is kept."""
    with trash.replacing(partial.target, path):
        partial.publish(partial.target.name, False, is_new)
