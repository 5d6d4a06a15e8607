"""The view of one owner on a tree in memory, from its own root; every path is looked up anew."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.backends.memory.trash import MemoryTrash
from ftpservice.backends.memory.tree import MemoryDirectory, MemoryFile, MemoryTree
from ftpservice.storage.errors import InvalidName, IsDirectory, NotDirectory, PathNotFound
from ftpservice.wire.paths import VirtualPath

__all__ = ["MemoryView"]

MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class MemoryView:
    """A tree as ``owner`` sees it, whose root is ``top``."""

    tree: MemoryTree
    owner: str
    top: VirtualPath
    trash: MemoryTrash | None = None
    """What keeps what is deleted and overwritten."""

    def full_path(self, path: VirtualPath) -> VirtualPath:
        """Return the path from the root of the tree."""
        return path.below(self.top)

    def node(self, path: VirtualPath) -> MemoryFile | MemoryDirectory:
        """Return what is at ``path``; raises `PathNotFound`."""
        try:
            return self._walk(path)
        except NotDirectory:
            raise PathNotFound(path) from None

    def file(self, path: VirtualPath) -> MemoryFile:
        """Return the plain file at ``path``; raises `PathNotFound`, `IsDirectory`."""
        node = self.node(path)
        if isinstance(node, MemoryDirectory):
            raise IsDirectory(path)
        return node

    def directory(self, path: VirtualPath) -> MemoryDirectory:
        """Return the directory at ``path``; raises `PathNotFound`, `NotDirectory`."""
        node = self._walk(path)
        if isinstance(node, MemoryFile):
            raise NotDirectory(path)
        return node

    def home(self, path: VirtualPath) -> MemoryDirectory:
        """Return the directory that would hold ``path``.

        Raises `PathNotFound`, `NotDirectory`, or `InvalidName` for a name that no filesystem takes.
        """
        size = len(path.name.encode("utf-8", "surrogateescape"))
        if size > MAX_NAME_BYTES or "/" in path.name or path.name in (".", ".."):
            raise InvalidName(path)
        try:
            return self.directory(path.parent)
        except (PathNotFound, NotDirectory) as error:
            raise type(error)(path) from None

    def _walk(self, path: VirtualPath) -> MemoryFile | MemoryDirectory:
        node: MemoryFile | MemoryDirectory = self.tree.root
        for part in self.full_path(path).parts:
            if isinstance(node, MemoryFile):
                raise NotDirectory(path)
            below = node.entries.get(part)
            if below is None:
                raise PathNotFound(path)
            node = below
        return node
