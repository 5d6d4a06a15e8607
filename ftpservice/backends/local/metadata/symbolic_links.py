"""Symbolic links on the disk, listed as links, with the target that the account may see.

Nothing outside the account's tree is revealed: a link that leads out of it, in whatever way, has no
target. An absolute target inside the tree is given from the account's root. A relative one is given
as it is stored, unless the directory was itself reached through a link, where ``..`` would mislead.
"""

from __future__ import annotations

import os
import stat

from ftpservice.backends.local.metadata.stat import O_PATH, entry_of
from ftpservice.backends.local.paths.names import components
from ftpservice.backends.local.paths.path_walk import relative_to_root
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.storage.errors import StorageError
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import FORBIDDEN, VirtualPath

__all__ = ["LinkTargets", "entry_itself"]


class LinkTargets:
    """Finds out where the links of one directory point; blocks. One is made for each listing."""

    def __init__(self, tree: DirectoryTree, directory: VirtualPath) -> None:
        self._tree = tree
        self._directory = directory
        self._real: list[bytes] | None = None

    def entry_for(self, entry: Entry, name: bytes, opened: int) -> Entry:
        """Return the entry of a link ``name`` in the open directory, with its target.

        If that is a plain file, size and modification time are the file's: those of a download.
        """
        try:
            target = self._target(entry.name, os.readlink(name, dir_fd=opened))
        except (OSError, StorageError):
            target = ""
        if not target or not FORBIDDEN.isdisjoint(target):
            return entry._replace(size=0)
        facts = self._target_file(entry.name)
        if facts is None:
            return entry._replace(target=target, size=0)
        return entry._replace(target=target, size=facts.st_size, modified=facts.st_mtime)

    def _target_file(self, name: str) -> os.stat_result | None:
        """Return the facts of the plain file that a link leads to, if it does."""
        try:
            opened = self._tree.open(self._directory.child(name), O_PATH)
        except (OSError, StorageError):
            return None
        try:
            facts = os.fstat(opened)
        finally:
            os.close(opened)
        return facts if stat.S_ISREG(facts.st_mode) else None

    def _target(self, name: str, text: bytes) -> str:
        """Return the target to show for a link that holds ``text``; `OSError` if it leads out."""
        names = [part for part in text.split(b"/") if part not in (b"", b".")]
        is_absolute = text.startswith(b"/")
        if is_absolute:
            names = relative_to_root(self._tree.root_spellings(), names)
        if b".." not in names:
            return _absolute(names) if is_absolute else _decoded(text)
        self._check_stays_inside(name)
        base = [] if is_absolute else self._real_directory()
        place = _joined(base, names)
        if is_absolute or base != components(self._directory):
            return _absolute(place)
        return _decoded(text)

    def _check_stays_inside(self, name: str) -> None:
        """Raise `PermissionError` if the link leads out, even if it leads back in afterwards."""
        with self._tree.walk(components(self._directory.child(name))) as walk:
            try:
                walk.arrive(follow=True)
            except (FileNotFoundError, NotADirectoryError):
                return  # `_joined` checks the names that follow the missing one

    def _real_directory(self) -> list[bytes]:
        """Return the names that lead to the directory without any link; found once."""
        if self._real is None:
            with self._tree.walk([*components(self._directory), b"."]) as walk:
                walk.arrive(follow=False)
                self._real = walk.entered
        return self._real


def _joined(base: list[bytes], names: list[bytes]) -> list[bytes]:
    place = list(base)
    for name in names:
        if name != b"..":
            place.append(name)
        elif place:
            place.pop()
        else:
            raise PermissionError("a link leads above the root")
    return place


def _absolute(names: list[bytes]) -> str:
    return "/" + _decoded(b"/".join(names))


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def entry_itself(tree: DirectoryTree, path: VirtualPath) -> Entry:
    """Return the entry of what is at ``path``; a link is not followed."""
    opened = tree.open(path, O_PATH | os.O_NOFOLLOW)
    try:
        facts = os.fstat(opened)
    finally:
        os.close(opened)
    entry = entry_of(path.name, facts)
    if not stat.S_ISLNK(facts.st_mode):
        return entry
    with tree.parent(path) as place:
        return LinkTargets(tree, path.parent).entry_for(entry, place.name, place.directory)
