"""How one owner sees a tree in memory: from its own root, names looked up afresh every time."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.backends.memory.tree import Directory, File, MemoryTree
from ftpservice.storage.errors import InvalidName, IsDirectory, NotDirectory, NotFound
from ftpservice.wire.paths import VirtualPath

__all__ = ["MemoryView"]

LONGEST_NAME = 255


@dataclass(frozen=True)
class MemoryView:
    """A tree as ``owner`` sees it, whose root is ``top``."""

    tree: MemoryTree
    owner: str
    top: VirtualPath

    def full(self, path: VirtualPath) -> VirtualPath:
        """Return a path as it is named from the root of the tree."""
        return path.below(self.top)

    def node(self, path: VirtualPath) -> File | Directory:
        """Return what is at ``path``; raises `NotFound`."""
        try:
            return self._walk(path)
        except NotDirectory:
            raise NotFound(path) from None

    def file(self, path: VirtualPath) -> File:
        """Return the plain file at ``path``; raises `NotFound`, `IsDirectory`."""
        node = self.node(path)
        if isinstance(node, Directory):
            raise IsDirectory(path)
        return node

    def directory(self, path: VirtualPath) -> Directory:
        """Return the directory at ``path``; raises `NotFound`, `NotDirectory`."""
        node = self._walk(path)
        if isinstance(node, File):
            raise NotDirectory(path)
        return node

    def home(self, path: VirtualPath) -> Directory:
        """Return the directory that would hold ``path``.

        Raises `NotFound`, `NotDirectory`, or `InvalidName` for what no other filesystem holds.
        """
        size = len(path.name.encode("utf-8", "surrogateescape"))
        if size > LONGEST_NAME or "/" in path.name or path.name in (".", ".."):
            raise InvalidName(path)
        try:
            return self.directory(path.parent)
        except (NotFound, NotDirectory) as error:
            raise type(error)(path) from None

    def _walk(self, path: VirtualPath) -> File | Directory:
        node: File | Directory = self.tree.root
        for part in self.full(path).parts:
            if isinstance(node, File):
                raise NotDirectory(path)
            below = node.entries.get(part)
            if below is None:
                raise NotFound(path)
            node = below
        return node
