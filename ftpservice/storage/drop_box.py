"""A storage that does not tell what is in it: the view of a drop box.

Directories are told, so that CWD and MKD work, and the account's own partials, so that a cut upload
can be resumed. Of all else one answer says nothing: a call that fails because of what is there, or
is not, raises `PathNotFound` where the account looks and `Denied` where it wants a change, whether
the name is that of a file, of a directory, of something below a file or of nothing. The log has the
difference.
"""

from __future__ import annotations

from collections.abc import Awaitable
from secrets import token_hex
from typing import TypeVar

from zope.interface import implementer

from ftpservice.storage import errors
from ftpservice.storage.errors import BadOffset, Denied, PathNotFound
from ftpservice.storage.filesystem_interfaces import IEnter
from ftpservice.storage.interfaces import (
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
"""Errors that tell what is there, each by being raised in place of another."""


@implementer(IStorage)
class DropBoxStorage:
    """``inner`` for an account that may not know what is in it.

    What the account may do is decided elsewhere.
    """

    def __init__(self, inner: IStorage) -> None:
        self._inner = inner

    def __conform__(self, interface: object) -> object:
        if interface is IEnter:
            return self
        if interface in (IPartials, ISetMode, ISetTimes):
            return interface(self._inner, None)  # type: ignore[operator]
        space = IFreeSpace(self._inner, None) if interface is IFreeSpace else None
        return None if space is None else _FreeSpace(space, self)

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the facts of a directory; raises `PathNotFound` for all else."""
        entry = await _hiding(self._inner.stat(path), path, PathNotFound)
        if entry.kind is not Kind.DIRECTORY:
            raise PathNotFound(path, "not a directory")
        return entry

    async def enter(self, path: VirtualPath) -> None:
        """Return for a directory that can be entered; raises `PathNotFound` for all else."""
        enters = IEnter(self._inner, None)
        if enters is None:
            await self.stat(path)
        else:
            await _hiding(enters.enter(path), path, PathNotFound)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Refuse: what is in a directory is not told."""
        raise Denied(path)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Refuse: what is in a file is not told."""
        raise Denied(path)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Make one directory."""
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
        """Begin an upload; an offset is one in the account's own partial and in nothing else."""
        if request.how is WriteMode.UNIQUE:  # a number would count the files
            path = path.parent.child(f"{path.name}.{token_hex(6)}")
        elif request.offset and request.offset > await self._arrived(path):
            raise BadOffset(path, "no partial of that size")
        return await _hiding(self._inner.open_writing(path, request), path, Denied)

    async def _arrived(self, path: VirtualPath) -> int:
        partials = IPartials(self._inner, None)
        if partials is None:
            return 0
        try:
            return int((await partials.partial(path)).size)
        except REVEALING_ERRORS:
            return 0


@implementer(IFreeSpace)
class _FreeSpace:
    """The room in directories, which are told."""

    def __init__(self, space: IFreeSpace, storage: DropBoxStorage) -> None:
        self._space = space
        self._storage = storage

    async def free_space(self, path: VirtualPath) -> int:
        """Return the bytes that may still be written; raises `PathNotFound` for no directory."""
        await self._storage.stat(path)
        return int(await self._space.free_space(path))


async def _hiding(call: Awaitable[T], path: VirtualPath, kind: type[errors.StorageError]) -> T:
    """Wait for a call; what would tell what is there becomes a ``kind`` of error."""
    try:
        return await call
    except REVEALING_ERRORS as error:
        detail = error.detail if isinstance(error, kind) else error.reason
        raise kind(path, detail) from error
