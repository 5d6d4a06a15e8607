"""Race-free resolution of a path below a root, and nowhere else.

In most cases one call of openat2(2) does it. A `PathWalk` does the rest: older kernels, and links
that are absolute or lead above their directory but stay below the root. Both decide by opening,
never by checking first, so nothing can be swapped in between.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import weakref
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ftpservice.backends.local.paths.names import components, encoded
from ftpservice.backends.local.paths.path_walk import DIRECTORY_FLAGS, PathWalk
from ftpservice.linux import (
    AT_FDCWD,
    BENEATH,
    BENEATH_IF_CACHED,
    RESOLVE_CACHED,
    RESOLVE_NO_SYMLINKS,
    UNSUPPORTED_ERRNOS,
    open_beneath,
)
from ftpservice.wire.paths import VirtualPath

__all__ = ["DirectoryEntry", "DirectoryTree", "open_hidden", "proc_fd_path", "real_path_of"]

WALK_ERRNOS = (errno.EAGAIN, *UNSUPPORTED_ERRNOS)
MAX_ATTEMPTS = 5
"""Times that a last component may turn from a file into a link meanwhile."""


class DirectoryEntry:
    """A name in an open directory, whether or not something has that name.

    Owns the descriptor ``directory``, unless it is the root of ``tree``.
    """

    __slots__ = ("_tree", "directory", "name")

    def __init__(self, directory: int, name: bytes, tree: DirectoryTree | None = None) -> None:
        self.directory = directory
        self.name = name
        self._tree = tree

    def __enter__(self) -> DirectoryEntry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the directory, once."""
        if self.directory >= 0 and self._tree is None:
            os.close(self.directory)
        self.directory = -1

    def facts(self) -> os.stat_result | None:
        """Return the facts of what has the name now, not following links; None for nothing."""
        try:
            return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_link(self) -> bool:
        """Return whether a link has the name now."""
        facts = self.facts()
        return facts is not None and stat.S_ISLNK(facts.st_mode)


@lru_cache(maxsize=64)
def _absolute(text: str) -> bytes:
    return os.path.abspath(os.fsencode(text))


class DirectoryTree:
    """Everything below an open directory.

    Owns the descriptor ``root``, which is closed with the last reference to the tree. ``text`` is
    its configured absolute path, for absolute links. Without ``follows_links``, a path that leads
    through a link raises ``ELOOP``. Methods block, except ``…_if_cached``; they raise `OSError` and
    what `components` raises. With ``may_hang``, nothing is cached: its filesystem may have to be
    asked for what the kernel seems to know. Neither are other filesystems that are mounted below.
    """

    may_hang = False

    def __init__(self, root: int, text: bytes, follows_links: bool = True) -> None:
        self.root = root
        self.text = text
        self._follows_links = follows_links
        links = 0 if follows_links else RESOLVE_NO_SYMLINKS
        self._resolve = BENEATH | links
        self._resolve_cached = BENEATH_IF_CACHED | links
        weakref.finalize(self, os.close, root)

    @classmethod
    def at(cls, text: str) -> DirectoryTree:
        """Open the directory ``text``, following links; for the operator's configuration."""
        return cls(os.open(text, DIRECTORY_FLAGS), _absolute(text))

    @classmethod
    def at_if_cached(cls, text: str) -> DirectoryTree | None:
        """Open the directory ``text`` if that needs no disk; else None."""
        name = os.fsencode(text)
        try:
            return cls(
                open_beneath(AT_FDCWD, name, DIRECTORY_FLAGS, RESOLVE_CACHED), _absolute(text)
            )
        except OSError:
            return None

    def below(self, top: VirtualPath) -> DirectoryTree:
        """Return the tree of a directory, which cannot reach anything else in this one."""
        return self.subtree(self.open(top, DIRECTORY_FLAGS), top)

    def without_links(self) -> DirectoryTree:
        """Return the same tree, which follows no links."""
        tree = DirectoryTree(os.dup(self.root), self.text, follows_links=False)
        tree.may_hang = self.may_hang
        return tree

    def subtree(self, directory: int, top: VirtualPath) -> DirectoryTree:
        """Return the tree of an open directory that is ``top`` in this one."""
        return DirectoryTree(directory, os.path.join(self.text, *components(top)))

    def open(self, path: VirtualPath, flags: int) -> int:
        """Open ``path``, following links as long as they stay below the root."""
        names = components(path)
        try:
            return open_beneath(self.root, b"/".join(names) or b".", flags, self._resolve)
        except OSError as error:
            if error.errno not in WALK_ERRNOS:
                raise
        with self.walk(names) as walk:
            return _open_last(walk, flags)

    def open_if_cached(self, path: VirtualPath, flags: int) -> int | None:
        """Open ``path`` if that needs no disk and no `PathWalk`; else None.

        Raises `OSError` if it is certain that there is nothing to open.
        """
        if self.may_hang:
            return None
        names = components(path)
        try:
            return open_beneath(self.root, b"/".join(names) or b".", flags, self._resolve_cached)
        except OSError as error:
            if error.errno in WALK_ERRNOS:
                return None
            raise

    def enter(self, path: VirtualPath) -> None:
        """Raise `OSError` unless ``path`` is a directory that this process may enter."""
        names = [*components(path), b"."]  # resolving a dot needs the right to enter
        try:
            os.close(open_beneath(self.root, b"/".join(names), DIRECTORY_FLAGS, self._resolve))
        except OSError as error:
            if error.errno not in WALK_ERRNOS:
                raise
        else:
            return
        with self.walk(names) as walk:
            walk.arrive(follow=False)
            os.stat(".", dir_fd=walk.here)

    def can_enter_if_cached(self, path: VirtualPath) -> bool:
        """Return whether `enter` is known to succeed without the disk."""
        if self.may_hang:
            return False
        names = [*components(path), b"."]
        try:
            os.close(
                open_beneath(self.root, b"/".join(names), DIRECTORY_FLAGS, self._resolve_cached)
            )
        except OSError:
            return False
        return True

    def parent(self, path: VirtualPath) -> DirectoryEntry:
        """Return the last component of ``path`` in its directory; it may be a link."""
        names = components(path)
        if len(names) < 2:
            return DirectoryEntry(self.root, names[0] if names else b".", self)
        return DirectoryEntry(self.open(path.parent, DIRECTORY_FLAGS), names[-1])

    def parent_if_cached(self, path: VirtualPath, name: bytes) -> DirectoryEntry | None:
        """Return `parent` of a path that ends in ``name``, if that needs no disk; else None.

        Raises what `open_if_cached` does.
        """
        if self.may_hang:
            return None
        if len(path.parts) == 1:
            return DirectoryEntry(self.root, name, self)
        directory = self.open_if_cached(path.parent, DIRECTORY_FLAGS)
        return None if directory is None else DirectoryEntry(directory, name)

    def place(self, path: VirtualPath) -> DirectoryEntry:
        """Return where a file opened as ``path`` would be: like `parent`, with links followed."""
        place = self.parent(path)
        try:
            facts = place.facts()
            if facts is None or not stat.S_ISLNK(facts.st_mode):
                return place
        except BaseException:
            place.close()
            raise
        place.close()
        with self.walk(components(path)) as walk:
            name = walk.arrive(follow=True)
            return DirectoryEntry(os.dup(walk.here), name)

    def walk(self, names: Sequence[bytes]) -> PathWalk:
        """Return a walk from the root, for use in ``with``."""
        return PathWalk(self.root, names, self.root_spellings, self._follows_links)

    def root_spellings(self) -> Iterator[list[bytes]]:
        """Yield the prefixes of absolute links into the tree: its real path now, and ``text``."""
        if sys.platform == "linux":
            texts = [real_path_of(self), self.text]
        else:
            texts = [os.path.realpath(self.text), self.text]
        for text in texts:
            yield [name for name in text.split(b"/") if name]


def real_path_of(tree: DirectoryTree) -> bytes:
    """Return the path of the root without links, as the kernel knows it; asks no filesystem."""
    return os.readlink(f"/proc/self/fd/{tree.root}".encode())


def open_hidden(tree: DirectoryTree, path: VirtualPath, flags: int) -> int:
    """Open a path with names that no command can use; a link as its last name is not followed.

    Raises `OSError`, `InvalidName`.
    """
    with tree.walk([encoded(name, path) for name in path.parts]) as walk:
        return _open_last(walk, flags | os.O_NOFOLLOW)


def _open_last(walk: PathWalk, flags: int) -> int:
    """Open the last component of a walk; follow it if it turns out to be a link."""
    follow = not flags & os.O_NOFOLLOW
    for _ in range(MAX_ATTEMPTS):
        name = walk.arrive(follow)
        try:
            opened = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=walk.here)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR) or not _is_link(walk, name):
                raise
        else:
            if not follow or not stat.S_ISLNK(os.fstat(opened).st_mode):
                return opened
            os.close(opened)
        walk.again(name)
    raise OSError(errno.ELOOP, "a link comes and goes")


def _is_link(walk: PathWalk, name: bytes) -> bool:
    facts = os.stat(name, dir_fd=walk.here, follow_symlinks=False)
    return stat.S_ISLNK(facts.st_mode)


def proc_fd_path(descriptor: int) -> str | int:
    """Return a path to an open file, for calls that take no ``O_PATH`` descriptor."""
    return f"/proc/self/fd/{descriptor}" if hasattr(os, "O_PATH") else descriptor
