"""Local files for uploads and downloads. Everything here blocks and runs in threads."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

from ftpservice.linux import AT_FDCWD, RESOLVE_CACHED, open_beneath
from ftpservice.wire.digests import new_hasher
from ftpservice_client.errors import LocalFileError

__all__ = ["OpenFile", "PartFile", "local_errors"]

T = TypeVar("T")
OPEN_FLAGS = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CREATE_FLAGS = OPEN_FLAGS | os.O_RDWR | os.O_CREAT | os.O_EXCL
READ_SIZE = 1 << 20
FOREIGN_PART_ERRNOS = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES, errno.EPERM)
"""Errors of opening a part file whose name is taken by a link, a directory or a foreign file."""
MAX_STEM_BYTES = 180
"""Bytes of a file name that its part file's name contains; names are limited to 255 bytes."""


@contextmanager
def local_errors(path: object) -> Iterator[None]:
    """Convert `OSError` to `LocalFileError`."""
    try:
        yield
    except OSError as error:
        raise LocalFileError(f"{path}: {error.strerror or error}") from error


class OpenFile:
    """An open regular file, used by one thread at a time."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self._lock = Lock()
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise LocalFileError(f"{path}: not a regular file")
        except BaseException:
            os.close(descriptor)
            raise
        self.size = facts.st_size
        self.mode = stat.S_IMODE(facts.st_mode)
        self.modified = facts.st_mtime

    @classmethod
    def reading(cls, path: Path) -> OpenFile:
        """Open an existing file."""
        with local_errors(path):
            return cls(path, os.open(path, os.O_RDONLY | OPEN_FLAGS))

    @classmethod
    def open_if_cached(cls, path: Path) -> OpenFile | None:
        """Open an existing file if its directories are in the kernel's cache; does not block."""
        try:
            flags = os.O_RDONLY | OPEN_FLAGS
            descriptor = open_beneath(AT_FDCWD, os.fsencode(path), flags, RESOLVE_CACHED)
        except OSError:
            return None
        with local_errors(path):
            return cls(path, descriptor)

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        return self.use(lambda descriptor: os.pread(descriptor, size, offset))

    def cache(self, offset: int, size: int) -> None:
        """Read a range, so that the kernel has it in its page cache."""
        end = offset + size
        while offset < end and (data := self.read(offset, min(READ_SIZE, end - offset))):
            offset += len(data)

    def digest(self, algorithm: str) -> str:
        """Return the digest of the whole file."""
        found = new_hasher(algorithm)
        offset = 0
        while data := self.read(offset, READ_SIZE):
            found.update(data)
            offset += len(data)
        return found.hexdigest()

    def use(self, function: Callable[[int], T]) -> T:
        """Call a function with the descriptor; no other thread uses or closes it meanwhile."""
        with self._lock, local_errors(self.path):
            if self.descriptor < 0:
                raise LocalFileError(f"{self.path}: closed")
            return function(self.descriptor)

    def close(self) -> None:
        """Close it when no thread uses it; may be repeated."""
        with self._lock:
            descriptor, self.descriptor = self.descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)


class PartFile(OpenFile):
    """A hidden file next to the final one, which it replaces when it is complete."""

    def __init__(self, path: Path, part: Path, descriptor: int, former: int | None) -> None:
        super().__init__(path, descriptor)
        self._part = part
        self._former = former
        """The mode of the file to be replaced."""
        self._exists = True

    @classmethod
    def create(cls, path: Path) -> PartFile:
        """Create one that is not resumed after an interruption."""
        former = _former_mode(path)
        while True:
            part = _part_path(path, f".{random.getrandbits(32):08x}")
            with suppress(FileExistsError), local_errors(path):
                return cls(path, part, os.open(part, CREATE_FLAGS, 0o666), former)

    @classmethod
    def resume(cls, path: Path) -> PartFile:
        """Open what an interrupted download left, else a copy of the file itself, else a new one.

        Only a regular file of this user with a single link is resumed. What another user put or
        linked under that name is left alone, and the download uses another name. Raises
        `LocalFileError` while another download of the same file runs.
        """
        former = _former_mode(path)
        part = _part_path(path, "")
        with local_errors(path):
            descriptor = _open_part(part)
        if descriptor is None:
            opened = cls.create(path)
            opened._copy_former()
            return opened
        opened = cls(path, part, descriptor, former)
        try:
            fcntl.flock(opened.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if opened.size == 0:
                opened._copy_former()
        except BlockingIOError:
            opened.close()
            raise LocalFileError(f"{path}: another download to this file is running") from None
        except BaseException:
            opened.close()
            raise
        return opened

    def _copy_former(self) -> None:
        """Start with a copy of the current file."""
        if not self.path.exists():
            return
        former = OpenFile.reading(self.path)
        try:
            while data := former.read(self.size, READ_SIZE):
                self.write(data)
            self.modified = former.modified
        finally:
            former.close()

    def write(self, data: bytes) -> None:
        """Append bytes."""

        def write(descriptor: int) -> None:
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, self.size)
                self.size += written
                view = view[written:]

        self.use(write)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write at an offset, which may be beyond the end."""
        self.use(lambda descriptor: os.pwrite(descriptor, data, offset))

    def append_with_descriptor(self, function: Callable[[int], T]) -> T:
        """Call a function that appends through the descriptor; see `ftpservice.stream.splice`."""

        def appended(descriptor: int) -> T:
            os.lseek(descriptor, self.size, os.SEEK_SET)
            try:
                return function(descriptor)
            finally:
                self.size = os.lseek(descriptor, 0, os.SEEK_CUR)

        return self.use(appended)

    def truncate(self, size: int) -> None:
        """Shorten the file to ``size`` bytes."""
        self.use(lambda descriptor: os.ftruncate(descriptor, size))
        self.size = size

    def commit(self) -> None:
        """Replace the final file and keep its mode; a symbolic link is replaced, not followed."""
        former = self._former
        if former is not None and former != self.mode:
            self.use(lambda own: os.fchmod(own, former))
        with local_errors(self.path):
            os.replace(self._part, self.path)
        self._exists = False
        self.close()

    def discard(self) -> None:
        """Delete it; may be repeated, and does nothing after `commit`."""
        with suppress(OSError):
            if self._exists:
                self._exists = False
                os.unlink(self._part)
        self.close()

    def keep_for_resume(self) -> None:
        """Close it but keep it for `resume`; an empty one, or one of another name, is deleted."""
        if self.size == 0 or self._part != _part_path(self.path, ""):
            self.discard()
        else:
            self.close()


def _part_path(path: Path, mark: str) -> Path:
    stem = os.fsencode(path.name)[:MAX_STEM_BYTES]
    return path.with_name(os.fsdecode(b"." + stem) + f"{mark}.part")


def _open_part(part: Path) -> int | None:
    """Open or create a part file; None if its name is taken by anything but a file of our own."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | OPEN_FLAGS
    try:
        descriptor = os.open(part, flags, 0o666)
    except OSError as error:
        if error.errno in FOREIGN_PART_ERRNOS:
            return None
        raise
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    return None


def _former_mode(path: Path) -> int | None:
    """Return the mode of an existing regular file; None for a symbolic link and for no file.

    Raises `LocalFileError` for what cannot be replaced: a directory, a device, a pipe.
    """
    with local_errors(path), suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            return stat.S_IMODE(mode)
        if stat.S_ISDIR(mode):
            raise LocalFileError(f"{path}: is a directory")
        if not stat.S_ISLNK(mode):
            raise LocalFileError(f"{path}: not a regular file")
    return None
