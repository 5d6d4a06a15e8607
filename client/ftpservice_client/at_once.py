"""What can be read here without waiting for the disk; only the kernel (Linux) knows.

Where it cannot tell, nothing can be: then a thread waits.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

__all__ = ["is_cached", "open_cached"]

OPENAT2, CACHESTAT = 437, 451
"""Numbers of system calls, on 64-bit machines of these kinds."""
MACHINES = ("x86_64", "aarch64", "riscv64")
AT_FDCWD = -100
RESOLVE_CACHED = 0x20
PAGE = os.sysconf("SC_PAGE_SIZE")

_IS_KNOWN = sys.platform == "linux" and sys.maxsize > 2**32 and platform.machine() in MACHINES
_libc = ctypes.CDLL(None, use_errno=True)


def _system_call(number: int, *args: object) -> int:
    """Call the kernel; raises `OSError`."""
    if not _IS_KNOWN:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    result = int(_libc.syscall(ctypes.c_long(number), *args))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def open_cached(path: str | os.PathLike[str], flags: int) -> int | None:
    """Open what is there, if the kernel has the way to it in memory (Linux 5.12), else nothing."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, RESOLVE_CACHED)
    name, size = ctypes.c_char_p(os.fsencode(path)), ctypes.c_size_t(len(how))
    try:
        return _system_call(OPENAT2, ctypes.c_int(AT_FDCWD), name, ctypes.c_char_p(how), size)
    except OSError:
        return None


def is_cached(descriptor: int, offset: int, size: int) -> bool:
    """Tell whether all of a stretch is in memory (Linux 6.5)."""
    if size <= 0:
        return True
    span = struct.pack("=QQ", offset, size)
    counts = ctypes.create_string_buffer(40)
    try:
        _system_call(CACHESTAT, ctypes.c_uint(descriptor), ctypes.c_char_p(span), counts, 0)
    except OSError:
        return False
    pages = (offset + size + PAGE - 1) // PAGE - offset // PAGE
    return int.from_bytes(counts.raw[:8], sys.byteorder) >= pages
