"""System calls of Linux that the standard library lacks; the only place that knows their numbers.

Where the kernel lacks one, it fails with ``ENOSYS`` like the kernel itself, or something slower
and portable takes its place.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

__all__ = [
    "AT_FDCWD",
    "AT_ONCE",
    "BENEATH",
    "RESOLVE_CACHED",
    "copy_range",
    "is_cached",
    "open_beneath",
    "rename_exclusive",
]

OPENAT2 = 437
RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "riscv64": 276}
RENAME_NOREPLACE = 1
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
BENEATH = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
RESOLVE_CACHED = 0x20
AT_FDCWD = -100
AT_ONCE = BENEATH | RESOLVE_CACHED
"""Like `BENEATH`, but ``EAGAIN`` where the disk would have to be asked (Linux 5.12)."""
CACHESTAT = 451
PIECE = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")

# The numbers hold for 64-bit processes only.
_MACHINE = platform.machine() if sys.platform == "linux" and sys.maxsize > 2**32 else ""
_libc = ctypes.CDLL(None, use_errno=True)


def _system_call(number: int, *args: object) -> int:
    """Call the kernel; raises `OSError`. Interrupted calls are repeated (PEP 475)."""
    while True:
        result = int(_libc.syscall(ctypes.c_long(number), *args))
        if result >= 0:
            return result
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))


def open_beneath(directory: int, name: bytes, flags: int, resolve: int = BENEATH) -> int:
    """Open ``name`` without ever leaving ``directory``: ``openat2(2)``.

    ``EXDEV`` is raised for whatever would lead out or might, ``ENOSYS`` without such a kernel.
    """
    if _MACHINE not in RENAMEAT2:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve)
    return _system_call(
        OPENAT2,
        ctypes.c_int(directory),
        ctypes.c_char_p(name),
        ctypes.c_char_p(how),
        ctypes.c_size_t(len(how)),
    )


def is_cached(descriptor: int, offset: int, size: int) -> bool:
    """Tell whether all pages of a stretch are in memory: ``cachestat(2)``, Linux 6.5.

    Where the kernel cannot tell, they are not.
    """
    if not _MACHINE or size <= 0:
        return size <= 0
    span = struct.pack("=QQ", offset, size)
    counts = ctypes.create_string_buffer(40)
    try:
        _system_call(CACHESTAT, ctypes.c_uint(descriptor), ctypes.c_char_p(span), counts, 0)
    except OSError:
        return False
    pages = (offset + size + PAGE - 1) // PAGE - offset // PAGE
    return int.from_bytes(counts.raw[:8], sys.byteorder) >= pages


def _renameat2(source: bytes, target: bytes, source_in: int, target_in: int) -> None:
    if _MACHINE not in RENAMEAT2:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    _system_call(
        RENAMEAT2[_MACHINE],
        ctypes.c_int(source_in),
        ctypes.c_char_p(source),
        ctypes.c_int(target_in),
        ctypes.c_char_p(target),
        ctypes.c_uint(RENAME_NOREPLACE),
    )


def rename_exclusive(source: bytes, target: bytes, source_in: int, target_in: int) -> None:
    """Rename, but raise `FileExistsError` if there is a ``target``; both in open directories.

    Where neither the kernel nor the filesystem can do that in one step, files are linked and
    unlinked, and a directory, which can only ever replace an empty one, is checked first.
    """
    try:
        return _renameat2(source, target, source_in, target_in)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
            raise
    try:
        os.link(source, target, src_dir_fd=source_in, dst_dir_fd=target_in, follow_symlinks=False)
    except (PermissionError, IsADirectoryError):
        _rename_to_free_name(source, target, source_in, target_in)
    else:
        os.unlink(source, dir_fd=source_in)


def _rename_to_free_name(source: bytes, target: bytes, source_in: int, target_in: int) -> None:
    try:
        os.stat(target, dir_fd=target_in, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(source, target, src_dir_fd=source_in, dst_dir_fd=target_in)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def copy_range(source: int, target: int, start: int, end: int) -> int:
    """Copy bytes ``start`` to ``end`` to the same place in ``target``; returns where it stopped."""
    while start < end:
        count = _copy_piece(source, target, start, end - start)
        if count == 0:
            break
        start += count
    return start


def _copy_piece(source: int, target: int, start: int, size: int) -> int:
    """Copy without passing the bytes through here, if the filesystems can."""
    try:
        count = os.copy_file_range(source, target, size, start, start)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _CANNOT_COPY:
            raise
        count = 0
    return count or os.pwrite(target, os.pread(source, min(size, PIECE), start), start)


_CANNOT_COPY = (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)
