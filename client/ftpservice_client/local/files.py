"""Files on this side, opened, read and written by threads (all that blocks is here)."""

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
from ftpservice_client.errors import LocalFileError
from ftpservice_client.local.checksum import digest_of_file

__all__ = ["OpenFile", "PartFile", "local_errors"]

T = TypeVar("T")
OPEN_FLAGS = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
CREATE_FLAGS = OPEN_FLAGS | os.O_RDWR | os.O_CREAT | os.O_EXCL
READ_SIZE = 1 << 20
FOREIGN_PART_ERRNOS = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES, errno.EPERM)
"""What opening a part fails with if a link, directory, socket or file of others has its name."""
MAX_STEM_BYTES = 180
"""Bytes of a name that its part has in its own; names end at 255."""


@contextmanager
def local_errors(path: object) -> Iterator[None]:
    """Raise `LocalFileError` for what the operating system says about a file."""
    try:
        yield
    except OSError as error:
        raise LocalFileError(f"{path}: {error.strerror or error}") from error


class OpenFile:
    """An open plain file, used by one thread at a time."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self._lock = Lock()
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise LocalFileError(f"{path}: not a plain file")
        except BaseException:
            os.close(descriptor)
            raise
        self.size = facts.st_size
        self.mode = stat.S_IMODE(facts.st_mode)
        self.modified = facts.st_mtime

    @classmethod
    def reading(cls, path: Path) -> OpenFile:
        """Open a file that is there."""
        with local_errors(path):
            return cls(path, os.open(path, os.O_RDONLY | OPEN_FLAGS))

    @classmethod
    def at_once(cls, path: Path) -> OpenFile | None:
        """Open a file that is there, if the disk need not be asked; does not block."""
        try:
            flags = os.O_RDONLY | OPEN_FLAGS
            descriptor = open_beneath(AT_FDCWD, os.fsencode(path), flags, RESOLVE_CACHED)
        except OSError:
            return None
        with local_errors(path):
            return cls(path, descriptor)

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes, fewer or none at the end."""
        return self.use(lambda descriptor: os.pread(descriptor, size, offset))

    def cache(self, offset: int, size: int) -> None:
        """Have the kernel read a stretch."""
        end = offset + size
        while offset < end and (data := self.read(offset, min(READ_SIZE, end - offset))):
            offset += len(data)

    def digest(self, algorithm: str) -> str:
        """Return the digest of all that it holds."""
        return self.use(lambda descriptor: digest_of_file(descriptor, algorithm))

    def use(self, function: Callable[[int], T]) -> T:
        """Call a function with the descriptor, which nobody else uses or closes meanwhile."""
        with self._lock, local_errors(self.path):
            if self.descriptor < 0:
                raise LocalFileError(f"{self.path}: closed")
            return function(self.descriptor)

    def close(self) -> None:
        """Let go, once no thread uses it; may be repeated."""
        with self._lock:
            descriptor, self.descriptor = self.descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)


class PartFile(OpenFile):
    """A file that becomes another one when it is whole; until then it is hidden beside it."""

    def __init__(self, path: Path, part: Path, descriptor: int, former: int | None) -> None:
        super().__init__(path, descriptor)
        self._part = part
        self._former = former
        """The mode of the file that is to be replaced."""
        self._is_there = True

    @classmethod
    def create(cls, path: Path) -> PartFile:
        """Begin one that nobody goes on with, should it be cut."""
        former = _former_mode(path)
        while True:
            part = _part_path(path, f".{random.getrandbits(32):08x}")
            with suppress(FileExistsError), local_errors(path):
                return cls(path, part, os.open(part, CREATE_FLAGS, 0o666), former)

    @classmethod
    def resume(cls, path: Path) -> PartFile:
        """Go on with what another download left, else with the file itself; or begin.

        Only a plain file of this user with a single name is gone on with: what somebody else put
        under the name of the part, or linked there, is left alone, and the download begins under
        another name. Raises `LocalFileError` while another one is on its way.
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
            raise LocalFileError(f"{path}: another download is on its way there") from None
        except BaseException:
            opened.close()
            raise
        return opened

    def _copy_former(self) -> None:
        """Begin with a copy of what the file has so far."""
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
        """Add to its end."""

        def write(descriptor: int) -> None:
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, self.size)
                self.size += written
                view = view[written:]

        self.use(write)

    def write_at(self, offset: int, data: bytes) -> None:
        """Write in the middle, or beyond the end."""
        self.use(lambda descriptor: os.pwrite(descriptor, data, offset))

    def turn(self, function: Callable[[int], T]) -> T:
        """Have a function write to where the end is; see `ftpservice.stream.splice`."""

        def appended(descriptor: int) -> T:
            os.lseek(descriptor, self.size, os.SEEK_SET)
            try:
                return function(descriptor)
            finally:
                self.size = os.lseek(descriptor, 0, os.SEEK_CUR)

        return self.use(appended)

    def truncate(self, size: int) -> None:
        """Keep so many bytes."""
        self.use(lambda descriptor: os.ftruncate(descriptor, size))
        self.size = size

    def commit(self) -> None:
        """Become the file, with the mode that one had; replaces a link, and never follows one."""
        former = self._former
        if former is not None and former != self.mode:
            self.use(lambda own: os.fchmod(own, former))
        with local_errors(self.path):
            os.replace(self._part, self.path)
        self._is_there = False
        self.close()

    def discard(self) -> None:
        """Go away."""
        with suppress(OSError):
            if self._is_there:
                self._is_there = False
                os.unlink(self._part)
        self.close()

    def keep(self) -> None:
        """Stay, for another download to go on with; one that is empty or not found again goes."""
        if self.size == 0 or self._part != _part_path(self.path, ""):
            self.discard()
        else:
            self.close()


def _part_path(path: Path, mark: str) -> Path:
    stem = os.fsencode(path.name)[:MAX_STEM_BYTES]
    return path.with_name(os.fsdecode(b"." + stem) + f"{mark}.part")


def _open_part(part: Path) -> int | None:
    """Open or make a part; None if what has its name is not a plain file of our own."""
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
    """Return the mode of a file that is there, and refuse to replace what is none.

    Raises `LocalFileError` for a directory, a device, a pipe; a link has no mode of its own.
    """
    with local_errors(path), suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            return stat.S_IMODE(mode)
        if stat.S_ISDIR(mode):
            raise LocalFileError(f"{path}: is a directory")
        if not stat.S_ISLNK(mode):
            raise LocalFileError(f"{path}: not a plain file")
    return None
