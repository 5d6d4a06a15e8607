"""Files that live in this process: what a directory holds, and the room that bytes take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from ftpservice.storage.errors import NoSpace
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["Content", "Directory", "File", "MemoryTree", "Node", "Partial"]

WEEK = 7 * 86_400.0


class Content:
    """Bytes that only ever grow, so that who reads the first ``n`` of them keeps what it saw."""

    __slots__ = ("_counted", "_tree", "data")

    def __init__(self, tree: MemoryTree) -> None:
        self.data = bytearray()
        self._tree = tree
        self._counted = True

    def add(self, data: bytes | memoryview, path: VirtualPath) -> None:
        """Add bytes at the end; raises `NoSpace`."""
        if self._counted:
            self._tree.take(len(data), path)
        self.data += data

    def cut_to(self, size: int) -> Content:
        """Return the first ``size`` bytes; what is beyond is dropped."""
        if size == len(self.data):
            return self
        self.drop()
        shorter = Content(self._tree)
        with memoryview(self.data) as view:
            shorter.add(view[:size], VirtualPath())
        return shorter

    def drop(self) -> None:
        """Give the room back; who still reads goes on reading."""
        if self._counted:
            self._counted = False
            self._tree.used -= len(self.data)


@dataclass(eq=False, slots=True)
class Node:
    """What files and directories have in common."""

    serial: int
    modified: float
    created: float
    owner: str
    mode: int


@dataclass(eq=False, slots=True)
class File(Node):
    """A plain file."""

    content: Content

    def entry(self, name: str) -> Entry:
        """Return the facts of this file under ``name``."""
        return _entry(self, name, Kind.FILE, len(self.content.data))


@dataclass(eq=False, slots=True)
class Directory(Node):
    """A directory."""

    entries: dict[str, File | Directory] = field(default_factory=dict)

    def entry(self, name: str) -> Entry:
        """Return the facts of this directory under ``name``."""
        return _entry(self, name, Kind.DIRECTORY, 0)

    def put(self, name: str, node: File | Directory, now: float) -> File | Directory | None:
        """Give ``node`` a name here; returns what had that name."""
        replaced = self.entries.get(name)
        self.entries[name] = node
        self.modified = now
        return replaced

    def take(self, name: str, now: float) -> None:
        """Take a name away."""
        del self.entries[name]
        self.modified = now


def _entry(node: Node, name: str, kind: Kind, size: int) -> Entry:
    return Entry(
        name,
        kind,
        size,
        modified=node.modified,
        mode=node.mode,
        owner=node.owner,
        unique=str(node.serial),
        created=node.created,
    )


@dataclass(slots=True)
class Partial:
    """What arrived of an upload that was cut."""

    content: Content
    modified: float


class MemoryTree:
    """One tree of files, which the storages of several owners may share.

    ``capacity`` is in bytes, hidden partials included; a partial is kept ``partial_age`` seconds.
    """

    def __init__(
        self,
        capacity: int | None = None,
        partial_age: float = WEEK,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self.capacity = capacity
        self.partial_age = partial_age
        self.seconds = seconds
        self.used = 0
        self.promised: set[VirtualPath] = set()
        """Names that `How.UNIQUE` gave to uploads still under way."""
        self._partials: dict[tuple[str, VirtualPath], Partial] = {}
        self._serials = count(1)
        self.root = self.new_directory("ftp", 0o755)

    def new_directory(self, owner: str, mode: int) -> Directory:
        """Return a directory that is nowhere yet."""
        now = self.seconds()
        return Directory(next(self._serials), now, now, owner, mode)

    def new_file(self, owner: str, mode: int, content: Content) -> File:
        """Return a file that is nowhere yet."""
        now = self.seconds()
        return File(next(self._serials), now, now, owner, mode, content)

    def take(self, size: int, path: VirtualPath) -> None:
        """Take room for ``size`` more bytes; raises `NoSpace`."""
        if self.capacity is not None and self.used + size > self.capacity:
            self._sweep()
            if self.used + size > self.capacity:
                raise NoSpace(path)
        self.used += size

    def free_space(self) -> int:
        """Return the bytes that still fit; without a capacity, what the machine has left."""
        if self.capacity is None:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._sweep()
        return max(0, self.capacity - self.used)

    def keep_partial(self, owner: str, path: VirtualPath, content: Content) -> None:
        """Keep what arrived for ``path``, in place of what was kept before."""
        self.drop_partial(owner, path)
        self._partials[owner, path] = Partial(content, self.seconds())
        self._sweep()

    def partial(self, owner: str, path: VirtualPath) -> Partial | None:
        """Return ``owner``'s partial of ``path``, if one is kept."""
        self._sweep()
        return self._partials.get((owner, path))

    def take_partial(self, owner: str, path: VirtualPath) -> Content | None:
        """Take a partial out, to go on from it."""
        partial = self._partials.pop((owner, path), None)
        return None if partial is None else partial.content

    def drop_partial(self, owner: str, path: VirtualPath) -> None:
        """Forget a partial."""
        content = self.take_partial(owner, path)
        if content is not None:
            content.drop()

    def drop_partials_in(self, directory: VirtualPath) -> None:
        """Forget everybody's partials in a directory that goes away."""
        for owner, path in [key for key in self._partials if key[1].parent == directory]:
            self.drop_partial(owner, path)

    def _sweep(self) -> None:
        """Forget the partials whose time is over; the oldest come first."""
        ended = self.seconds() - self.partial_age
        while self._partials:
            key = next(iter(self._partials))
            if self._partials[key].modified > ended:
                return
            self.drop_partial(*key)
