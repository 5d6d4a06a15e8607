"""Counting what a tree on the disk takes up; blocking calls."""

from __future__ import annotations

import os

from ftpservice.backends.local.partials.partial_file import is_idle
from ftpservice.backends.local.paths.names import PARTIAL_NAME, decoded, is_hidden
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.storage.errors import StorageError
from ftpservice.storage.quota_interfaces import TreeUsage
from ftpservice.wire.paths import VirtualPath

__all__ = ["UsageWalk", "place_of"]

ENTRIES_PER_TURN = 2000
"""Entries counted in one call of the pool; more only if one directory has more."""
DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def place_of(tree: DirectoryTree) -> tuple[object, ...]:
    """Return where the root of a tree is on this machine, by its real path."""
    names = next(tree.root_spellings())
    return ("local", *(name.decode("utf-8", "surrogateescape") for name in names))


class UsageWalk:
    """One walk through the tree below ``top``, in turns; nothing is kept open between them.

    Links are not followed. An empty partial upload, and one under way, does not count.
    """

    def __init__(self, tree: DirectoryTree, top: VirtualPath) -> None:
        self._tree = tree
        self._pending = [top]
        self._size = self._files = self._partials = self._seen = 0

    @property
    def usage(self) -> TreeUsage:
        """What was found so far."""
        return TreeUsage(self._size, self._files, self._partials)

    def turn(self) -> bool:
        """Walk a part; tell whether there is more."""
        self._seen = 0
        while self._pending and self._seen < ENTRIES_PER_TURN:
            path = self._pending.pop()
            try:
                opened = self._tree.open(path, DIRECTORY_FLAGS)
            except (OSError, StorageError):
                continue  # removed, or not readable
            try:
                self._directory(opened, path)
            finally:
                os.close(opened)
        return bool(self._pending)

    def _directory(self, opened: int, path: VirtualPath) -> None:
        with os.scandir(opened) as items:
            for item in items:
                self._seen += 1
                try:
                    self._entry(opened, path, item)
                except OSError:
                    continue  # removed meanwhile

    def _entry(self, opened: int, path: VirtualPath, item: os.DirEntry[str]) -> None:
        if item.is_dir(follow_symlinks=False):
            self._pending.append(path.child(decoded(item.name)))
        elif item.is_file(follow_symlinks=False):
            size = item.stat(follow_symlinks=False).st_size
            if item.name[0] == "." and is_hidden(item.name):
                name = os.fsencode(item.name)
                if not size or not PARTIAL_NAME.fullmatch(name) or not is_idle(opened, name):
                    return
                self._partials += 1
            self._size += size
        self._files += 1
