"""Copies of files to other filesystems, and of files whose inode stays in its place.

A copy gets its name in the last step, when it is complete.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from ftpservice.backends.local.paths.file_ops import copy_range, rename_exclusive, sync_file
from ftpservice.storage.errors import Busy, Denied
from ftpservice.wire.paths import VirtualPath

__all__ = ["copy_to", "move_to"]

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PRIVATE_MODE = 0o600


def copy_to(
    source: tuple[int, bytes], target: tuple[int, bytes], temporary: bytes, path: VirtualPath
) -> None:
    """Copy a file or a link; names are pairs of an open directory and a name in it.

    Nothing is replaced: raises `FileExistsError`. Raises `Busy` if the file changes meanwhile, and
    `Denied` for what cannot be copied.
    """
    directory, name = source
    facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISLNK(facts.st_mode):
        os.symlink(os.readlink(name, dir_fd=directory), target[1], dir_fd=target[0])
        return
    if not stat.S_ISREG(facts.st_mode):
        raise Denied(path, "neither a file nor a link")
    opened = os.open(name, READ_FLAGS, dir_fd=directory)
    try:
        copy = os.open(temporary, CREATE_FLAGS, PRIVATE_MODE, dir_fd=target[0])
        try:
            _fill(opened, copy, path)
            rename_exclusive(temporary, target[1], target[0], target[0])
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=target[0])
            raise
        finally:
            os.close(copy)
    finally:
        os.close(opened)


def _fill(opened: int, copy: int, path: VirtualPath) -> None:
    before = os.fstat(opened)
    copied = copy_range(opened, copy, 0, before.st_size)
    after = os.fstat(opened)
    if (copied, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Busy(path, "it changed while it was copied")
    for attribute in (
        lambda: os.fchown(copy, before.st_uid, before.st_gid),
        lambda: os.fchmod(copy, before.st_mode & 0o777),
        lambda: os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns)),
    ):
        with suppress(OSError):  # a filesystem may lack it
            attribute()
    sync_file(copy)


def move_to(
    source: tuple[int, bytes], target: tuple[int, bytes], temporary: bytes, path: VirtualPath
) -> None:
    """Copy a file or a link to another filesystem, then remove it; see `copy_to`."""
    before = os.stat(source[1], dir_fd=source[0], follow_symlinks=False)
    copy_to(source, target, temporary, path)
    now = os.stat(source[1], dir_fd=source[0], follow_symlinks=False)
    if not os.path.samestat(before, now):
        os.unlink(target[1], dir_fd=target[0])
        raise Busy(path, "another file took its name while it was copied")
    os.unlink(source[1], dir_fd=source[0])
