"""Writing over a file that cannot be replaced: its inode has to stay.

That is a file with several names, one whose owner, ACL or attributes a new file cannot get, and one
that no rename reaches (mounted by itself, EBUSY; in a sticky directory, EPERM). All that is to be
written is in the partial by then, so a cut upload still changes nothing. While it is copied, other
processes may read some of the old and some of the new content, and if the machine or the process
ends in that moment, the file stays so; the partial, which is whole, goes only after the copy.
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
"""The bits by which a program runs as its owner or group."""
RENAME_REFUSED_ERRNOS = (errno.EBUSY, errno.EACCES, *UNSUPPORTED_ERRNOS)
"""What a rename says that may not replace its target."""


def write_in_place(
    source: int, directory: int, name: bytes, path: VirtualPath
) -> tuple[int, os.stat_result]:
    """Copy an open file over the plain file ``name``; returns that, open, and its facts."""
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
    _reserve(opened, facts.st_size, size)
    drop_set_id(opened, facts)
    if copy_range(source, opened, 0, size) < size:
        raise Unavailable(path, "the partial has become shorter")
    os.ftruncate(opened, size)


def drop_set_id(opened: int, facts: os.stat_result) -> None:
    """Clear set-user-ID and set-group-ID of a file that is written to.

    The kernel does that for all but root.
    """
    if facts.st_mode & SET_ID_BITS:
        os.fchmod(opened, facts.st_mode & 0o7777 & ~SET_ID_BITS)


def _reserve(opened: int, old: int, new: int) -> None:
    """Have the space for a file that grows; without it the old content stays as it is."""
    if new <= old or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(opened, old, new - old)
    except OSError as error:
        if error.errno in UNSUPPORTED_ERRNOS:
            return
        os.ftruncate(opened, old)
        raise
