"""Any `twisted.protocols.ftp.IFTPShell` as a storage.

It has the limits of the shell. Uploads are visible while they arrive, and replace a file from their
first byte. There are no partial uploads, no appends, and no optional interfaces but those for links
and for entering directories. A name is checked before it is created, so two simultaneous uploads
may get the same one. A shell that accesses the disk, as Twisted's own do, blocks the reactor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from twisted.protocols.ftp import FTPAnonymousShell, IFTPShell, IReadFile, IWriteFile
from zope.interface import implementer

from ftpservice.backends.ftp_shell.entries import KEYS, entry_of
from ftpservice.backends.ftp_shell.errors import call_shell, segments
from ftpservice.backends.ftp_shell.listing import ShellListing, list_directory
from ftpservice.backends.ftp_shell.reading import ShellReading
from ftpservice.backends.ftp_shell.symbolic_links import link_entry
from ftpservice.backends.ftp_shell.writing import ShellWriting, UploadCallbacks, dispose
from ftpservice.storage.errors import (
    Denied,
    Exists,
    IntoItself,
    IsDirectory,
    NotDirectory,
    NotSupported,
    PathNotFound,
    StorageError,
)
from ftpservice.storage.interfaces import (
    IEnter,
    ILinks,
    IListing,
    IReading,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["ShellStorage"]

MAX_UNIQUE_TRIES = 1000
"""Names tried for one `WriteMode.UNIQUE`."""


@implementer(IStorage, IEnter, ILinks)
class ShellStorage:
    """The files of an `IFTPShell`."""

    def __init__(self, shell: IFTPShell, seconds: Callable[[], float] = time.time) -> None:
        if isinstance(shell, FTPAnonymousShell):
            # A root in bytes cannot be joined with the names of `VirtualPath`, which are text.
            shell.filesystemRoot = shell.filesystemRoot.asTextMode()
        self._shell = shell
        self._seconds = seconds
        self._promised: set[VirtualPath] = set()

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``."""
        values: Sequence[object] = await call_shell(path, self._shell.stat, segments(path), KEYS)
        return entry_of(path, values)

    async def enter(self, path: VirtualPath) -> None:
        """Return for a directory that the shell gives access to, as Twisted's CWD does."""
        if (await self.stat(path)).kind is not Kind.DIRECTORY:
            raise NotDirectory(path)
        await call_shell(path, self._shell.access, segments(path))

    async def lstat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``, for a link that of the link if links can be recognized."""
        try:
            entry = await self.stat(path)
        except PathNotFound:
            link = link_entry(self._shell, path)
            if link is None:
                raise
            return link
        return link_entry(self._shell, path, entry) or entry

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Read a whole directory; a shell returns it in one piece."""
        if (await self.stat(path)).kind is not Kind.DIRECTORY:
            raise NotDirectory(path)
        return ShellListing(await list_directory(self._shell, path))

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:  # noqa: ARG002
        """Create one directory; the shell decides its permission bits."""
        if path.is_root:
            raise Exists(path)
        await require_parent_directory(self, path)
        await call_shell(path, self._shell.makeDirectory, segments(path))

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory."""
        if path.is_root:
            raise Denied(path)
        await call_shell(path, self._shell.removeDirectory, segments(path))

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file."""
        if path.is_root:
            raise IsDirectory(path)
        await call_shell(path, self._shell.removeFile, segments(path))

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename, after a check of what is at ``target``."""
        if source.is_root or target.is_root:
            raise Denied(source)
        kind = (await self.stat(source)).kind
        if kind is Kind.DIRECTORY and target != source and target.is_within(source):
            raise IntoItself(target)
        await require_parent_directory(self, target)
        there = await stat_or_none(self, target)
        if there is not None and target != source:
            _check_replaceable(kind, there.kind, target, replace)
        await call_shell(source, self._shell.rename, segments(source), segments(target))

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file, which can only be read forward."""
        entry = await self.stat(path)
        if entry.kind is Kind.DIRECTORY:
            raise IsDirectory(path)

        def late(file: IReadFile) -> None:
            ShellReading(path, file, entry).close()

        file: IReadFile = await call_shell(
            path, self._shell.openForReading, segments(path), late=late
        )
        return ShellReading(path, file, entry)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin the upload of a whole file."""
        if request.offset or request.write_mode is WriteMode.APPEND:
            raise NotSupported(path, "a shell takes only whole files")
        if path.is_root:
            raise IsDirectory(path)
        if request.write_mode is WriteMode.UNIQUE:
            return await self._open_unique(path, request)
        return await self._open(path, request)

    async def _open(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        is_new = await makes_new_file(self, path, request)
        ends = UploadCallbacks(
            facts=lambda written: self._facts(path, written),
            undo=lambda: self._undo(path, is_new),
        )

        def late(file: IWriteFile) -> None:
            dispose(path, request, file, ends)

        file: IWriteFile = await call_shell(
            path, self._shell.openForWriting, segments(path), late=late
        )
        writing = ShellWriting(path, request, file, ends)
        await writing.open()
        return writing

    async def _open_unique(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        for number in range(MAX_UNIQUE_TRIES):
            unique = path.parent.child(f"{path.name}.{number}" if number else path.name)
            if unique in self._promised:
                continue
            self._promised.add(unique)
            try:
                return await self._open(unique, request)
            except (Exists, IsDirectory):
                self._promised.discard(unique)
            except BaseException:
                self._promised.discard(unique)
                raise
        raise Exists(path, f"{MAX_UNIQUE_TRIES} names are taken")

    async def _facts(self, path: VirtualPath, written: int) -> Entry:
        """Return the entry of a complete file, as far as the shell provides it."""
        self._promised.discard(path)
        try:
            return await self.stat(path)
        except StorageError:
            return Entry(path.name, Kind.FILE, written, self._seconds())

    async def _undo(self, path: VirtualPath, is_new: bool) -> None:
        self._promised.discard(path)
        if is_new:
            with suppress(StorageError):
                await call_shell(path, self._shell.removeFile, segments(path))


def _check_replaceable(kind: Kind, there: Kind, target: VirtualPath, replace: bool) -> None:
    """Raise the error of a rename that may not replace ``there``: only a file replaces a file."""
    if not replace:
        raise Exists(target)
    if there is Kind.DIRECTORY:
        raise Exists(target) if kind is Kind.DIRECTORY else IsDirectory(target)
    if kind is Kind.DIRECTORY:
        raise NotDirectory(target)


async def stat_or_none(storage: ShellStorage, path: VirtualPath) -> Entry | None:
    """Return the entry of ``path``; None if there is nothing."""
    try:
        return await storage.stat(path)
    except (PathNotFound, NotDirectory):
        return None


async def require_parent_directory(storage: ShellStorage, path: VirtualPath) -> None:
    """Raise `PathNotFound` or `NotDirectory` unless the parent of ``path`` is a directory."""
    parent = await storage.stat(path.parent)
    if parent.kind is not Kind.DIRECTORY:
        raise NotDirectory(path)


async def makes_new_file(storage: ShellStorage, path: VirtualPath, request: WriteRequest) -> bool:
    """Return whether an upload creates a new file; raises `Exists`, `IsDirectory`.

    False if the shell refuses to say what exists.
    """
    try:
        there = await stat_or_none(storage, path)
    except (Denied, NotSupported):
        if request.write_mode is WriteMode.REPLACE:
            return False
        raise
    if there is None:
        return True
    if there.kind is Kind.DIRECTORY:
        raise IsDirectory(path)
    if request.write_mode is not WriteMode.REPLACE:
        raise Exists(path)
    return False
