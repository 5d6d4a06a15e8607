"""Hidden partials: what arrives of an upload grows under such a name beside its target.

- Whoever writes one holds a ``flock`` on it, and after locking looks whether the name still means
  the locked file; so there is one writer, and after a crash (which unlocks) the next may go on.
- Where the filesystem has no locks, this process remembers what it writes; another one does not.
- A partial's name tells its owner and target only as a digest; other owners do not find it.
- Whoever finds the partial in use grows a *spare*, which becomes the partial when it is cut and
  the name is free again.
- Nothing but a plain file of our own with a single name is taken for a partial: what somebody on
  this machine may have put there is left alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

from ftpservice.backends.local.partials.process_locks import ProcessLocks
from ftpservice.backends.local.paths.file_ops import rename_exclusive
from ftpservice.backends.local.paths.names import spare_name
from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.linux import UNSUPPORTED_ERRNOS

__all__ = ["PartialFile", "claim_partial", "discard_idle", "find_partial", "is_idle", "read_mark"]

MARK_ATTRIBUTE = "user.ftpservice.partial"
"""The extended attribute that holds owner and name of an interrupted upload."""
MARK_ENCODING = ("utf-8", "surrogatepass")
MAX_UNMARKED = 4096

_unmarked: dict[bytes, tuple[str, bytes]] = {}
"""What could not be noted on partials, by their names, which only these owners and files have."""

WRITE_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
MAX_ATTEMPTS = 10
VANISHED_ERRNOS = (errno.ENOENT, errno.ESTALE, errno.EACCES, errno.EPERM)

_process_locks = ProcessLocks()


class PartialFile:
    """A partial that is ours to write: locked, open, in an open directory.

    Takes over both descriptors. ``kept`` is the name it is to be found by after a cut, which
    differs from ``name`` for a spare.
    """

    found = 0
    """Bytes that it had when it was claimed."""
    is_contended = False
    """Whether this is a spare because another writer has the partial."""

    def __init__(self, directory: int, descriptor: int, name: bytes, kept: bytes) -> None:
        self.directory = directory
        self.descriptor = descriptor
        self.name = name
        self._kept = kept
        self._is_marked = False

    @property
    def is_spare(self) -> bool:
        """Whether another writer had the name that this should have."""
        return self.name != self._kept

    @property
    def size(self) -> int:
        """Bytes that arrived, or were kept, so far."""
        return os.fstat(self.descriptor).st_size

    def is_there(self) -> bool:
        """Tell whether the name still means this file."""
        return _named(self.directory, self.name, os.fstat(self.descriptor)) is not None

    def publish(self, target: bytes, exclusive: bool) -> None:
        """Rename to ``target`` in the same directory; with ``exclusive``, over nothing."""
        if not self.is_there():
            raise FileNotFoundError(errno.ENOENT, "the partial is gone")
        if exclusive:
            rename_exclusive(self.name, target, self.directory, self.directory)
        else:
            os.rename(self.name, target, src_dir_fd=self.directory, dst_dir_fd=self.directory)

    def keep(self) -> None:
        """Leave it to be gone on from; a spare gives way to whoever still writes."""
        if not self.is_spare or not self.is_there():
            return
        _discard_smaller(self.directory, self._kept, self.size)
        try:
            rename_exclusive(self.name, self._kept, self.directory, self.directory)
        except FileExistsError:
            self.discard()

    def mark(self, owner: str, name: bytes) -> None:
        """Note, on the partial itself, whose upload of which name it is, for listings of partials.

        Where the filesystem has no extended attributes, this process remembers it.
        """
        if not self._is_marked:
            self._is_marked = True
            try:
                os.setxattr(
                    self.descriptor, MARK_ATTRIBUTE, owner.encode(*MARK_ENCODING) + b"\0" + name
                )
            except OSError:
                _unmarked[self._kept] = (owner, name)
                if len(_unmarked) > MAX_UNMARKED:
                    del _unmarked[next(iter(_unmarked))]

    def unmark(self) -> None:
        """Remove the note from what is about to become a file, if it may have one."""
        if self._is_marked or self.found:
            self._is_marked = False
            with suppress(OSError):
                os.removexattr(self.descriptor, MARK_ATTRIBUTE)

    def discard(self) -> None:
        """Remove it, unless its directory has vanished, for which filesystems have many errors."""
        try:
            if self.is_there():
                os.unlink(self.name, dir_fd=self.directory)
        except OSError as error:
            if error.errno not in VANISHED_ERRNOS:
                raise

    def close(self) -> None:
        """Let go of it, and of the lock; once."""
        descriptors = (self.descriptor, self.directory)
        self.descriptor = self.directory = -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)


def find_partial(place: DirectoryEntry, name: bytes) -> int | None:
    """Open the partial ``name`` to look at or read it; None if there is no such."""
    try:
        opened = os.open(name, WRITE_FLAGS & ~os.O_RDWR, dir_fd=place.directory)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return None
        raise
    if _is_ours(os.fstat(opened)):
        return opened
    os.close(opened)
    return None


def claim_partial(place: DirectoryEntry, name: bytes) -> PartialFile:
    """Open the partial ``name``, or make it; a spare if somebody writes it."""
    for _ in range(MAX_ATTEMPTS):
        opened = _open(place, name)
        if opened is None:
            break
        try:
            facts = os.fstat(opened)
            if not _is_ours(facts):
                os.close(opened)
                break
            if not _lock(opened):
                os.close(opened)
                spare = _claim_spare(place, name)
                spare.is_contended = True
                return spare
            if there := _named(place.directory, name, facts):
                partial = PartialFile(os.dup(place.directory), opened, name, name)
                partial.found = there.st_size  # locked, so nobody adds to it
                return partial
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)
    return _claim_spare(place, name)


def _claim_spare(place: DirectoryEntry, name: bytes) -> PartialFile:
    spare = spare_name(name)
    flags = WRITE_FLAGS | os.O_CREAT | os.O_EXCL
    opened = os.open(spare, flags, 0o600, dir_fd=place.directory)
    try:
        _lock(opened)
        return PartialFile(os.dup(place.directory), opened, spare, name)
    except BaseException:
        os.close(opened)
        raise


def discard_idle(directory: int, name: bytes, before: float | None = None) -> bool:
    """Remove the partial ``name`` unless somebody writes it, or wrote it since ``before``."""
    try:
        opened = os.open(name, WRITE_FLAGS, dir_fd=directory)
    except OSError:
        return False
    try:
        facts = os.fstat(opened)
        idle = before is None or facts.st_mtime < before
        if not idle or not stat.S_ISREG(facts.st_mode) or not _lock(opened):
            return False
        if _named(directory, name, facts) is None:
            return False
        os.unlink(name, dir_fd=directory)
        return True
    except FileNotFoundError:
        return False
    finally:
        os.close(opened)


def is_idle(directory: int, name: bytes) -> bool:
    """Tell whether nobody writes the partial ``name``; one that is gone is idle too."""
    try:
        opened = os.open(name, WRITE_FLAGS, dir_fd=directory)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(opened).st_mode) and _lock(opened)
    finally:
        os.close(opened)


def read_mark(directory: int, name: bytes) -> tuple[str, bytes] | None:
    """Return owner and file name that a partial was marked with; None if it was not."""
    try:
        opened = os.open(name, WRITE_FLAGS & ~os.O_RDWR, dir_fd=directory)
    except OSError:
        return None
    try:
        owner, zero, target = os.getxattr(opened, MARK_ATTRIBUTE).partition(b"\0")
        return (owner.decode(*MARK_ENCODING), target) if zero and target else None
    except (OSError, UnicodeDecodeError):
        return _unmarked.get(name)
    finally:
        os.close(opened)


def _discard_smaller(directory: int, name: bytes, size: int) -> None:
    """Remove a partial that tells less than ours, unless somebody writes it."""
    with suppress(OSError):
        if os.stat(name, dir_fd=directory, follow_symlinks=False).st_size <= size:
            discard_idle(directory, name)


def _open(place: DirectoryEntry, name: bytes) -> int | None:
    """Open or make a partial; None if there is something else of that name."""
    try:
        return os.open(name, WRITE_FLAGS | os.O_CREAT, 0o600, dir_fd=place.directory)
    except OSError as error:
        foreign = error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR)
        if foreign or (error.errno == errno.EACCES and _exists(place, name)):
            return None
        raise


def _exists(place: DirectoryEntry, name: bytes) -> bool:
    return DirectoryEntry(place.directory, name).facts() is not None


def _lock(opened: int) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (*UNSUPPORTED_ERRNOS, errno.ENOLCK):
            raise
        return _process_locks.hold(opened)
    return True


def _is_ours(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) and facts.st_nlink <= 1 and facts.st_uid == os.geteuid()


def _named(directory: int, name: bytes, facts: os.stat_result) -> os.stat_result | None:
    """Return what ``name`` has become of the file that ``facts`` are of; None for another file."""
    there = DirectoryEntry(directory, name).facts()
    return there if there is not None and os.path.samestat(there, facts) else None
