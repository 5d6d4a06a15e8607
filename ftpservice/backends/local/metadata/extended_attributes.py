"""The names of extended attributes, at the least cost: every upload asks for some."""

from __future__ import annotations

import ctypes
import errno
import os

from ftpservice.linux import MACHINE, UNSUPPORTED_ERRNOS, system_call

__all__ = ["attribute_names", "path_of"]

LISTXATTRAT = 465
AT_SYMLINK_NOFOLLOW = 0x100
FLAGS = ctypes.c_uint(AT_SYMLINK_NOFOLLOW)
NAME_BUFFER_SIZE = 512
"""Bytes of names; where there are more, they are asked for in another way."""
SIZE = ctypes.c_size_t(NAME_BUFFER_SIZE)
NO_SUCH_CALL = (errno.ENOSYS, errno.EPERM, errno.EINVAL)
NOTHING_TO_TELL = (errno.ENOENT, *UNSUPPORTED_ERRNOS)
"""No file, no ``/proc``, or a filesystem without attributes."""


class _Kernel:
    """What the running kernel knows."""

    has_listxattrat = bool(MACHINE)
    """Linux 6.13; what it replaces goes through ``/proc``, which takes three times as long."""


def attribute_names(directory: int, name: bytes = b".") -> list[bytes]:
    """Return the names of the attributes of a file in an open directory, or of that itself."""
    try:
        if _Kernel.has_listxattrat:
            return _names_at(directory, name)
    except OSError as error:
        if error.errno in NO_SUCH_CALL:
            _Kernel.has_listxattrat = False
        elif error.errno != errno.ERANGE:
            return _nothing(error)
    if not hasattr(os, "listxattr"):
        return []
    try:
        path = path_of(directory, name)
        return [os.fsencode(text) for text in os.listxattr(path, follow_symlinks=False)]
    except OSError as error:
        return _nothing(error)


def path_of(directory: int, name: bytes = b".") -> bytes:
    """Return a path to a file in an open directory, or to that itself, for other calls."""
    return b"/proc/self/fd/%d/%s" % (directory, name)


def _names_at(directory: int, name: bytes) -> list[bytes]:
    room = ctypes.create_string_buffer(NAME_BUFFER_SIZE)
    count = system_call(
        LISTXATTRAT, ctypes.c_int(directory), ctypes.c_char_p(name), FLAGS, room, SIZE
    )
    return room.raw[:count].split(b"\0")[:-1] if count else []


def _nothing(error: OSError) -> list[bytes]:
    if error.errno not in NOTHING_TO_TELL:
        raise error
    return []
