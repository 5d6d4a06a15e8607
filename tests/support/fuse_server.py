"""A filesystem in user space (FUSE) that forwards calls to a directory and refuses some.

``python -m tests.support.fuse_server FOLDER MOUNTPOINT`` serves until it is unmounted. The name of
a top directory lists the refused calls below it with their errors: ``link=EPERM,chown=ENOSYS``.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import subprocess
import sys
from typing import Any

from mfusepy import FUSE, FuseOSError, Operations

PR_SET_PDEATHSIG = 1


class Loopback(Operations):
    """Forwards calls to ``folder``."""

    use_ns = True

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def refuse(self, path: str | None, call: str) -> None:
        """Raise the error that the name of the top directory lists for ``call``."""
        for rule in (path or "/").split("/")[1].split(","):
            name, _, code = rule.partition("=")
            if name == call:
                raise FuseOSError(getattr(errno, code))

    def at(self, path: str | None, fh: int | None = None) -> str:
        """Return the real path; for an open file, one that works after its removal."""
        return f"/proc/self/fd/{fh}" if fh is not None else self.folder + (path or "")

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        facts = os.fstat(fh) if fh is not None else os.lstat(self.at(path))
        words = ("mode", "nlink", "uid", "gid", "size", "ino", "atime", "mtime", "ctime")
        times = {f"st_{word}": getattr(facts, f"st_{word}_ns") for word in words[-3:]}
        return {f"st_{word}": getattr(facts, f"st_{word}") for word in words[:-3]} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self.at(path))]

    def readlink(self, path: str) -> str:
        return os.readlink(self.at(path))

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self.at(path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self.at(path))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self.at(path))
        return 0

    def symlink(self, target: str, source: str) -> int:
        os.symlink(source, self.at(target))
        return 0

    def rename(self, old: str, new: str) -> int:
        if os.path.isdir(self.at(old)):
            self.refuse(old, "rename_directory")
        os.rename(self.at(old), self.at(new))
        return 0

    def link(self, target: str, source: str) -> int:
        self.refuse(target, "link")
        os.link(self.at(source), self.at(target), follow_symlinks=False)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self.refuse(path, "chmod")
        os.chmod(self.at(path), mode & 0o7777)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        self.refuse(path, "chown")
        os.chown(self.at(path), uid, gid, follow_symlinks=False)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        self.refuse(path, "utimens")
        os.utime(self.at(path), ns=times, follow_symlinks=False)
        return 0

    def open(self, path: str, flags: int) -> int:
        return os.open(self.at(path), flags & ~os.O_NOFOLLOW & ~os.O_APPEND)

    def create(self, path: str, mode: int, fi: object = None) -> int:
        return os.open(self.at(path), os.O_RDWR | os.O_CREAT, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self.at(path, fh), length)
        return 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self.refuse(path, "fsync")
        os.fsync(fh)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self.refuse(path, "fsyncdir")
        return 0

    def flock(self, path: str, fh: int, op: int) -> int:
        self.refuse(path, "flock")
        fcntl.flock(fh, op)
        return 0

    def fallocate(self, path: str, mode: int, offset: int, size: int, fh: int) -> int:
        self.refuse(path, "fallocate")
        os.posix_fallocate(fh, offset, size)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        self.refuse(path, "statfs")
        facts = os.statvfs(self.at(path))
        words = ("bsize", "frsize", "blocks", "bfree", "bavail", "files", "ffree", "favail")
        return {f"f_{word}": getattr(facts, f"f_{word}") for word in (*words, "namemax")}

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        self.refuse(path, "setxattr")
        os.setxattr(self.at(path), name, value, options, follow_symlinks=False)
        return 0

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        self.refuse(path, "getxattr")
        return os.getxattr(self.at(path), name, follow_symlinks=False)

    def listxattr(self, path: str) -> list[str]:
        self.refuse(path, "listxattr")
        return os.listxattr(self.at(path), follow_symlinks=False)

    def removexattr(self, path: str, name: str) -> int:
        self.refuse(path, "removexattr")
        os.removexattr(self.at(path), name, follow_symlinks=False)
        return 0


def serve(folder: str, mountpoint: str) -> None:
    """Serve until unmounted, or until the parent process ends; nothing stays mounted."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)  # a sync takes no time
    try:
        # one thread is enough for one client
        FUSE(Loopback(folder), mountpoint, foreground=True, nothreads=True)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
