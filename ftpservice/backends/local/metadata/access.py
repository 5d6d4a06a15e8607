"""What this process may do with files on the disk, as the kernel decides it.

For its own files, for a process that the kernel does not restrict, and on filesystems without ACLs
this is computed from the permission bits, so that a long listing needs no system call per entry.
For other files the kernel is asked: the bits do not show what an ACL grants or denies.
"""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache
from typing import NamedTuple

from ftpservice.backends.local.metadata.acl import ACCESS_ACL
from ftpservice.backends.local.paths.tree import DirectoryEntry, DirectoryTree
from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.storage.errors import Denied, PathNotFound
from ftpservice.wire.entry import ENTER, READ, REMOVE, WRITE
from ftpservice.wire.paths import VirtualPath

__all__ = ["UNKNOWN", "DirectoryAccess", "access_at", "is_writable", "require_writable"]

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER = 1 << 1, 1 << 2, 1 << 3
MODIFY_DIRECTORY = WRITE | ENTER
UNKNOWN = -1
"""No `Entry.access`."""


class ProcessCredentials(NamedTuple):
    """The user, groups and capabilities by which the kernel decides."""

    user: int
    groups: frozenset[int]
    capabilities: int

    @classmethod
    def now(cls) -> ProcessCredentials:
        """Return the current ones; twistd changes them after the start (``--uid``)."""
        return _credentials(os.geteuid(), os.getegid())

    def allowed(self, facts: os.stat_result) -> int:
        """Return what the permission bits allow, without any ACL."""
        mode = facts.st_mode
        if facts.st_uid == self.user:
            mode >>= 6
        elif facts.st_gid in self.groups:
            mode >>= 3
        allowed = mode & 0o7
        if self.capabilities & CAP_DAC_OVERRIDE:
            allowed |= READ | WRITE | ENTER
        elif self.capabilities & CAP_DAC_READ_SEARCH:
            allowed |= READ | ENTER * stat.S_ISDIR(mode)
        return allowed

    def is_certain(self, facts: os.stat_result) -> bool:
        """Return whether no ACL can change the result of `allowed`."""
        return facts.st_uid == self.user or bool(self.capabilities & CAP_DAC_OVERRIDE)


@lru_cache(maxsize=16)
def _credentials(user: int, group: int) -> ProcessCredentials:
    return ProcessCredentials(user, frozenset({group, *os.getgroups()}), _capabilities(user))


def _capabilities(user: int) -> int:
    """Return the effective capabilities (capabilities(7)); root in a container may lack some."""
    try:
        with open("/proc/thread-self/status", "rb") as file:
            found = [line.split()[1] for line in file if line.startswith(b"CapEff:")]
        return int(found[0], 16)
    except (OSError, IndexError, ValueError):
        return 0 if user else CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH | CAP_FOWNER


class DirectoryAccess:
    """What the process may do with the entries of an open directory."""

    def __init__(self, directory: int) -> None:
        self._directory = directory
        self._credentials = ProcessCredentials.now()
        self._facts = os.fstat(directory)
        self._is_read_only = _is_read_only(directory)
        self._has_acls: bool | None = None
        self.known: dict[tuple[int, int, int], int] = {}
        """Results that are the same for every entry with these bits, owner and group."""
        self.itself = self._of(b".", self._facts)
        self._modifies = self.itself & MODIFY_DIRECTORY == MODIFY_DIRECTORY

    def of(self, name: str | bytes, facts: os.stat_result) -> int:
        """Return what may be done with the entry ``name``, which has ``facts``."""
        access = self._of(name, facts) | self._removal(facts)
        if self._credentials.is_certain(facts) or self._has_acls is False:
            self.known[(facts.st_mode, facts.st_uid, facts.st_gid)] = access
        return access

    def _removal(self, facts: os.stat_result) -> int:
        """Return `REMOVE` if the entry may be renamed and removed."""
        if not self._modifies:
            return 0
        mine = (facts.st_uid, self._facts.st_uid)
        free = not self._facts.st_mode & stat.S_ISVTX or self._credentials.user in mine
        return REMOVE if free or self._credentials.capabilities & CAP_FOWNER else 0

    def _of(self, name: str | bytes, facts: os.stat_result) -> int:
        allowed = self._credentials.allowed(facts)
        if not self._credentials.is_certain(facts) and not stat.S_ISLNK(facts.st_mode):
            if self._has_acls is None:
                self._has_acls = _supports_acls(self._directory)
            if self._has_acls:
                allowed = self._asked(name, facts)
        return allowed & ~WRITE if self._is_read_only else allowed

    def _asked(self, name: str | bytes, facts: os.stat_result) -> int:
        """Ask the kernel about the bits that an ACL may grant, which are not the owner's."""
        most = facts.st_mode >> 3 | facts.st_mode
        asked = (READ, WRITE, ENTER) if stat.S_ISDIR(facts.st_mode) else (READ, WRITE)
        return sum(bit for bit in asked if most & bit and _access(name, bit, self._directory))


def _is_read_only(directory: int) -> bool:
    try:
        return bool(os.fstatvfs(directory).f_flag & os.ST_RDONLY)
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRNOS:
            raise
        return False


def _access(name: str | bytes, bit: int, directory: int) -> bool:
    return os.access(name, bit, dir_fd=directory, effective_ids=True, follow_symlinks=False)


def _supports_acls(directory: int) -> bool:
    """Return whether files in an open directory may have ACLs."""
    try:
        os.getxattr(f"/proc/self/fd/{directory}", ACCESS_ACL)
    except AttributeError:
        return True  # not Linux: ask the kernel
    except OSError as error:
        return error.errno not in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
    return True


def is_writable(place: DirectoryEntry, facts: os.stat_result) -> bool:
    """Return whether this process may write to a file; False may be wrong (`require_writable`)."""
    if facts.st_mode & stat.S_IWUSR and facts.st_uid == os.geteuid():
        return True
    return _access(place.name, os.W_OK, place.directory)


def require_writable(place: DirectoryEntry, facts: os.stat_result, path: VirtualPath) -> None:
    """Raise `Denied` for a file that this process may not write to, though it could rename over it.

    If access is refused, the file is opened to be sure: some sandboxes lack faccessat2(2).
    """
    if is_writable(place, facts):
        return
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        os.close(os.open(place.name, flags, dir_fd=place.directory))
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise
        raise Denied(path, "the file is not writable") from error


def access_at(tree: DirectoryTree, path: VirtualPath, follow: bool) -> int:
    """Return what may be done with ``path`` or, with ``follow``, what that leads to."""
    with tree.place(path) if follow else tree.parent(path) as place:
        directory = DirectoryAccess(place.directory)
        if path.is_root:
            return directory.itself
        facts = place.facts()
        if facts is None:
            raise PathNotFound(path)
        return directory.of(place.name, facts)
