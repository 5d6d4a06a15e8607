"""Writing over a file whose inode has to stay, so it cannot be replaced by a rename.

That is a file with several hard links, one whose owner, ACL or attributes a new file cannot have,
and one that a rename is refused for (a mount point, EBUSY; in a sticky directory, EPERM). The
complete upload is in the partial by then, so an interrupted upload still changes nothing. During
the copy, other processes may read a mixture of old and new content. If the machine or the process
ends during the copy, the file stays mixed; the partial is removed only afterwards.
"""

from __future__ import annotations

import errno
import os

from ftpservice.backends.local.files.file_locks import exclusive_lock
from ftpservice.backends.local.metadata.stat import require_file
from ftpservice.backends.local.paths.file_ops import copy_range
from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.storage.errors import Unavailable
from ftpservice.wire.paths import VirtualPath

__all__ = ["RENAME_REFUSED_ERRNOS", "SET_ID_BITS", "drop_set_id", "write_in_place"]

WRITE_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
SET_ID_BITS = 0o6000
"""The set-user-ID and set-group-ID bits."""
RENAME_REFUSED_ERRNOS = (errno.EBUSY, errno.EACCES, *UNSUPPORTED_ERRNOS)
"""What a rename fails with if it may not replace its target."""


def write_in_place(
    source: int, directory: int, name: bytes, path: VirtualPath
) -> tuple[int, os.stat_result]:
    """Copy an open file over the plain file ``name``; return that file, open, and its facts."""
    opened = os.open(name, WRITE_FLAGS, dir_fd=directory)
    try:
        require_file(os.fstat(opened), path)
        with exclusive_lock(opened, path):
            _copy(source, opened, path)
        return opened, os.fstat(opened)
    except BaseException:
        os.close(opened)
        raise


def _copy(source: int, opened: int, path: VirtualPath) -> None:
    facts, size = os.fstat(opened), os.fstat(source).st_size
    _allocate(opened, facts.st_size, size)
    drop_set_id(opened, facts)
    if copy_range(source, opened, 0, size) < size:
        raise Unavailable(path, "the partial has become shorter")
    os.ftruncate(opened, size)


def drop_set_id(opened: int, facts: os.stat_result) -> None:
    """Clear set-user-ID and set-group-ID of a file that is written to.

    The kernel does that for all users except root.
    """
    if facts.st_mode & SET_ID_BITS:
        os.fchmod(opened, facts.st_mode & 0o7777 & ~SET_ID_BITS)


def _allocate(opened: int, old: int, new: int) -> None:
    """Allocate the space for a file that grows; without space the old content is kept."""
    if new <= old or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(opened, old, new - old)
    except OSError as error:
        if error.errno in UNSUPPORTED_ERRNOS:
            return
        os.ftruncate(opened, old)
        raise
