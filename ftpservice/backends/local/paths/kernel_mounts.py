"""Which directories are on filesystems that may stop answering: the kernel's table of mounts.

Reading the table asks no filesystem, so it never hangs (proc(5)).
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["KernelMounts", "hanging_part", "parse_mounts"]

TABLE = "/proc/self/mountinfo"
LOCAL_TYPES = frozenset(
    (
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "zfs", "jfs", "nilfs2"),
        *("tmpfs", "ramfs", "rootfs", "devtmpfs", "overlay", "aufs", "squashfs", "erofs", "ubifs"),
        *("vfat", "exfat", "ntfs3", "hfsplus", "iso9660", "udf", "reiserfs", "minix", "proc"),
        *("sysfs", "devpts", "cgroup", "cgroup2", "mqueue", "hugetlbfs", "debugfs", "tracefs"),
        *("securityfs", "pstore", "bpf", "configfs", "fusectl", "efivarfs", "binfmt_misc"),
    )
)
"""What the kernel answers for with a disk of this machine, or without any. Others, such as fuse,
nfs4, cifs, ceph and 9p, wait for a program or another machine."""
READ_SIZE = 1 << 16
ESCAPE = re.compile(rb"\\([0-7]{3})")


class KernelMounts:
    """The table, in the reactor thread; `read` is called where ``changes.poll(0)`` is not empty."""

    def __init__(self, table: str = TABLE) -> None:
        self.changes = select.poll()
        """Has an event after a change; always empty if there is no table."""
        self.hanging: Mapping[bytes, bool] = {}
        """Mount points, and whether their filesystem may stop answering; empty if none may."""
        self._descriptor = -1
        with suppress(OSError):  # another kernel
            self._descriptor = os.open(table, os.O_RDONLY | os.O_CLOEXEC)
            self.changes.register(self._descriptor, select.POLLPRI | select.POLLERR)
            self.read()

    def read(self) -> None:
        """Read the table again."""
        if self._descriptor < 0:
            return
        content = b""
        while piece := os.pread(self._descriptor, READ_SIZE, len(content)):
            content += piece
        self.hanging = parse_mounts(content)

    def close(self) -> None:
        """Watch no more."""
        if self._descriptor >= 0:
            self.changes.unregister(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


def parse_mounts(table: bytes) -> dict[bytes, bool]:
    """Return mount points, and whether each may hang; empty if none may."""
    found = dict(_mount(line) for line in table.splitlines())
    return found if any(found.values()) else {}


def _mount(line: bytes) -> tuple[bytes, bool]:
    """Return the mount point of a line, and whether it may hang; the last line of one counts."""
    before, _, after = line.partition(b" - ")
    point = ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), before.split()[4])
    return point, after.split()[0].decode() not in LOCAL_TYPES


def hanging_part(mounts: Mapping[bytes, bool], path: bytes) -> tuple[bytes, bool] | None:
    """Return the part of the tree whose calls may hang together with those of a directory.

    That is the mount point of its filesystem, or the directory itself where a mount below it may
    hang; and whether the directory itself is on such a filesystem. None if neither may hang.
    """
    point = path
    while point not in mounts and point != b"/":
        point = os.path.dirname(point)
    if mounts.get(point, False):
        return point, True
    below = os.path.join(path, b"")
    if any(may_hang and one.startswith(below) for one, may_hang in mounts.items()):
        return path, False
    return None
