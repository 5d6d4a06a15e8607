"""Finding, listing and removing the partial uploads of a tree on the disk; blocking calls.

The name of a partial holds its owner as a digest, and an extended attribute holds the name of its
file. If the filesystem has no such attributes, the names in its directory are tried.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass

from ftpservice.backends.local.files.lazy_upload import LazyUpload
from ftpservice.backends.local.partials.partial_file import discard_idle, is_idle, read_mark
from ftpservice.backends.local.paths.names import (
    ASIDE_NAME,
    PARTIAL_NAME,
    TRASH_NAME,
    decoded,
    is_hidden,
    is_partial_of,
    partial_name,
)
from ftpservice.backends.local.paths.tree import DirectoryEntry, DirectoryTree
from ftpservice.backends.local.trash_search import remove_empty_trash
from ftpservice.backends.local.tree_walk import DIRECTORY_FLAGS, TreeWalk
from ftpservice.storage.errors import (
    BeingUploaded,
    HasTrash,
    HasUploads,
    NotEmpty,
    PathNotFound,
)
from ftpservice.storage.interfaces import PartialUpload
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "DirectoryPartials",
    "PartialSearch",
    "PartialWalk",
    "drop_partial",
    "remove_partial_alone",
]

Visit = Callable[[int, VirtualPath, bytes], object]
"""Takes an open directory, its path and the name of a partial in it."""


class PartialWalk(TreeWalk):
    """One walk through a tree that calls ``visit`` for every partial, in turns.

    ``visit_aside`` is called for files that a removal has set aside.
    """

    def __init__(self, tree: DirectoryTree, visit: Visit, visit_aside: Visit | None = None) -> None:
        super().__init__(tree, ROOT)
        self.homes: list[VirtualPath] = []
        """The directories that have a trash."""
        self._visit = visit
        self._visit_aside = visit_aside

    def visit(self, opened: int, path: VirtualPath, item: os.DirEntry[str]) -> None:
        """Note a directory; call ``visit`` for a partial."""
        name = decoded(item.name)
        if is_hidden(name):
            self._hidden(opened, path, os.fsencode(item.name))
        elif item.is_dir(follow_symlinks=False):
            self.pending.append(path.child(name))

    def _hidden(self, opened: int, path: VirtualPath, name: bytes) -> None:
        if PARTIAL_NAME.fullmatch(name):
            self._visit(opened, path, name)
        elif name == TRASH_NAME.encode():
            self.homes.append(path)
        elif self._visit_aside is not None and ASIDE_NAME.fullmatch(name):
            self._visit_aside(opened, path, name)


class PartialSearch:
    """Collects ``owner``'s partials, or those of all owners; with ``drops``, removes idle ones.

    ``only``: those of this path. A partial whose file is not known is listed under its own name.
    """

    def __init__(
        self, owner: str, everybody: bool, drops: bool = False, only: VirtualPath | None = None
    ) -> None:
        self.found: list[PartialUpload] = []
        self._owner = owner
        self._everybody = everybody
        self._drops = drops
        self._only = only

    def visit(self, opened: int, path: VirtualPath, name: bytes) -> None:
        """Examine a partial."""
        if not self._everybody and not is_partial_of(self._owner, name):
            return
        facts = DirectoryEntry(opened, name).facts()
        if facts is None or not stat.S_ISREG(facts.st_mode):
            return
        target, owner = self._target_and_owner(opened, name)
        shown = path.child(decoded(os.fsdecode(target)))
        if self._only is None or shown == self._only:
            active = not is_idle(opened, name)
            if self._drops and not active:
                discard_idle(opened, name)
            elif not active and not facts.st_size:
                return  # it only keeps the note of an upload of which nothing arrived
            self.found.append(PartialUpload(shown, owner, facts.st_size, facts.st_mtime, active))

    def _target_and_owner(self, opened: int, name: bytes) -> tuple[bytes, str]:
        """Return the name of the file, or of the partial, and the owner or an empty string."""
        owner = self._owner if is_partial_of(self._owner, name) else ""
        mark = read_mark(opened, name)
        if mark is not None and is_partial_of(mark.owner, name):
            return mark.name, mark.owner
        beside = _names_beside(opened) if owner else []
        return next((one for one in beside if partial_name(owner, one) == name), name), owner


def _names_beside(opened: int) -> list[bytes]:
    """Return the names in a directory that may be read through its descriptor meanwhile."""
    again = os.open(b".", DIRECTORY_FLAGS, dir_fd=opened)
    try:
        return [os.fsencode(name) for name in os.listdir(again)]
    finally:
        os.close(again)


def drop_partial(
    tree: DirectoryTree, path: VirtualPath, owner: str, everybody: bool
) -> list[PartialUpload]:
    """Remove ``owner``'s partial of ``path``, or those of all owners; return those removed.

    Raises `PathNotFound`, `BeingUploaded`.
    """
    if path.is_root:
        raise PathNotFound(path)
    search = PartialSearch(owner, everybody, drops=True, only=path)
    opened = tree.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = [os.fsencode(name) for name in os.listdir(opened)]
        for name in filter(PARTIAL_NAME.fullmatch, names):
            search.visit(opened, path.parent, name)
    finally:
        os.close(opened)
    dropped = [partial for partial in search.found if not partial.is_active]
    if not dropped:
        raise (BeingUploaded if search.found else PathNotFound)(path)
    return dropped


def remove_partial_alone(place: DirectoryEntry, path: VirtualPath, owner: str) -> None:
    """Remove ``owner``'s idle partial of a file that does not exist.

    Raises `PathNotFound`, `BeingUploaded`.
    """
    name = partial_name(owner, place.name)
    if not discard_idle(place.directory, name):
        raise (PathNotFound if is_idle(place.directory, name) else BeingUploaded)(path)


@dataclass(frozen=True)
class DirectoryPartials:
    """Decides which partial uploads prevent the removal of a directory; removes the others."""

    owner: str
    age: float
    lazy_uploads: set[object]

    def check_lazy_uploads(self, place: DirectoryEntry, path: VirtualPath) -> None:
        """Raise `HasUploads` if an upload is under way that has no partial yet."""
        lazy = [one for one in tuple(self.lazy_uploads) if isinstance(one, LazyUpload)]
        facts = place.facts() if lazy else None
        if facts is not None and any(upload.targets_directory(facts) for upload in lazy):
            raise HasUploads(path, "an upload has begun")

    def remove(self, place: DirectoryEntry, path: VirtualPath) -> None:
        """Remove the owner's idle partials in a directory, and expired ones.

        Raises `NotEmpty` if there is anything else; nothing is removed then.
        """
        opened = os.open(place.name, DIRECTORY_FLAGS | os.O_CLOEXEC, dir_fd=place.directory)
        try:
            names = [os.fsencode(name) for name in os.listdir(opened)]
            if TRASH_NAME.encode() in names:
                names.remove(TRASH_NAME.encode())
                if not remove_empty_trash(opened):
                    raise HasTrash(path)
            if not all(PARTIAL_NAME.fullmatch(name) for name in names):
                raise NotEmpty(path)
            for name in names:
                self._check_removable(opened, name, path)
            for name in names:
                discard_idle(opened, name)
        finally:
            os.close(opened)

    def _check_removable(self, opened: int, name: bytes, path: VirtualPath) -> None:
        if not is_idle(opened, name):
            raise HasUploads(path, "an upload is under way")
        if is_partial_of(self.owner, name) or is_partial_of("", name):
            return
        facts = DirectoryEntry(opened, name).facts()
        if facts is not None and facts.st_size and facts.st_mtime > time.time() - self.age:
            raise HasUploads(path, "a partial upload of another owner")
