"""Counting what a tree on the disk takes up; blocking calls."""

from __future__ import annotations

import os
from contextlib import suppress

from ftpservice.backends.local.partials.partial_file import is_idle
from ftpservice.backends.local.paths.names import (
    ASIDE_NAME,
    PARTIAL_NAME,
    TRASH_NAME,
    decoded,
    is_hidden,
)
from ftpservice.backends.local.paths.tree import DirectoryTree, open_hidden
from ftpservice.backends.local.trash.trash_names import item_name
from ftpservice.backends.local.tree_walk import DIRECTORY_FLAGS, TreeWalk
from ftpservice.storage.quota_interfaces import TreeUsage
from ftpservice.wire.paths import VirtualPath

__all__ = ["UsageWalk", "place_of"]


def place_of(tree: DirectoryTree) -> tuple[object, ...]:
    """Return where the root of a tree is on this machine, by its real path."""
    names = next(tree.root_spellings())
    return ("local", *(name.decode("utf-8", "surrogateescape") for name in names))


class UsageWalk(TreeWalk):
    """One walk through the tree below ``top`` that counts its files, bytes and partial uploads.

    Links are not followed. An empty partial upload, and one under way, does not count. A file that
    is set aside to be removed does: it may get its name back. So do the files of the trash.
    """

    entries_per_turn = 2000

    def __init__(self, tree: DirectoryTree, top: VirtualPath) -> None:
        super().__init__(tree, top)
        self._size = self._files = self._partials = 0

    @property
    def usage(self) -> TreeUsage:
        """What was found so far."""
        return TreeUsage(self._size, self._files, self._partials)

    def visit(self, opened: int, path: VirtualPath, item: os.DirEntry[str]) -> None:
        """Count a name, unless it was removed meanwhile."""
        with suppress(OSError):
            if item.name == TRASH_NAME or TRASH_NAME in path.parts:
                self._trashed(path, item)
            else:
                self._entry(opened, path, item)

    def _trashed(self, path: VirtualPath, item: os.DirEntry[str]) -> None:
        """Count a file of the trash; its directories do not count."""
        if item.is_dir(follow_symlinks=False):
            self.pending.append(path.child(decoded(item.name)))
        elif item_name(os.fsencode(item.name)) is not None:
            self._files += 1
            if item.is_file(follow_symlinks=False):
                self._size += item.stat(follow_symlinks=False).st_size

    def open(self, path: VirtualPath) -> int:
        """Open a directory, also of the trash."""
        if TRASH_NAME in path.parts:
            return open_hidden(self._tree, path, DIRECTORY_FLAGS)
        return super().open(path)

    def _entry(self, opened: int, path: VirtualPath, item: os.DirEntry[str]) -> None:
        if item.is_dir(follow_symlinks=False):
            self.pending.append(path.child(decoded(item.name)))
        elif item.is_file(follow_symlinks=False):
            size = item.stat(follow_symlinks=False).st_size
            name = os.fsencode(item.name)
            if item.name[0] == "." and is_hidden(item.name) and not ASIDE_NAME.fullmatch(name):
                if not size or not PARTIAL_NAME.fullmatch(name) or not is_idle(opened, name):
                    return
                self._partials += 1
            self._size += size
        self._files += 1
