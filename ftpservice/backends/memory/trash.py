"""Files that were deleted or overwritten in memory, which no path leads to."""

from __future__ import annotations

import os

from ftpservice.backends.memory.tree import MemoryFile, MemoryTree, Trashed
from ftpservice.storage.trash import FreedSpace, TrashedFile, TrashRule
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["MemoryTrash"]


class MemoryTrash:
    """The trash of ``owner``'s storage with its root at ``top``; see `ITrash`.

    ``rule``: None for a storage that keeps nothing more.
    """

    def __init__(
        self, tree: MemoryTree, owner: str, top: VirtualPath, rule: TrashRule | None = None
    ) -> None:
        self.rule = rule
        self.freed = FreedSpace()
        self._tree = tree
        self._owner = owner
        self._top = top

    def keep(self, path: VirtualPath, file: MemoryFile, was_overwritten: bool) -> None:
        """Keep a file that had the name ``path``; its oldest versions go if there are too many."""
        assert self.rule is not None
        now = self._tree.seconds()
        number = f"{int(now * 1000):012x}{os.urandom(6).hex()}"
        times = file.modified, now, now + self.rule.seconds
        size = len(file.content.data)
        shown = TrashedFile(number, path, Kind.FILE, size, *times, was_overwritten)
        self._tree.trashed.append(Trashed(self._owner, self._top, shown, file))
        versions = [one for one in self.nodes() if one.shown.path == path]
        for surplus in versions[: -self.rule.versions]:
            self.freed.add(surplus.shown.size)
            self.drop(surplus)

    def nodes(self) -> list[Trashed]:
        """Return what is kept, the oldest first."""
        self._tree.sweep_trash()
        return [one for one in self._tree.trashed if (one.owner, one.top) == self.key]

    @property
    def key(self) -> tuple[str, VirtualPath]:
        """The owner and the root."""
        return self._owner, self._top

    def take(self, trashed: TrashedFile) -> MemoryFile | None:
        """Return a file of the trash, which is not there any more; None if it is gone."""
        for one in self.nodes():
            if one.shown.id == trashed.id:
                self._tree.trashed.remove(one)
                return one.file
        return None

    def drop(self, node: Trashed) -> None:
        """Remove a file for good."""
        self._tree.trashed.remove(node)
        node.file.content.drop()
