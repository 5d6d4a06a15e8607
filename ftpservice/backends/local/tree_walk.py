"""A walk through the directories of a tree, in turns: each is one call of the pool. It blocks."""

from __future__ import annotations

import os

from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.storage.errors import StorageError
from ftpservice.wire.paths import VirtualPath

__all__ = ["DIRECTORY_FLAGS", "TreeWalk"]

DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class TreeWalk:
    """Calls `visit` for each name below ``top``; nothing is kept open between turns.

    Only directories that `visit` adds to ``pending`` are walked.
    """

    entries_per_turn = 1000
    """Entries examined in one turn; more only if one directory has more."""

    def __init__(self, tree: DirectoryTree, top: VirtualPath) -> None:
        self._tree = tree
        self.pending = [top]

    def visit(self, opened: int, path: VirtualPath, item: os.DirEntry[str]) -> None:
        """Examine a name in the open directory ``opened``, whose path is ``path``."""
        raise NotImplementedError

    def open(self, path: VirtualPath) -> int:
        """Open a directory; raises `OSError`, `StorageError`."""
        return self._tree.open(path, DIRECTORY_FLAGS)

    def turn(self) -> bool:
        """Walk a part; return whether there is more."""
        seen = 0
        while self.pending and seen < self.entries_per_turn:
            path = self.pending.pop()
            try:
                opened = self.open(path)
            except (OSError, StorageError):
                continue  # removed, or not readable
            try:
                seen += self._visit_all(opened, path)
            finally:
                os.close(opened)
        return bool(self.pending)

    def _visit_all(self, opened: int, path: VirtualPath) -> int:
        """Examine the names in an open directory; return how many there were."""
        count = 0
        with os.scandir(opened) as items:
            for item in items:
                count += 1
                self.visit(opened, path, item)
        return count
