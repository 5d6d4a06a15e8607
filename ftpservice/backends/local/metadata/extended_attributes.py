"""The names of extended attributes (xattr(7)), in one system call: every upload asks for some."""

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
"""Bytes for names; if there are more, they are listed in another way."""
NameBuffer = ctypes.c_char * NAME_BUFFER_SIZE
SIZE = ctypes.c_size_t(NAME_BUFFER_SIZE)
NO_SUCH_CALL_ERRNOS = (errno.ENOSYS, errno.EPERM, errno.EINVAL)
NO_ATTRIBUTES_ERRNOS = (errno.ENOENT, *UNSUPPORTED_ERRNOS)
"""No file, no ``/proc``, or a filesystem without attributes."""


class _Kernel:
    """What the running kernel offers."""

    has_listxattrat = bool(MACHINE)
    """listxattrat(2), Linux 6.13. The other way goes through ``/proc`` and takes three times as
    long."""


def attribute_names(directory: int, name: bytes = b".") -> list[bytes]:
    """Return the names of the attributes of a file in an open directory, or of the directory."""
    if _Kernel.has_listxattrat:
        buffer = NameBuffer()
        try:
            count = system_call(
                LISTXATTRAT, ctypes.c_int(directory), ctypes.c_char_p(name), FLAGS, buffer, SIZE
            )
            return buffer.raw[:count].split(b"\0")[:-1] if count else []
        except OSError as error:
            if error.errno in NO_SUCH_CALL_ERRNOS:
                _Kernel.has_listxattrat = False
            elif error.errno != errno.ERANGE:
                return _no_names(error)
    if not hasattr(os, "listxattr"):
        return []
    try:
        path = path_of(directory, name)
        return [os.fsencode(text) for text in os.listxattr(path, follow_symlinks=False)]
    except OSError as error:
        return _no_names(error)


def path_of(directory: int, name: bytes = b".") -> bytes:
    """Return a path to a file in an open directory, or to the directory, for other calls."""
    return b"/proc/self/fd/%d/%s" % (directory, name)


def _no_names(error: OSError) -> list[bytes]:
    if error.errno not in NO_ATTRIBUTES_ERRNOS:
        raise error
    return []
