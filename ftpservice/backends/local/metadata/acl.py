"""POSIX access control lists, as far as they decide the permission bits of new files (acl(5)).

A file that is created in a directory with a default ACL inherits it from the kernel, and the umask
does not apply. A partial upload is created with mode 0600, so its ACL grants nothing to other users
while it is hidden. The commit sets the bits that this module computes by ``chmod``; that gives the
same ACL as creating the file with the requested mode.
"""

from __future__ import annotations

import errno
import os
import struct

from ftpservice.backends.local.metadata.extended_attributes import attribute_names, path_of
from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.storage.interfaces import MaskedMode

__all__ = ["ACCESS_ACL", "has_default_acl", "new_file_mode"]

ACCESS_ACL = b"system.posix_acl_access"
DEFAULT_ACL = b"system.posix_acl_default"
ACL_HEADER_SIZE = 4
"""Bytes of the version, before the entries."""
ACL_ENTRY = struct.Struct("<HHI")
"""Tag, permissions, user or group."""
USER_OBJ, GROUP_OBJ, MASK, OTHER = 0x01, 0x04, 0x10, 0x20


def new_file_mode(directory: int, mode: int) -> int:
    """Return the permission bits for a new file in an open directory, created with ``mode``."""
    if DEFAULT_ACL not in attribute_names(directory):
        return mode & 0o777
    acl = _default_acl(directory)
    if not acl:
        return mode & 0o777
    requested = mode.requested if isinstance(mode, MaskedMode) else mode
    return requested & _most_allowed(acl)


def has_default_acl(directory: int) -> bool:
    """Return whether an open directory has a default ACL."""
    return DEFAULT_ACL in attribute_names(directory) and bool(_default_acl(directory))


def _default_acl(directory: int) -> bytes:
    """Return the default ACL in the kernel's format; empty if it has been removed."""
    try:
        return os.getxattr(path_of(directory), DEFAULT_ACL)
    except OSError as error:
        if error.errno not in (errno.ENODATA, *UNSUPPORTED_ERRNOS):
            raise
        return b""


def _most_allowed(acl: bytes) -> int:
    """Return the bits of owner, group class (the mask, if there is one) and others."""
    bits: dict[int, int] = {
        tag: allowed for tag, allowed, _id in ACL_ENTRY.iter_unpack(acl[ACL_HEADER_SIZE:])
    }
    group = bits.get(MASK, bits.get(GROUP_OBJ, 0))
    return bits.get(USER_OBJ, 0) << 6 | group << 3 | bits.get(OTHER, 0)
