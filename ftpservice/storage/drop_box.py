"""A storage that hides what it contains: the view of a drop box.

Directories are visible, so that CWD and MKD work, and the account's own partial uploads, so that an
interrupted upload can be resumed. Everything else is hidden: a call whose failure would reveal
whether a name exists raises `PathNotFound` if it reads and `Denied` if it changes something. It
does so whether the name belongs to a file, a directory, something below a file, or nothing. The log
has the reason.
"""

from __future__ import annotations

from collections.abc import Awaitable
from secrets import token_hex
from typing import TypeVar

from zope.interface import implementer

from ftpservice.storage import errors
from ftpservice.storage.errors import BadOffset, Denied, PathNotFound
from ftpservice.storage.interfaces import (
    IEnter,
    IFreeSpace,
    IListing,
    IPartials,
    IReading,
    ISetMode,
    ISetTimes,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["DropBoxStorage"]

T = TypeVar("T")

REVEALING_ERRORS = (
    errors.Denied,
    errors.Exists,
    errors.IsDirectory,
    errors.IsLink,
    errors.NotDirectory,
    errors.NotEmpty,
    errors.PathNotFound,
)
"""Errors that reveal what exists, because another one would be raised otherwise."""


@implementer(IStorage)
class DropBoxStorage:
    """``inner`` for an account that may not see what it contains.

    `RestrictedStorage` checks the rights of the account.
    """

    def __init__(self, inner: IStorage) -> None:
        self._inner = inner

    def __conform__(self, interface: object) -> object:
        if interface is IEnter:
            return self
        if interface in (IInterruptedUploads, IPartials, IQuota, ISetMode, ISetTimes):
            return interface(self._inner, None)  # type: ignore[operator]
        space = IFreeSpace(self._inner, None) if interface is IFreeSpace else None
        return None if space is None else _FreeSpace(space, self)

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of a directory; raises `PathNotFound` for everything else."""
        entry = await _hiding(self._inner.stat(path), path, PathNotFound)
        if entry.kind is not Kind.DIRECTORY:
            raise PathNotFound(path, "not a directory")
        return entry

    async def enter(self, path: VirtualPath) -> None:
        """Return for a directory that can be entered; raises `PathNotFound` for everything else."""
        enters = IEnter(self._inner, None)
        if enters is None:
            await self.stat(path)
        else:
            await _hiding(enters.enter(path), path, PathNotFound)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Raise `Denied`: directories cannot be listed."""
        raise Denied(path)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Raise `Denied`: files cannot be read."""
        raise Denied(path)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory."""
        await _hiding(self._inner.make_directory(path, mode), path, Denied)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory."""
        await _hiding(self._inner.remove_directory(path), path, Denied)

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file."""
        await _hiding(self._inner.remove_file(path), path, Denied)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename in one step."""
        await _hiding(self._inner.rename(source, target, replace), source, Denied)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload; an offset counts only in the account's own partial upload."""
        if (
            request.write_mode is WriteMode.UNIQUE
        ):  # a numbered name would reveal how many files exist
            path = path.parent.child(f"{path.name}.{token_hex(6)}")
        elif request.offset and request.offset > await self._partial_size(path):
            raise BadOffset(path, "no partial upload of that size")
        return await _hiding(self._inner.open_writing(path, request), path, Denied)

    async def _partial_size(self, path: VirtualPath) -> int:
        partials = IPartials(self._inner, None)
        if partials is None:
            return 0
        try:
            return int((await partials.partial(path)).size)
        except REVEALING_ERRORS:
            return 0


@implementer(IFreeSpace)
class _FreeSpace:
    """The free space in directories, which are visible."""

    def __init__(self, space: IFreeSpace, storage: DropBoxStorage) -> None:
        self._space = space
        self._storage = storage

    async def free_space(self, path: VirtualPath) -> int:
        """Return the bytes that may still be written; raises `PathNotFound` if not a directory."""
        await self._storage.stat(path)
        return int(await self._space.free_space(path))


async def _hiding(call: Awaitable[T], path: VirtualPath, kind: type[errors.StorageError]) -> T:
    """Wait for a call; an error that would reveal what exists is raised as ``kind``."""
    try:
        return await call
    except REVEALING_ERRORS as error:
        detail = error.detail if isinstance(error, kind) else error.reason
        raise kind(path, detail) from error
