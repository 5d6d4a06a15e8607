"""Walks through the trash: finding what an account may restore, and removing what has expired."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from heapq import nsmallest

from ftpservice.backends.local.paths.names import TRASH_NAME, decoded, encoded
from ftpservice.backends.local.paths.tree import DirectoryTree, open_hidden
from ftpservice.backends.local.trash.trash_names import (
    COPY_NAME,
    ItemName,
    item_name,
    trash_path,
    trashed_file,
)
from ftpservice.backends.local.trash.trash_order import EVERYBODY
from ftpservice.backends.local.tree_walk import DIRECTORY_FLAGS, TreeWalk
from ftpservice.storage.errors import StorageError
from ftpservice.storage.trash import MAX_ORDERED, TrashedFile
from ftpservice.wire.paths import VirtualPath

__all__ = ["ExpiredTrash", "OldestSearch", "TrashSearch", "remove_empty_trash"]

SETTLED_SECONDS = 10.0
"""The age at which a file that is in the trash and in its place has been left so by a crash."""
COPY_SECONDS = 86_400.0
"""What a copy may take."""


class _TrashWalk(TreeWalk):
    """A walk through directories with hidden names."""

    def open(self, path: VirtualPath) -> int:
        """Open a directory."""
        return open_hidden(self._tree, path, DIRECTORY_FLAGS)

    def visit(self, opened: int, path: VirtualPath, item: os.DirEntry[str]) -> None:
        """Note a directory; examine anything else."""
        if item.is_dir(follow_symlinks=False):
            self.pending.append(path.child(decoded(item.name)))
            return
        name = os.fsencode(item.name)
        with suppress(OSError):
            self._examine(opened, path, name, item.stat(follow_symlinks=False))

    def _examine(self, _opened: int, path: VirtualPath, name: bytes, facts: os.stat_result) -> None:
        raise NotImplementedError


class TrashSearch(_TrashWalk):
    """Collects what ``owner`` has deleted that had the name ``path`` or was below it."""

    def __init__(self, tree: DirectoryTree, owner: str, path: VirtualPath) -> None:
        super().__init__(tree, trash_path(owner, path))
        self.found: list[TrashedFile] = []

    def _examine(self, _opened: int, path: VirtualPath, name: bytes, facts: os.stat_result) -> None:
        item = item_name(name)
        if item is None:
            return
        had = VirtualPath(path.parts[2:])  # without the trash and the owner
        self.found.append(trashed_file(item, had, facts))


class OldestSearch(_TrashWalk):
    """Collects the oldest files of the trash ``name``, or of `EVERYBODY`."""

    def __init__(self, tree: DirectoryTree, name: bytes) -> None:
        names = (name.decode(),) if name != EVERYBODY else ()
        super().__init__(tree, VirtualPath((TRASH_NAME, *names)))
        self.found: list[TrashedFile] = []
        self._depth = 1 + len(names)

    def _examine(self, _opened: int, path: VirtualPath, name: bytes, facts: os.stat_result) -> None:
        item = item_name(name)
        if item is not None and len(path.parts) > self._depth:
            self.found.append(trashed_file(item, VirtualPath(path.parts[self._depth :]), facts))
            if len(self.found) >= 2 * MAX_ORDERED:
                self.found = nsmallest(MAX_ORDERED, self.found, key=lambda one: one.id)


class ExpiredTrash(_TrashWalk):
    """Removes what has expired in the trash of the directory ``home``, of all accounts.

    Also what a killed process has left: copies that are not complete, and the second names of files
    that are in their place.
    """

    def __init__(self, tree: DirectoryTree, home: VirtualPath) -> None:
        super().__init__(tree, home.child(TRASH_NAME))
        self.removed = 0
        self._home = home
        self._now = time.time()
        self._empty: list[VirtualPath] = []
        """Directories that may have become empty, those above others first."""

    def turn(self) -> bool:
        """Walk a part; at the end remove empty directories."""
        if super().turn():
            return True
        while self._empty:
            self._remove_directory(self._empty.pop())
        return False

    def _examine(self, opened: int, path: VirtualPath, name: bytes, facts: os.stat_result) -> None:
        item = item_name(name)
        if item is None:
            is_over = COPY_NAME.fullmatch(name) and facts.st_ctime < self._now - COPY_SECONDS
        else:
            is_over = item.expires <= self._now * 1e6 or self._is_in_place(path, item, facts)
        if is_over:
            os.unlink(name, dir_fd=opened)
            self.removed += item is not None

    def _is_in_place(self, path: VirtualPath, item: ItemName, facts: os.stat_result) -> bool:
        if facts.st_nlink < 2 or item.deleted > (self._now - SETTLED_SECONDS) * 1e6:
            return False
        below = path.parts[len(self._home.parts) + 2 :]
        try:
            with self._tree.parent(VirtualPath(below).below(self._home)) as place:
                there = place.facts()
        except (OSError, StorageError):
            return False
        return there is not None and os.path.samestat(there, facts)

    def _visit_all(self, opened: int, path: VirtualPath) -> int:
        count = super()._visit_all(opened, path)
        self._empty.append(path)
        return count

    def _remove_directory(self, path: VirtualPath) -> None:
        with suppress(OSError, StorageError):
            above = open_hidden(self._tree, path.parent, DIRECTORY_FLAGS)
            try:
                os.rmdir(encoded(path.name, path), dir_fd=above)
            finally:
                os.close(above)


def remove_empty_trash(opened: int) -> bool:
    """Remove the trash in an open directory if it has no files; return whether it is gone."""
    walk = os.fwalk(TRASH_NAME, topdown=False, dir_fd=opened, follow_symlinks=False)
    try:
        for _path, directories, _names, here in walk:
            for name in directories:
                os.rmdir(name, dir_fd=here)
        os.rmdir(TRASH_NAME, dir_fd=opened)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
