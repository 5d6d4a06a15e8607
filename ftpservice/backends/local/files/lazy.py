"""Uploads that have not begun: a small one is made, filled and published in one pool call."""

from __future__ import annotations

import os
import stat

from ftpservice.backends.local.files.opening import begin_upload
from ftpservice.backends.local.files.request import LocalUpload, UploadRequest
from ftpservice.backends.local.metadata.access import is_writable
from ftpservice.backends.local.metadata.stat import O_PATH, require_file
from ftpservice.backends.local.paths.names import check_new_name, encoded
from ftpservice.backends.local.paths.path_walk import DIRECTORY_FLAGS
from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.linux import BENEATH_IF_CACHED, open_beneath
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import WriteMode

__all__ = ["LazyUpload", "lazy_upload_for"]

WRITABLE = os.W_OK | os.X_OK


class LazyUpload:
    """An upload that can be made as far as memory tells; takes over its place."""

    offset = 0
    descriptor = -1

    def __init__(self, order: UploadRequest, place: DirectoryEntry) -> None:
        self.path = order.path
        self._order = order
        self._place: DirectoryEntry | None = place
        order.lazy_uploads.add(self)

    def targets_directory(self, directory: os.stat_result) -> bool:
        """Tell whether the file is to be in a directory, which then is not empty."""
        place = self._place
        if place is None:
            return False
        try:
            return os.path.samestat(os.fstat(place.directory), directory)
        except OSError:
            return False  # it ends just now

    def begin(self) -> LocalUpload:
        """Make it, in a thread; raises `OSError` and what `IStorage.open_writing` does."""
        place, self._place = self._place, None
        if place is None:
            raise Unavailable(self.path, "the transaction is over")
        try:
            with place:
                return begin_upload(self._order, place)
        finally:
            self._order.lazy_uploads.discard(self)

    def close(self) -> None:
        """Let go of the place, if nothing came of it."""
        self._order.lazy_uploads.discard(self)
        place, self._place = self._place, None
        if place is not None:
            place.close()


def lazy_upload_for(order: UploadRequest) -> LazyUpload | None:
    """Promise a new file, or one in place of a plain one, if that needs no disk; else None.

    Raises `InvalidName`, `IsDirectory` and others that are certain.
    """
    if order.request.how is not WriteMode.REPLACE or order.request.offset or order.path.is_root:
        return None
    check_new_name(order.path)
    name = encoded(order.path.name, order.path)
    try:
        directory = order.tree.open_if_cached(order.path.parent, DIRECTORY_FLAGS)
    except OSError:
        return None
    if directory is None:
        return None
    place = DirectoryEntry(directory, name)
    try:
        if _is_writable(place, order):
            return LazyUpload(order, place)
    except BaseException:
        place.close()
        raise
    place.close()
    return None


def _is_writable(place: DirectoryEntry, order: UploadRequest) -> bool:
    """Tell whether a plain file can come there; what is not known by now shows later."""
    if not os.access(b".", WRITABLE, dir_fd=place.directory, effective_ids=True):
        return False
    try:
        opened = open_beneath(
            place.directory, place.name, O_PATH | os.O_NOFOLLOW, BENEATH_IF_CACHED
        )
    except OSError:
        return True
    try:
        facts = os.fstat(opened)
    finally:
        os.close(opened)
    if stat.S_ISLNK(facts.st_mode):
        return False
    require_file(facts, order.path)
    return is_writable(place, facts)
