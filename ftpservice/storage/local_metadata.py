"""What a new file takes over from the one it replaces: owner, group, ACL, extended attributes."""

from __future__ import annotations

import errno
import os

from ftpservice.flow.calls import CANNOT
from ftpservice.storage.local_acl import ACCESS_ACL

__all__ = ["take_over"]

NOT_COPIED = (
    "security.capability",  # the kernel drops it with every write
    "security.ima",  # about the content
    "security.evm",  # about this very inode
    "trusted.overlay.",
)
"""Attributes, by how they begin, that belong to the old content or to the kernel."""
REFUSED = (*CANNOT, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.E2BIG, errno.ERANGE)


def take_over(opened: int, directory: int, name: bytes, old: os.stat_result) -> bool:
    """Give an open new file all that ``name``, whose facts are ``old``, has besides its content.

    False if it cannot: the filesystem or the kernel refuses, or ``old`` has other names.
    """
    if old.st_nlink > 1:
        return False
    try:
        new = os.fstat(opened)
        _copy_owner(opened, old, new)
        _copy_attributes(opened, b"/proc/self/fd/%d/%s" % (directory, name))
        if (old.st_mode ^ new.st_mode) & 0o777:  # last, since these bits are an ACL's mask too
            os.fchmod(opened, old.st_mode & 0o777)
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        return False
    return True


def _copy_owner(opened: int, old: os.stat_result, new: os.stat_result) -> None:
    user = -1 if new.st_uid == old.st_uid else old.st_uid
    group = -1 if new.st_gid == old.st_gid else old.st_gid
    if (user, group) != (-1, -1):
        os.fchown(opened, user, group)


def _copy_attributes(opened: int, old: bytes) -> None:
    """Copy those that differ, and remove an ACL that only the directory gave."""
    if not hasattr(os, "listxattr"):
        return
    wanted, present = _attributes(old), _attributes(opened)
    for name in wanted:
        value = os.getxattr(old, name, follow_symlinks=False)
        if name not in present or os.getxattr(opened, name) != value:
            os.setxattr(opened, name, value)
    if ACCESS_ACL in present and ACCESS_ACL not in wanted:
        os.removexattr(opened, ACCESS_ACL)


def _attributes(what: bytes | int) -> list[str]:
    try:
        names = os.listxattr(what) if isinstance(what, int) else _names_at(what)
    except OSError as error:
        if error.errno not in (*CANNOT, errno.ENOENT):
            raise
        return []
    return [name for name in names if not name.startswith(NOT_COPIED)]


def _names_at(path: bytes) -> list[str]:
    return os.listxattr(path, follow_symlinks=False)
