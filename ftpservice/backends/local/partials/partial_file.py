"""Partial uploads on the disk: the hidden file that an upload grows in, beside its target.

- Its writer holds an exclusive ``flock`` on it, and after locking checks that the name still means
  the locked file. So there is one writer; a crash unlocks, and then the next upload can resume.
- Where the filesystem has no locks, this process remembers which partials it writes. Other
  processes are not kept out there.
- The name holds owner and target only as digests, so no owner finds the partials of another.
- An upload whose partial is locked by another writer grows a *spare*. When the upload is
  interrupted, the spare takes the partial's name if that is free by then.
- Only a plain file of this process's user with a single hard link is taken for a partial. Anything
  else that a local user may have put there is left alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

from ftpservice.backends.local.partials.partial_mark import (
    PartialMark,
    mark_of,
    remove_mark,
    write_mark,
)
from ftpservice.backends.local.partials.process_locks import ProcessLocks
from ftpservice.backends.local.paths.file_ops import rename_exclusive
from ftpservice.backends.local.paths.names import spare_name
from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.linux import UNSUPPORTED_ERRNOS

__all__ = ["PartialFile", "claim_partial", "discard_idle", "find_partial", "is_idle", "read_mark"]

WRITE_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CREATE_FLAGS = WRITE_FLAGS | os.O_CREAT | os.O_EXCL
PARTIAL_MODE = 0o600
MAX_ATTEMPTS = 10
FOREIGN_ERRNOS = (errno.ELOOP, errno.ENXIO, errno.EISDIR)
"""What opening fails with if a link, a FIFO or a directory has the name."""
VANISHED_ERRNOS = (errno.ENOENT, errno.ESTALE, errno.EACCES, errno.EPERM)

_process_locks = ProcessLocks()


class PartialFile:
    """A partial that this upload writes: locked and open, in an open directory.

    Owns ``target``, the place that the file is for, and ``descriptor``. ``kept`` is the name under
    which an interrupted upload is found again; a spare has another ``name``.
    """

    found = 0
    """Bytes that it had when it was claimed."""
    existed = False
    """Whether it was there, perhaps empty, when it was claimed."""
    is_contended = False
    """Whether this is a spare because another writer has the partial."""

    def __init__(self, target: DirectoryEntry, descriptor: int, name: bytes, kept: bytes) -> None:
        self.target = target
        self.descriptor = descriptor
        """The open file; -1 after `close`."""
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

    def has_name(self) -> bool:
        """Return whether its name still means this file."""
        return _named(self.target.directory, self.name, os.fstat(self.descriptor)) is not None

    def publish(self, name: bytes, exclusive: bool, is_new: bool = False) -> None:
        """Rename it to ``name`` in the same directory; with ``exclusive``, replace nothing.

        ``is_new``: it was claimed so recently that its name need not be checked again. Raises
        `FileNotFoundError` if it has lost its name.
        """
        if not is_new and not self.has_name():
            raise FileNotFoundError(errno.ENOENT, "the partial is gone")
        directory = self.target.directory
        if exclusive:
            rename_exclusive(self.name, name, directory, directory)
        else:
            os.rename(self.name, name, src_dir_fd=directory, dst_dir_fd=directory)

    def keep(self) -> None:
        """Leave it for another upload to resume; a spare is removed if another one still writes."""
        if not self.is_spare or not self.has_name():
            return
        directory = self.target.directory
        _discard_smaller(directory, self._kept, self.size)
        try:
            rename_exclusive(self.name, self._kept, directory, directory)
        except FileExistsError:
            self.discard()

    def mark(self, owner: str, note: str = "") -> None:
        """Note on the file whose upload of which name it is, once."""
        if not self._is_marked:
            self._is_marked = True
            write_mark(self.descriptor, self._kept, PartialMark(owner, self.target.name, note))

    def unmark(self) -> None:
        """Remove the mark, if there may be one, from what is about to be published."""
        if self._is_marked or self.existed:
            self._is_marked = False
            remove_mark(self.descriptor)

    def discard(self) -> None:
        """Remove it, unless its directory has vanished (filesystems report that differently)."""
        try:
            if self.has_name():
                os.unlink(self.name, dir_fd=self.target.directory)
        except OSError as error:
            if error.errno not in VANISHED_ERRNOS:
                raise

    def close(self) -> None:
        """Close the file, which unlocks it, and the directory; once."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
            self.target.close()


def claim_partial(target: DirectoryEntry, name: bytes) -> PartialFile:
    """Create or open the partial ``name`` and lock it; a spare if another upload writes it.

    Takes over ``target``, unless it raises.
    """
    for _ in range(MAX_ATTEMPTS):
        opened, is_new = _create_or_open(target, name)
        if opened is None:
            break
        try:
            facts = os.fstat(opened)
            is_ours = is_new or _is_ours(facts)
            is_locked = is_ours and _lock(opened)
            if is_locked and (there := _named(target.directory, name, facts)):
                partial = PartialFile(target, opened, name, name)
                partial.found = there.st_size  # no other writer can add to it now
                partial.existed = not is_new
                return partial
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)
        if not is_locked:
            return _create_spare(target, name, is_contended=is_ours)
    return _create_spare(target, name)


def _create_or_open(target: DirectoryEntry, name: bytes) -> tuple[int | None, bool]:
    """Return the open partial and whether it is new; None if something else has the name."""
    for flags in (CREATE_FLAGS, WRITE_FLAGS | os.O_CREAT):
        try:
            return os.open(
                name, flags, PARTIAL_MODE, dir_fd=target.directory
            ), flags == CREATE_FLAGS
        except FileExistsError:
            continue
        except OSError as error:
            is_foreign = error.errno in FOREIGN_ERRNOS
            if is_foreign or (error.errno == errno.EACCES and _exists(target, name)):
                break
            raise
    return None, False


def _create_spare(target: DirectoryEntry, name: bytes, is_contended: bool = False) -> PartialFile:
    spare = spare_name(name)
    opened = os.open(spare, CREATE_FLAGS, PARTIAL_MODE, dir_fd=target.directory)
    try:
        _lock(opened)
    except BaseException:
        os.close(opened)
        raise
    partial = PartialFile(target, opened, spare, name)
    partial.is_contended = is_contended
    return partial


def find_partial(target: DirectoryEntry, name: bytes) -> int | None:
    """Open the partial ``name`` for reading; None if there is none."""
    try:
        opened = os.open(name, WRITE_FLAGS & ~os.O_RDWR, dir_fd=target.directory)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return None
        raise
    if _is_ours(os.fstat(opened)):
        return opened
    os.close(opened)
    return None


def discard_idle(directory: int, name: bytes, before: float | None = None) -> bool:
    """Remove the partial ``name`` unless it is being written; return whether it was removed.

    ``before``: only if it was last written before that time, in seconds since the epoch.
    """
    try:
        opened = os.open(name, WRITE_FLAGS, dir_fd=directory)
    except OSError:
        return False
    try:
        facts = os.fstat(opened)
        is_old = before is None or facts.st_mtime < before
        if not is_old or not stat.S_ISREG(facts.st_mode) or not _lock(opened):
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
    """Return whether the partial ``name`` is not being written; True if it is gone."""
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


def read_mark(directory: int, name: bytes) -> PartialMark | None:
    """Return what a partial is marked with; None without a mark."""
    try:
        opened = os.open(name, WRITE_FLAGS & ~os.O_RDWR, dir_fd=directory)
    except OSError:
        return None
    try:
        return mark_of(opened, name)
    finally:
        os.close(opened)


def _discard_smaller(directory: int, name: bytes, size: int) -> None:
    """Remove a partial with no more than ``size`` bytes, unless it is being written."""
    with suppress(OSError):
        if os.stat(name, dir_fd=directory, follow_symlinks=False).st_size <= size:
            discard_idle(directory, name)


def _exists(target: DirectoryEntry, name: bytes) -> bool:
    return DirectoryEntry(target.directory, name).facts() is not None


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
    """Return the facts of ``name`` now; None if it does not mean the file of ``facts``."""
    try:
        there = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    same = there.st_ino == facts.st_ino and there.st_dev == facts.st_dev
    return there if same else None
