"""Rights that differ between the directories of one account.

- A path has the rights of the longest ruled path that it begins with, by whole names; without one
  those of the account.
- A ruled path and the directories above it keep their place: they are not removed, renamed or
  replaced. So no rename takes a directory away from its rule, and none puts another one there.
- A rename between directories with different rights takes what a copy and a removal would: rename,
  delete and rmdir where the name is, create and mkdir where it goes. It must not make anything
  visible or readable that was not.
- A ruled path may be a file. If its rights hide it (see `DropBoxStorage`), listings omit it; a
  directory is always listed.
- The storage below must not follow symbolic links (`IWithoutLinks`): a path would not be where
  its rights are decided.

Each set of rights has one `RestrictedStorage`, which enforces it; this wrapper only chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from zope.interface import Attribute, Interface, implementer

from ftpservice.storage.drop_box import DropBoxStorage
from ftpservice.storage.errors import Denied, Exists
from ftpservice.storage.interfaces import (
    IListing,
    IReading,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads, InterruptedUploadsAt
from ftpservice.storage.own_uploads import IOwnUploads
from ftpservice.storage.permissions import (
    CAPABILITY_RIGHTS,
    SEEING_RIGHTS,
    RestrictedStorage,
    permission_facts,
)
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.rights import Right
from ftpservice.storage.ruled_capabilities import RuledCapabilities
from ftpservice.storage.trash import ITrash, TrashedFile, WrappedTrash
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["DirectoryRightsStorage", "IDirectoryRights", "RightsTable"]

LEAVING_RIGHTS = frozenset({Right.RENAME, Right.DELETE, Right.RMDIR})
ARRIVING_RIGHTS = frozenset({Right.CREATE, Right.MKDIR})
REVEALING_RIGHTS = frozenset({Right.LIST, Right.READ})


class RightsTable:
    """The rights of an account, and those of its directories.

    The right `Right.ADMIN` holds for the whole account.
    """

    def __init__(
        self, rights: frozenset[Right], by_directory: Mapping[VirtualPath, frozenset[Right]]
    ) -> None:
        admin = rights & {Right.ADMIN}
        self._by_parts = {path.parts: held | admin for path, held in by_directory.items()}
        self._by_parts[ROOT.parts] = rights
        self._longest = max(map(len, self._by_parts))
        self._fixed = frozenset(
            path.parts[:end] for path in by_directory for end in range(1, len(path.parts) + 1)
        )

        self._hidden: dict[tuple[str, ...], list[str]] = {}
        for path, held in by_directory.items():
            if path.parts and SEEING_RIGHTS.isdisjoint(held):
                self._hidden.setdefault(path.parts[:-1], []).append(path.name)

    @property
    def all_rights(self) -> frozenset[frozenset[Right]]:
        """The sets of rights that occur."""
        return frozenset(self._by_parts.values())

    def rights_at(self, path: VirtualPath) -> frozenset[Right]:
        """Return the rights to a path."""
        parts = path.parts[: self._longest]
        while parts not in self._by_parts:
            parts = parts[:-1]
        return self._by_parts[parts]

    def is_fixed(self, path: VirtualPath) -> bool:
        """Return whether a path is ruled or above a ruled one."""
        return path.parts in self._fixed

    def permissions(self, path: VirtualPath, entry: Entry) -> str:
        """Return the ``perm`` fact of the entry of a path; a fixed one keeps its place."""
        if self.is_fixed(path):
            entry = entry._replace(name="")
        return permission_facts(self.rights_at(path), entry)

    def fixed_names(self, directory: VirtualPath) -> frozenset[str]:
        """Return the names in a directory that are ruled or above a ruled path."""
        depth = len(directory.parts)
        return frozenset(
            parts[-1]
            for parts in self._fixed
            if len(parts) == depth + 1 and parts[:-1] == directory.parts
        )

    def hidden_names(self, directory: VirtualPath) -> frozenset[str]:
        """Return the names in a directory that are hidden if they are not those of directories."""
        return frozenset(self._hidden.get(directory.parts, ()))


class IDirectoryRights(Interface):
    """A storage whose directories have different rights."""

    table = Attribute("The `RightsTable`.")


@implementer(IStorage, IDirectoryRights)
class DirectoryRightsStorage:
    """``inner``, which follows no links, for an account with rights by directory."""

    def __init__(self, inner: IStorage, table: RightsTable) -> None:
        self._inner = inner
        self.table = table
        self._by_rights = {rights: RestrictedStorage(inner, rights) for rights in table.all_rights}

    def __conform__(self, interface: object) -> object:
        """Offer an optional interface if the rights to some directory allow it."""
        if interface is IQuota:
            return IQuota(self._inner, None)
        if interface is IInterruptedUploads:
            return InterruptedUploadsAt.of(self._inner, self._at)
        if interface is not IOwnUploads and interface not in CAPABILITY_RIGHTS:
            return None
        if interface is ITrash:
            return _RuledTrash.of(self._at, self.table, self._by_rights.values())
        every = [interface(one, None) for one in self._by_rights.values()]  # type: ignore[operator]
        found = [one for one in every if one is not None]
        return RuledCapabilities(self._at, found, len(found) == len(every)) if found else None

    def _at(self, path: VirtualPath) -> RestrictedStorage:
        return self._by_rights[self.table.rights_at(path)]

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of a path, if its rights do not hide it."""
        return await self._at(path).stat(path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Begin to read a directory; files that their own rights hide are left out."""
        listing = await self._at(path).open_listing(path)
        hidden = self.table.hidden_names(path)
        return _WithoutFiles(listing, hidden) if hidden else listing

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file."""
        return await self._at(path).open_reading(path)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory; the rights to the one that will hold it count."""
        await self._at(path.parent).make_directory(path, mode)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory."""
        self._require_movable(path)
        await self._at(path).remove_directory(path)

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file."""
        self._require_movable(path)
        await self._at(path).remove_file(path)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload."""
        if request.write_mode is not WriteMode.UNIQUE:
            self._require_movable(path)
            return await self._at(path).open_writing(path, request)
        writing = await self._at(path.parent).open_writing(path, request)
        if self.table.is_fixed(writing.path):
            await writing.abandon()
            raise Exists(writing.path)
        return writing

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename; between directories with different rights if both sides allow it."""
        self._require_movable(source)
        self._require_movable(target)
        leaving, arriving = self.table.rights_at(source), self.table.rights_at(target)
        if leaving == arriving:
            await self._at(source).rename(source, target, replace)
            return
        _require_all(LEAVING_RIGHTS, leaving, source)
        _require_all(ARRIVING_RIGHTS, arriving, target)
        if arriving & REVEALING_RIGHTS - leaving:
            raise Denied(target, "it would become readable by the rename")
        hides = SEEING_RIGHTS.isdisjoint(arriving)
        inner = DropBoxStorage(self._inner) if hides else self._inner
        await inner.rename(source, target, replace and Right.OVERWRITE in arriving)

    def _require_movable(self, path: VirtualPath) -> None:
        if self.table.is_fixed(path):
            raise Denied(path, "a directory with rights of its own, or one above it")


class _RuledTrash(WrappedTrash):
    """The trash of an account with rights by directory; ``at`` returns the storage of a path.

    A file is restored where the rights allow it, and reveals nothing that they did not before.
    """

    def __init__(
        self, at: Callable[[VirtualPath], IStorage], table: RightsTable, inner: ITrash
    ) -> None:
        self._at = at
        self._table = table
        super().__init__(inner)

    @classmethod
    def of(
        cls, at: Callable[[VirtualPath], IStorage], table: RightsTable, every: Iterable[IStorage]
    ) -> _RuledTrash | None:
        """Return the trash of a storage; None if no rights allow to restore anything."""
        found = [trash for one in every if (trash := ITrash(one, None)) is not None]
        return cls(at, table, found[0]) if found else None

    async def trashed(self, path: VirtualPath) -> Sequence[TrashedFile]:
        """Return what had names whose rights allow to restore it."""
        found = await self._inner.trashed(path)
        return [one for one in found if ITrash(self._at(one.path), None) is not None]

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Restore a file."""
        leaving, arriving = (self._table.rights_at(path) for path in (trashed.path, target))
        if self._table.is_fixed(target):
            raise Denied(target, "a directory with rights of its own, or one above it")
        if arriving & REVEALING_RIGHTS - leaving:
            raise Denied(target, "it would become readable")
        entry: Entry = await self._of(target).restore(trashed, target, replace)
        return entry

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files for good."""
        gone: list[TrashedFile] = []
        for one in trashed:
            gone += await self._of(one.path).discard([one])
        return gone

    def _of(self, path: VirtualPath) -> ITrash:
        found: ITrash | None = ITrash(self._at(path), None)
        if found is None:
            raise Denied(path, "the rights to this directory do not allow it")
        return found


@implementer(IListing)
class _WithoutFiles:
    """A listing without the entries of ``names`` that are not directories."""

    def __init__(self, inner: IListing, names: frozenset[str]) -> None:
        self._inner = inner
        self._names = names

    async def next_batch(self) -> Sequence[Entry]:
        """Return some more entries; the end is an empty sequence."""
        while batch := await self._inner.next_batch():
            shown = [
                entry
                for entry in batch
                if entry.name not in self._names or entry.kind is Kind.DIRECTORY
            ]
            if shown:
                return shown
        return ()

    def close(self) -> None:
        """Close the directory."""
        self._inner.close()


def _require_all(needed: frozenset[Right], held: frozenset[Right], path: VirtualPath) -> None:
    lacking = sorted(right.value for right in needed - held)
    if lacking:
        raise Denied(path, f"the account lacks the rights {', '.join(lacking)}")
