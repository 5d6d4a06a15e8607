"""System calls of Linux to open and to ask without waiting, most of which Python lacks.

Where the kernel lacks one, it fails with ``ENOSYS`` like the kernel itself, or nothing is known.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import signal
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

__all__ = [
    "AT_FDCWD",
    "BENEATH",
    "BENEATH_IF_CACHED",
    "MACHINE",
    "RESOLVE_CACHED",
    "RESOLVE_NO_SYMLINKS",
    "UNSUPPORTED_ERRNOS",
    "inotify_open",
    "inotify_unwatch",
    "inotify_watch",
    "is_byte_locked",
    "is_cached",
    "is_open_elsewhere",
    "lock_byte",
    "memory_file",
    "open_beneath",
    "process_started_at",
    "punch_hole",
    "read_regular_file",
    "set_dumpable",
    "short_socket_path",
    "system_call",
    "unlock_byte",
]

OPENAT2 = 437
MACHINES = ("x86_64", "aarch64", "riscv64")
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
BENEATH = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
RESOLVE_CACHED = 0x20
"""``EAGAIN`` where the disk would have to be asked (Linux 5.12)."""
AT_FDCWD = -100
BENEATH_IF_CACHED = BENEATH | RESOLVE_CACHED | RESOLVE_NO_XDEV
"""Not into other mounts: what is in the cache of a remote filesystem may hang all the same."""
CACHESTAT = 451
UNSUPPORTED_ERRNOS = (
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EINVAL,
    errno.EXDEV,
)
"""What a kernel, a filesystem or a sandbox says when it lacks a call. Filesystems do not agree on
one of these, so whatever can be done in another way is, after any of them."""
MAX_SOCKET_PATH_BYTES = 107
"""The longest path of a UNIX socket (unix(7))."""
MAX_SOCKET_NAME_BYTES = MAX_SOCKET_PATH_BYTES - len("/proc/self/fd/1234567890/")
PR_SET_DUMPABLE = 4
FALLOC_PUNCH_HOLE = 0x02 | 0x01  # and keep the size
MFD_NOEXEC_SEAL = 0x08
IN_MODIFY, IN_ATTRIB, IN_DELETE_SELF, IN_MOVE_SELF = 0x02, 0x04, 0x400, 0x800
IN_DONT_FOLLOW = 0x02000000
IN_CHANGES = IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
"""A file is written, has another mode or one name less (replaced, removed), is gone, or renamed."""
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
FLOCK = struct.Struct("hhqqi4x")
"""``struct flock`` of a 64-bit process (fcntl(2))."""

# The numbers hold for 64-bit processes only.
MACHINE = platform.machine() if sys.platform == "linux" and sys.maxsize > 2**32 else ""
_libc = ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *args: object) -> int:
    """Call the kernel; raises `OSError`. Interrupted calls are repeated (PEP 475)."""
    while True:
        result = int(_libc.syscall(ctypes.c_long(number), *args))
        if result >= 0:
            return result
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))


def open_beneath(directory: int, name: bytes, flags: int, resolve: int = BENEATH) -> int:
    """Open ``name`` as ``resolve`` says, without ever leaving ``directory``: ``openat2(2)``.

    ``EXDEV`` is raised for whatever would lead out or might, ``ENOSYS`` without such a kernel.
    """
    if MACHINE not in MACHINES:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve)
    return system_call(
        OPENAT2,
        ctypes.c_int(directory),
        ctypes.c_char_p(name),
        ctypes.c_char_p(how),
        ctypes.c_size_t(len(how)),
    )


def is_cached(descriptor: int, offset: int, size: int) -> bool:
    """Return whether all pages of a stretch are in memory: ``cachestat(2)``, Linux 6.5.

    False if the kernel does not support it.
    """
    if not MACHINE or size <= 0:
        return size <= 0
    span = struct.pack("=QQ", offset, size)
    counts = ctypes.create_string_buffer(40)
    try:
        system_call(CACHESTAT, ctypes.c_uint(descriptor), ctypes.c_char_p(span), counts, 0)
    except OSError:
        return False
    pages = (offset + size + PAGE_SIZE - 1) // PAGE_SIZE - offset // PAGE_SIZE
    return int.from_bytes(counts.raw[:8], sys.byteorder) >= pages


def process_started_at(process: int) -> int | None:
    """Return when a process began, in ticks since the machine did; None if that is not known."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, LookupError):
        return None


@contextmanager
def short_socket_path(path: str) -> Iterator[str]:
    """Provide a path of a UNIX socket that is short enough; through ``/proc`` for a long one.

    Raises `OSError` if its directory cannot be opened, or its name is too long.
    """
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        yield path
        return
    directory, name = os.path.split(path)
    if len(os.fsencode(name)) > MAX_SOCKET_NAME_BYTES:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def read_regular_file(
    path: str | os.PathLike[str], limit: int, follows_links: bool = False
) -> bytes:
    """Return the content of a file of at most ``limit`` bytes; raises `OSError` with the reason.

    Neither a FIFO nor a device in its place makes it wait. A symbolic link is refused unless
    ``follows_links``: who may write to the directory could name a file of somebody else.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags if follows_links else flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP and not follows_links:
            raise OSError(errno.ELOOP, "it is a symbolic link, not a file", path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    with open(descriptor, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", path)
    return content


def set_dumpable(is_dumpable: bool) -> None:
    """Allow or forbid core dumps of this process, and debuggers of its user (PR_SET_DUMPABLE).

    A change of the user resets it. Does nothing on another system; see prctl(2).
    """
    if sys.platform == "linux":
        _libc.prctl(PR_SET_DUMPABLE, int(is_dumpable), 0, 0, 0)


def inotify_open() -> int:
    """Return a descriptor to read changes of files from: ``inotify_init1(2)``."""
    return _inotify("inotify_init1", ctypes.c_int(os.O_NONBLOCK | os.O_CLOEXEC))


def inotify_watch(descriptor: int, path: str, follows: bool) -> int:
    """Report changes of a file from now on; returns the number of the watch.

    ``follows``: of what a symbolic link leads to; otherwise, of the link.
    """
    mask = IN_CHANGES if follows else IN_CHANGES | IN_DONT_FOLLOW
    name = ctypes.c_char_p(os.fsencode(path))
    return _inotify("inotify_add_watch", ctypes.c_int(descriptor), name, ctypes.c_uint32(mask))


def inotify_unwatch(descriptor: int, watch: int) -> None:
    """Report changes of a file no more; `OSError` if the file is gone."""
    _inotify("inotify_rm_watch", ctypes.c_int(descriptor), ctypes.c_int(watch))


def _inotify(name: str, *args: object) -> int:
    function = getattr(_libc, name, None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    result = int(function(*args))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def is_open_elsewhere(descriptor: int) -> bool:
    """Return whether a file is open other than by ``descriptor``, in any process (``fcntl(2)``).

    A write lease can be had on a file only that nobody else has open. Where the filesystem has no
    leases, or the file belongs to another user, only this process is asked.
    """
    if hasattr(fcntl, "F_SETLEASE"):
        try:
            # An open while the lease is held sends a signal: one that is ignored, not SIGIO.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except BlockingIOError:
            return True
        except OSError:
            return _is_open_here(descriptor)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    return _is_open_here(descriptor)


def lock_byte(descriptor: int, offset: int, is_shared: bool = False) -> bool:
    """Lock one byte of a file for the open file description; False if another one has it.

    ``is_shared``: others may have the byte as well, if they share it too.

    Descriptors that were inherited or duplicated share a description, and so the lock; the kernel
    releases it when the last of them is closed, as at the end of a killed process. The byte need
    not exist.
    """
    kind = fcntl.F_RDLCK if is_shared else fcntl.F_WRLCK
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _one_byte(kind, offset))
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES (fcntl(2))
        return False
    return True


def unlock_byte(descriptor: int, offset: int) -> None:
    """Release what `lock_byte` has locked."""
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _one_byte(fcntl.F_UNLCK, offset))


@lru_cache(4096)
def _one_byte(kind: int, offset: int) -> bytes:
    """Return a ``struct flock`` for one byte."""
    return FLOCK.pack(kind, os.SEEK_SET, offset, 1, 0)


def is_byte_locked(descriptor: int, offset: int) -> bool:
    """Return whether another open file description has a lock on a byte, shared or not."""
    wanted = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)
    found = FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, wanted))
    return bool(found[0] != fcntl.F_UNLCK)


def punch_hole(descriptor: int, offset: int, size: int) -> None:
    """Give a stretch of a file back to the filesystem; it reads as zeros then (fallocate(2))."""
    stretch = (ctypes.c_int64(offset), ctypes.c_int64(size))
    if _libc.fallocate(ctypes.c_int(descriptor), ctypes.c_int(FALLOC_PUNCH_HOLE), *stretch) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def memory_file(size: int) -> int:
    """Return the descriptor of a new file of ``size`` bytes in memory: ``memfd_create(2)``."""
    try:
        descriptor = os.memfd_create("ftpservice", os.MFD_CLOEXEC | MFD_NOEXEC_SEAL)
    except OSError as error:
        if error.errno != errno.EINVAL:  # Linux before 6.3
            raise
        descriptor = os.memfd_create("ftpservice", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_open_here(descriptor: int) -> bool:
    """Return whether this process has the file open by another descriptor."""
    facts = os.fstat(descriptor)
    for name in os.listdir("/proc/self/fd" if MACHINE else "/dev/fd"):
        try:
            there = os.fstat(int(name))
        except OSError:
            continue
        if os.path.samestat(there, facts) and int(name) != descriptor:
            return True
    return False
