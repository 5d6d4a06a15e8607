"""Which storage a path belongs to, and which directories are mount points."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from ftpservice.storage.errors import Denied, MountPoint, StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.wire.entry import ENTER, READ, REMOVE, Entry
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["MountTable", "MountedPart", "Opened"]

Opened = tuple[IStorage, tuple[object, ...]]
"""A storage, and the place of its root: equal for equal directories, longer below them."""


@dataclass(eq=False)
class MountedPart:
    """One storage, at ``path`` in the tree; it is opened at its first use.

    ``opens`` raises `StorageError` while the storage is down; the next use tries again.
    """

    path: VirtualPath
    opens: Callable[[], Coroutine[Any, Any, Opened]]
    read_only: bool = False
    opened: Opened | None = None

    async def storage(self) -> IStorage:
        """Return the storage; raises `StorageError` if it is down."""
        if self.opened is None:
            self.opened = await self.opens()
        return self.opened[0]

    async def place(self, path: VirtualPath) -> tuple[object, ...]:
        """Return where a path of the storage is, to compare it with paths of others."""
        await self.storage()
        assert self.opened is not None
        return self.opened[1] + path.parts

    def check_writable(self, path: VirtualPath) -> None:
        """Raise `Denied` if nothing can be changed there."""
        if self.read_only:
            raise Denied(path, f"{self.path} is mounted read-only")

    def outside(self, error: StorageError) -> StorageError:
        """Return an error of the storage with the path as the account names it."""
        error.path = error.path.below(self.path)
        error.args = (error.path, error.detail)
        return error

    def shown(self, entry: Entry) -> Entry:
        """Return an entry of the storage as it is in the tree."""
        if self.read_only:
            entry = entry._replace(access=entry.access & (READ | ENTER))
        if entry.target.startswith("/") and self.path.parts:
            entry = entry._replace(target=str(self.path) + entry.target.rstrip("/"))
        return entry

    def root_entry(self, entry: Entry) -> Entry:
        """Return the entry of the root of the storage as that of the mount point."""
        entry = self.shown(entry)
        if not self.path.parts:
            return entry
        return entry._replace(name=self.path.name, access=entry.access & ~REMOVE)


class MountTable:
    """The parts of a tree: the first one has the root, the others are mounted below it."""

    def __init__(self, parts: Sequence[MountedPart]) -> None:
        self.parts = tuple(parts)
        self._by_path = {part.path.parts: part for part in parts}
        self._depth = max(len(part.path.parts) for part in parts)
        self._names: dict[tuple[str, ...], list[str]] = {}
        for part in sorted(parts, key=lambda one: one.path):
            for depth in range(len(part.path.parts)):
                names = self._names.setdefault(part.path.parts[:depth], [])
                if part.path.parts[depth] not in names:
                    names.append(part.path.parts[depth])

    def find(self, path: VirtualPath) -> tuple[MountedPart, VirtualPath]:
        """Return the part that a path belongs to, and the path within it."""
        names = path.parts
        for depth in range(min(len(names), self._depth), 0, -1):
            part = self._by_path.get(names[:depth])
            if part is not None:
                return part, VirtualPath(names[depth:])
        return self._by_path[()], path

    def mount_at(self, path: VirtualPath) -> MountedPart | None:
        """Return the part that is mounted at ``path`` itself."""
        return self._by_path.get(path.parts) if path.parts else None

    def names_in(self, path: VirtualPath) -> Sequence[str]:
        """Return the names in a directory that are mount points or lead to some."""
        return self._names.get(path.parts, ())

    def is_fixed(self, path: VirtualPath) -> bool:
        """Return whether a path is a mount point or a directory above one, but not the root."""
        return path != ROOT and (path.parts in self._by_path or path.parts in self._names)

    def check_not_fixed(self, *paths: VirtualPath) -> None:
        """Raise `MountPoint` for a path that can be neither removed, renamed nor replaced."""
        for path in paths:
            if self.is_fixed(path):
                raise MountPoint(path, "a mount of the account is there, or below it")
