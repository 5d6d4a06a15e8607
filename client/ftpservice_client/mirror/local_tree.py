"""Directory trees: their content by path, and how a local one is read and changed."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from ftpservice_client.errors import ClientError, LocalFileError, UnsafePath
from ftpservice_client.local.files import local_errors
from ftpservice_client.results import MirrorStep

__all__ = [
    "FileTree",
    "PathFilters",
    "TreeItem",
    "make_directory_without_links",
    "remote_path",
    "remove_local",
    "unlisted_steps",
    "walk_local_tree",
]


@dataclass(frozen=True, slots=True)
class TreeItem:
    """A file or a directory of a tree."""

    is_directory: bool
    size: int
    modified: float
    time_grain: float = 0.0
    """Precision of ``modified``: the file may have changed up to so many seconds later."""
    size_known: bool = True

    def with_facts(self, size: int | None, modified: float | None) -> TreeItem:
        """Return the item with the size and the time from SIZE and MDTM, unless they are None."""
        item = self
        if size is not None:
            item = replace(item, size=size, size_known=True)
        if modified is not None:
            item = replace(item, modified=modified, time_grain=0.0)
        return item


@dataclass(slots=True)
class FileTree:
    """The content of a directory by relative path; a directory comes before its content."""

    items: dict[str, TreeItem] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    """Symbolic links; not followed."""
    excluded: set[str] = field(default_factory=set)
    """What is neither copied nor deleted: devices, and what the filters exclude."""
    failed: list[tuple[str, ClientError]] = field(default_factory=list)
    """Directories that could not be listed, or not in full, and the error."""
    unsafe: list[str] = field(default_factory=list)
    """Names that lead out of their directory."""
    incomplete: set[str] = field(default_factory=set)
    """Directories that may contain more entries."""
    hiding_dot_names: set[str] = field(default_factory=set)
    """Directories that may contain more names that begin with ``.``."""
    aliased: set[str] = field(default_factory=set)
    """Directories that were found under two paths, so that one of them is a link."""
    is_remote: bool = False

    def fail(self, place: str, error: ClientError) -> None:
        """Record a directory whose content is unknown."""
        self.failed.append((place, error))
        self.incomplete.add(place)


@dataclass(frozen=True, slots=True)
class PathFilters:
    """Shell patterns for names or, with a ``/``, for paths from the top."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def matches(self, path: str, is_directory: bool) -> bool:
        """Return whether a path is to be copied; directories need not match ``include``."""
        if _matches(path, self.exclude):
            return False
        return is_directory or not self.include or _matches(path, self.include)


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    name = path.rpartition("/")[2]
    return any(
        fnmatchcase(path if "/" in pattern else name, pattern.strip("/")) for pattern in patterns
    )


def walk_local_tree(top: Path, filters: PathFilters, *, must_exist: bool = False) -> FileTree:
    """Return the tree below a local directory (blocks); raises `LocalFileError`.

    If the directory does not exist, the tree is empty, unless it ``must_exist``.
    """
    tree = FileTree()
    waiting = [""] if must_exist or os.path.lexists(top) else []
    while waiting:
        place = waiting.pop()
        try:
            found = _directory_facts(top / place)
        except LocalFileError as error:
            if not place:
                raise
            tree.fail(place, error)
            continue
        for name, facts in found:
            path = f"{place}/{name}" if place else name
            if _add_local(tree, path, facts, filters):
                waiting.append(path)
    return tree


def _directory_facts(place: Path) -> list[tuple[str, os.stat_result]]:
    with local_errors(place), os.scandir(place) as entries:
        return sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in entries)


def _add_local(tree: FileTree, path: str, facts: os.stat_result, filters: PathFilters) -> bool:
    """Add an entry; return whether it is a directory to be listed."""
    is_directory = stat.S_ISDIR(facts.st_mode)
    if not filters.matches(path, is_directory):
        tree.excluded.add(path)
    elif stat.S_ISLNK(facts.st_mode):
        tree.links.add(path)
    elif is_directory or stat.S_ISREG(facts.st_mode):
        size = 0 if is_directory else facts.st_size
        tree.items[path] = TreeItem(is_directory, size, facts.st_mtime)
        return is_directory
    else:
        tree.excluded.add(path)
    return False


def unlisted_steps(tree: FileTree) -> list[tuple[MirrorStep, Exception]]:
    """Return the parts of a tree that are unknown, as failed steps."""
    failed: list[tuple[MirrorStep, Exception]] = [
        (MirrorStep("list", place), problem) for place, problem in tree.failed
    ]
    for name in tree.unsafe:
        failed.append(
            (MirrorStep("skip", name), UnsafePath(f"{name!r} leads out of the directory"))
        )
    return failed


def remote_path(top: str, path: str) -> str:
    """Return a path below a directory on the server."""
    if not path or not top:
        return top or path
    return f"{top.rstrip('/')}/{path}"


def make_directory_without_links(top: Path, path: str) -> None:
    """Create a directory and those above it, unless they exist (blocks).

    Raises `UnsafePath` if one of them is a link or a file: a mirror never writes through a
    link.
    """
    with local_errors(top):
        top.mkdir(parents=True, exist_ok=True)
    place = top
    for part in filter(None, path.split("/")):
        place = place / part
        with local_errors(place):
            with suppress(FileExistsError):
                os.mkdir(place)
            _require_directory(place)


def _require_directory(place: Path) -> None:
    if not stat.S_ISDIR(os.lstat(place).st_mode):
        raise UnsafePath(f"{place}: exists and is not a directory")


def remove_local(top: Path, path: str) -> None:
    """Remove a file or an empty directory, but not through links (blocks)."""
    place = top
    for part in path.split("/"):
        with local_errors(place):
            _require_directory(place)
        place = place / part
    with local_errors(place):
        if stat.S_ISDIR(os.lstat(place).st_mode):
            os.rmdir(place)
        else:
            os.unlink(place)
