"""Directory trees on both sides, as what is in them by path."""

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
    """A file or a directory in a tree; others are not moved."""

    is_directory: bool
    size: int
    modified: float
    time_grain: float = 0.0
    """Seconds by which the file may have been changed later than ``modified``."""
    size_known: bool = True

    def with_facts(self, size: int | None, modified: float | None) -> TreeItem:
        """Return the item with what SIZE and MDTM tell of it, where they do."""
        item = self
        if size is not None:
            item = replace(item, size=size, size_known=True)
        if modified is not None:
            item = replace(item, modified=modified, time_grain=0.0)
        return item


@dataclass(slots=True)
class FileTree:
    """What is below a directory, by path from there; a directory comes before what is in it."""

    items: dict[str, TreeItem] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    """Symbolic links; not followed."""
    others: set[str] = field(default_factory=set)
    """What is there besides, and is neither moved nor deleted: devices, what filters leave out."""
    failed: list[tuple[str, ClientError]] = field(default_factory=list)
    """Directories that could not be listed, or not in full, and why."""
    unsafe: list[str] = field(default_factory=list)
    """Names that lead elsewhere."""
    incomplete: set[str] = field(default_factory=set)
    """Directories that may hold more than is known."""
    hiding_dot_names: set[str] = field(default_factory=set)
    """Directories that may hold more names that begin with ``.`` than is known."""
    aliased: set[str] = field(default_factory=set)
    """Directories that are there under another path too, so that one of the two is a link."""
    is_remote: bool = False

    def fail(self, place: str, error: ClientError) -> None:
        """Note that what is in a directory is not known."""
        self.failed.append((place, error))
        self.incomplete.add(place)


@dataclass(frozen=True, slots=True)
class PathFilters:
    """Patterns of shells: of names or, with a ``/``, of paths from the top."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def admit(self, path: str, is_directory: bool) -> bool:
        """Tell whether something is to be looked at; directories need not be included by name."""
        if _matches(path, self.exclude):
            return False
        return is_directory or not self.include or _matches(path, self.include)


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    name = path.rpartition("/")[2]
    return any(
        fnmatchcase(path if "/" in pattern else name, pattern.strip("/")) for pattern in patterns
    )


def walk_local_tree(top: Path, filters: PathFilters, *, must_exist: bool = False) -> FileTree:
    """Return what is below a directory here (blocks); raises `LocalFileError` if it is unreadable.

    Without the top the tree is empty, unless it ``must_exist``.
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
            if _take_local(tree, path, facts, filters):
                waiting.append(path)
    return tree


def _directory_facts(place: Path) -> list[tuple[str, os.stat_result]]:
    with local_errors(place), os.scandir(place) as entries:
        return sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in entries)


def _take_local(tree: FileTree, path: str, facts: os.stat_result, filters: PathFilters) -> bool:
    """Add what is under a path; tell whether it is to be looked into."""
    is_directory = stat.S_ISDIR(facts.st_mode)
    if not filters.admit(path, is_directory):
        tree.others.add(path)
    elif stat.S_ISLNK(facts.st_mode):
        tree.links.add(path)
    elif is_directory or stat.S_ISREG(facts.st_mode):
        size = 0 if is_directory else facts.st_size
        tree.items[path] = TreeItem(is_directory, size, facts.st_mtime)
        return is_directory
    else:
        tree.others.add(path)
    return False


def unlisted_steps(tree: FileTree) -> list[tuple[MirrorStep, Exception]]:
    """Return what is not known of a tree, as steps that failed."""
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
    """Have a directory be there, made of directories alone (blocks).

    Raises `UnsafePath` where a link, or a file, stands in the way: what comes from a server does
    not follow links, whoever has created them.
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
        raise UnsafePath(f"{place}: is in the way, and no directory")


def remove_local(top: Path, path: str) -> None:
    """Remove a file or an empty directory, not going through links (blocks)."""
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
