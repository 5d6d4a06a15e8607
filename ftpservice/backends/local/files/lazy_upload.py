"""Uploads that have not begun: a small file is created, filled and published in one pool call."""

from __future__ import annotations

import errno
import os
import stat
from enum import Enum

from ftpservice.backends.local.files.open_upload import begin_upload
from ftpservice.backends.local.files.upload import AccountUploads, LocalUpload
from ftpservice.backends.local.metadata.access import is_writable
from ftpservice.backends.local.metadata.stat import O_PATH, require_file
from ftpservice.backends.local.paths.names import check_new_name, encoded
from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.linux import BENEATH_IF_CACHED, open_beneath
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.wire.paths import VirtualPath

__all__ = ["LazyUpload", "lazy_upload_for"]


class There(Enum):
    """What has the name of an upload."""

    NOTHING = "nothing"
    FILE = "a plain file that can be replaced"
    UNKNOWN = "not known without the disk"
    UNSUITABLE = "something for which the disk has to be asked"


MAY_CREATE = os.W_OK | os.X_OK
"""What a process may do with a directory in which it may create files."""


class LazyUpload:
    """An upload that will succeed as far as the kernel knows without the disk; owns ``target``."""

    offset = 0
    descriptor = -1

    def __init__(
        self,
        uploads: AccountUploads,
        path: VirtualPath,
        request: WriteRequest,
        target: DirectoryEntry,
        may_replace: bool,
    ) -> None:
        self.path = path
        self._uploads = uploads
        self._request = request
        self._target: DirectoryEntry | None = target
        self.may_replace_noted = may_replace and bool(request.note)
        """Whether there may be a file that it replaces, so that its note is to be kept."""
        uploads.lazy_uploads.add(self)

    def targets_directory(self, directory: os.stat_result) -> bool:
        """Return whether the file will be in a directory, which then counts as not empty."""
        target = self._target
        if target is None:
            return False
        try:
            return os.path.samestat(os.fstat(target.directory), directory)
        except OSError:
            return False  # it is being closed

    def begin(self) -> LocalUpload:
        """Create the partial, in a thread; raises `OSError` and what `begin_upload` does."""
        target, self._target = self._target, None
        if target is None:
            raise Unavailable(self.path, "the transaction is over")
        try:
            return begin_upload(self._uploads, self.path, self._request, target)
        finally:
            self._uploads.lazy_uploads.discard(self)

    def close(self) -> None:
        """Close the directory, if the upload has not begun."""
        self._uploads.lazy_uploads.discard(self)
        target, self._target = self._target, None
        if target is not None:
            target.close()


def lazy_upload_for(
    uploads: AccountUploads, path: VirtualPath, request: WriteRequest
) -> LazyUpload | None:
    """Return an upload of a new file, or over a plain one, if that needs no disk; else None.

    One over a file whose request has a note needs it: the partial keeps the note from the begin on.
    Raises `OSError` and what `IStorage.open_writing` does where the failure is certain.
    """
    if request.write_mode is not WriteMode.REPLACE or request.offset or not path.parts:
        return None
    name = encoded(path.parts[-1], path)
    if name[:1] == b"." or not name.isascii():
        check_new_name(path)
    try:
        target = uploads.tree.parent_if_cached(path, name)
    except OSError:
        return None
    if target is None:
        return None
    try:
        there = _what_is_there(target, path)
        if there is not There.UNSUITABLE and not (there is There.FILE and request.note):
            return LazyUpload(uploads, path, request, target, there is not There.NOTHING)
    except BaseException:
        target.close()
        raise
    target.close()
    return None


def _what_is_there(target: DirectoryEntry, path: VirtualPath) -> There:
    """Return what the upload would replace; errors of the disk are reported later."""
    if not os.access(b".", MAY_CREATE, dir_fd=target.directory, effective_ids=True):
        return There.UNSUITABLE
    try:
        opened = open_beneath(
            target.directory, target.name, O_PATH | os.O_NOFOLLOW, BENEATH_IF_CACHED
        )
    except OSError as error:
        return There.NOTHING if error.errno == errno.ENOENT else There.UNKNOWN
    try:
        facts = os.fstat(opened)
    finally:
        os.close(opened)
    if stat.S_ISLNK(facts.st_mode):
        return There.UNSUITABLE
    require_file(facts, path)
    return There.FILE if is_writable(target, facts) else There.UNSUITABLE
