"""One tree from several storages.

- A path belongs to the storage of the longest mount point that it begins with; what another storage
  has of the name of a mount point, or below it, is hidden.
- The directories above a mount point exist, whether their own storage has them or not. These and
  the mount points cannot be removed, renamed or replaced.
- A link is followed within the storage that has it.
- A storage that is down fails the calls for its own paths, no others. Its mount point is listed.
- The optional interfaces are offered for all paths (`MountedCapabilities`).
- A rename between storages raises `OtherFilesystem`, or copies a file (`move_file`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from zope.interface import implementer

from ftpservice.backends.mounts.file_move import FileName, move_file
from ftpservice.backends.mounts.mount_rules import MountRules, RenameAcrossMounts
from ftpservice.backends.mounts.mount_table import MountTable
from ftpservice.backends.mounts.mounted_capabilities import (
    CAPABILITIES,
    MountedCapabilities,
    MountedRemoval,
    MountedUploads,
)
from ftpservice.backends.mounts.mounted_files import MountedListing, MountedWriting
from ftpservice.backends.mounts.mounted_trash import MountedTrash
from ftpservice.backends.mounts.mounted_tree import MountedTree
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import (
    Denied,
    Exists,
    IsDirectory,
    NotDirectory,
    OtherFilesystem,
    PathNotFound,
    StorageError,
)
from ftpservice.storage.interfaces import (
    IListing,
    IReading,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.trash import ITrash
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["MountedStorage"]

T = TypeVar("T")


@implementer(IStorage)
class MountedStorage:
    """The tree of ``table``."""

    def __init__(self, table: MountTable, rules: MountRules) -> None:
        self._table = table
        self._tree = MountedTree(table, rules.clock)
        self._rules = rules

    def __conform__(self, interface: object) -> object:
        if interface in CAPABILITIES:
            return MountedCapabilities(self._tree)
        if interface is IConditionalRemoval:
            return MountedRemoval(self._tree)
        if interface is IInterruptedUploads:
            return MountedUploads(self._tree)
        if interface is ITrash:
            return MountedTrash(self._tree)
        root = self._table.parts[0].opened
        return IQuota(root[0], None) if interface is IQuota and root is not None else None

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``."""
        return await self._tree.stat(path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Open a directory; mount points are among its entries."""
        names = self._table.names_in(path)
        inner: IListing | None = None
        try:
            inner = await self._tree.call(path, lambda storage, at: storage.open_listing(at))
        except (PathNotFound, NotDirectory):
            if not names:
                raise
        try:
            mounts = [await self._tree.listed(path.child(name)) for name in names]
        except BaseException:
            if inner is not None:
                inner.close()
            raise
        return MountedListing(inner, self._table.find(path)[0], mounts)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory."""
        if self._table.is_fixed(path):
            raise Exists(path)
        await self._create(path, lambda storage, at: storage.make_directory(at, mode))

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory, neither a mount point nor one above."""
        self._table.check_not_fixed(path)
        self._table.find(path)[0].check_writable(path)
        await self._tree.call(path, lambda storage, at: storage.remove_directory(at))

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file or a link."""
        self._table.check_not_fixed(path)
        self._table.find(path)[0].check_writable(path)
        await self._tree.call(path, lambda storage, at: storage.remove_file(at))

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file."""
        if self._table.is_fixed(path):
            raise IsDirectory(path)
        return await self._tree.call(path, lambda storage, at: storage.open_reading(at))

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload transaction."""
        while self._table.is_fixed(path):
            if request.write_mode is not WriteMode.UNIQUE:
                raise IsDirectory(path)
            path = path.parent.child(f"{path.name}.1")
        inner: IWriting = await self._create(
            path, lambda storage, at: storage.open_writing(at, request)
        )
        writing = MountedWriting(inner, self._table.find(path)[0])
        if self._table.is_fixed(writing.path):  # a unique name that only a mount has
            await writing.abandon()
            raise Exists(writing.path)
        return writing

    async def _create(
        self, path: VirtualPath, function: Callable[[IStorage, VirtualPath], Awaitable[T]]
    ) -> T:
        """Call what needs the directory that holds ``path``."""
        table = self._table
        table.find(path)[0].check_writable(path)
        try:
            return await self._tree.call(path, function)
        except (PathNotFound, NotDirectory):
            if table.is_fixed(path.parent) and table.mount_at(path.parent) is None:
                raise Denied(path, "the directory is there for the mounts below it only") from None
            raise

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename in one step within a storage; else refuse, or copy a file and remove it."""
        table = self._table
        table.check_not_fixed(source, target)
        (here, at), (there, to) = table.find(source), table.find(target)
        here.check_writable(source)
        there.check_writable(target)
        if here is there:
            await self._tree.call(source, lambda storage, _at: storage.rename(at, to, replace))
            return
        await self._tree.lstat(source)
        if await here.place(at) == await there.place(to):
            return  # the same directory is mounted twice
        if self._rules.rename_across is not RenameAcrossMounts.COPY:
            raise OtherFilesystem(source, f"{target} is in another storage")
        try:
            await move_file(
                FileName(await here.storage(), at), FileName(await there.storage(), to), replace
            )
        except StorageError as error:
            error.path = source
            raise
