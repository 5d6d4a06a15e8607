"""Copying owner, group, ACL and extended attributes from a replaced file to the new one."""

from __future__ import annotations

import errno
import os

from ftpservice.backends.local.metadata.acl import ACCESS_ACL
from ftpservice.backends.local.metadata.extended_attributes import attribute_names, path_of
from ftpservice.linux import UNSUPPORTED_ERRNOS

__all__ = ["copy_metadata"]

NOT_COPIED = (
    b"security.capability",  # the kernel drops it with every write
    b"security.ima",  # about the content
    b"security.evm",  # about this very inode
    b"trusted.overlay.",
)
"""Prefixes of attributes that belong to the old content or to the kernel."""
REFUSED = (*UNSUPPORTED_ERRNOS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.E2BIG, errno.ERANGE)


def copy_metadata(opened: int, directory: int, name: bytes, old: os.stat_result) -> bool:
    """Give an open new file everything but the content of ``name``, whose facts are ``old``.

    False if that is impossible: the filesystem or the kernel refuses, or ``old`` has other links.
    """
    if old.st_nlink > 1:
        return False
    try:
        new = os.fstat(opened)
        _copy_owner(opened, old, new)
        _copy_attributes(opened, directory, name)
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


def _copy_attributes(opened: int, directory: int, name: bytes) -> None:
    """Copy those that differ, and remove an ACL inherited only from the directory."""
    wanted = attribute_names(directory, name)
    present = _names(opened)
    for attribute in wanted:
        if not attribute.startswith(NOT_COPIED):
            value = os.getxattr(path_of(directory, name), attribute, follow_symlinks=False)
            if attribute not in present or os.getxattr(opened, attribute) != value:
                os.setxattr(opened, attribute, value)
    if ACCESS_ACL in present and ACCESS_ACL not in wanted:
        os.removexattr(opened, ACCESS_ACL)


def _names(opened: int) -> list[bytes]:
    if not hasattr(os, "listxattr"):
        return []
    try:
        return [os.fsencode(name) for name in os.listxattr(opened)]
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRNOS:
            raise
        return []
