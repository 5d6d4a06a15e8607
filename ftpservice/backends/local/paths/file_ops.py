"""Writing, syncing, renaming and copying, as every upload to the disk does it.

Linux system calls are used for renaming and copying, with a slower, portable way where they fail.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ftpservice.linux import MACHINE, UNSUPPORTED_ERRNOS, system_call

__all__ = [
    "copy_range",
    "ignore_unsupported",
    "rename_exclusive",
    "sync_directory",
    "sync_file",
    "write_all",
]


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; a write(2) may take only a part of it."""
    with memoryview(data) as rest:
        written = 0
        while written < len(rest):
            written += os.write(descriptor, rest[written:])


@contextmanager
def ignore_unsupported() -> Iterator[None]:
    """Ignore errors that mean that the kernel or the filesystem lacks a call; raise others."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRNOS:
            raise


def sync_file(opened: int) -> None:
    """Flush a file to the disk, so that its bytes survive a power cut."""
    with ignore_unsupported():
        os.fsync(opened)


def sync_directory(directory: int) -> None:
    """Flush an open directory to the disk, so that its names survive a power cut."""
    try:
        opened = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    except PermissionError:  # the process may write to it, but not read it
        return os.sync()
    try:
        sync_file(opened)
    finally:
        os.close(opened)


RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "riscv64": 276}
RENAME_NOREPLACE = 1
COPY_SIZE = 1 << 20
CANNOT_LINK_ERRNOS = (*UNSUPPORTED_ERRNOS, errno.EACCES, errno.EISDIR, errno.EMLINK)


def _renameat2(source: bytes, target: bytes, source_in: int, target_in: int) -> None:
    if MACHINE not in RENAMEAT2:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    system_call(
        RENAMEAT2[MACHINE],
        ctypes.c_int(source_in),
        ctypes.c_char_p(source),
        ctypes.c_int(target_in),
        ctypes.c_char_p(target),
        ctypes.c_uint(RENAME_NOREPLACE),
    )


def rename_exclusive(source: bytes, target: bytes, source_in: int, target_in: int) -> None:
    """Rename, but raise `FileExistsError` if ``target`` exists; both in open directories.

    If the kernel or the filesystem cannot do that in one step, a file is linked and unlinked. For a
    directory, which can only replace an empty one, the target is checked first.
    """
    try:
        return _renameat2(source, target, source_in, target_in)
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRNOS:
            raise
    try:
        os.link(source, target, src_dir_fd=source_in, dst_dir_fd=target_in, follow_symlinks=False)
    except OSError as error:
        if error.errno not in CANNOT_LINK_ERRNOS:
            raise
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
    """Copy bytes ``start`` to ``end`` to the same offset in ``target``; return where it stopped."""
    while start < end:
        count = _copy_piece(source, target, start, end - start)
        if count == 0:
            break
        start += count
    return start


def _copy_piece(source: int, target: int, start: int, size: int) -> int:
    """Copy inside the kernel if the filesystems can, else through memory."""
    try:
        count = os.copy_file_range(source, target, size, start, start)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in UNSUPPORTED_ERRNOS:
            raise
        count = 0
    return count or os.pwrite(target, os.pread(source, min(size, COPY_SIZE), start), start)
