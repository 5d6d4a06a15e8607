"""A tree of files in memory: nodes, contents, partial uploads, and the space that they take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from ftpservice.storage.errors import HasUploads, NoSpace
from ftpservice.storage.trash import TrashedFile
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "Key",
    "MemoryContent",
    "MemoryDirectory",
    "MemoryFile",
    "MemoryNode",
    "MemoryPartial",
    "MemoryTree",
    "Trashed",
    "partial_key",
]

DEFAULT_PARTIAL_AGE_SECONDS = 7 * 86_400.0
SERIALS = count(1)
"""Serial numbers of files and directories, unique in all trees, which may be mounted together."""

Key = tuple[str, int, str]
"""Of an upload: its owner, the serial number of the directory, the name of the file."""


class MemoryContent:
    """Bytes that are only appended to, so a reader of the first ``n`` is not disturbed."""

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

    def cut_to(self, size: int) -> MemoryContent:
        """Return a content of the first ``size`` bytes; this one is dropped if it is longer."""
        if size == len(self.data):
            return self
        self.drop()
        shorter = MemoryContent(self._tree)
        with memoryview(self.data) as view:
            shorter.add(view[:size], VirtualPath())
        return shorter

    @property
    def is_dropped(self) -> bool:
        """Whether no file and no partial upload has these bytes any more."""
        return not self._counted

    def drop(self) -> None:
        """Give the space back; readers can continue."""
        if self._counted:
            self._counted = False
            self._tree.used -= len(self.data)


@dataclass(eq=False, slots=True)
class MemoryNode:
    """The attributes that files and directories have in common."""

    serial: int
    modified: float
    created: float
    owner: str
    mode: int


@dataclass(eq=False, slots=True)
class MemoryFile(MemoryNode):
    """A plain file."""

    content: MemoryContent

    def entry(self, name: str) -> Entry:
        """Return the entry of this file under ``name``."""
        return _entry(self, name, Kind.FILE, len(self.content.data))


@dataclass(eq=False, slots=True)
class MemoryDirectory(MemoryNode):
    """A directory."""

    entries: dict[str, MemoryFile | MemoryDirectory] = field(default_factory=dict)

    def entry(self, name: str) -> Entry:
        """Return the entry of this directory under ``name``."""
        return _entry(self, name, Kind.DIRECTORY, 0)

    def put(
        self, name: str, node: MemoryFile | MemoryDirectory, now: float
    ) -> MemoryFile | MemoryDirectory | None:
        """Give ``node`` a name in this directory; return what had that name."""
        replaced = self.entries.get(name)
        self.entries[name] = node
        self.modified = now
        return replaced

    def take(self, name: str, now: float) -> None:
        """Remove a name."""
        del self.entries[name]
        self.modified = now


def _entry(node: MemoryNode, name: str, kind: Kind, size: int) -> Entry:
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


@dataclass(eq=False, slots=True)
class MemoryPartial:
    """What arrived of an upload that is under way or was interrupted."""

    owner: str
    home: MemoryDirectory
    name: str
    content: MemoryContent
    modified: float


def partial_key(owner: str, home: MemoryDirectory, name: str) -> Key:
    """Return the key of an upload; it stays the same if the directory is renamed."""
    return owner, home.serial, name


@dataclass(frozen=True, eq=False)
class Trashed:
    """A file that was deleted or overwritten, and that no path leads to."""

    owner: str
    top: VirtualPath
    """The root of the storage that has deleted it."""
    shown: TrashedFile
    file: MemoryFile


class MemoryTree:
    """One tree of files, which the storages of several owners may share.

    ``capacity`` is in bytes and includes partial uploads, which are kept ``partial_age`` seconds.
    """

    def __init__(
        self,
        capacity: int | None = None,
        partial_age: float = DEFAULT_PARTIAL_AGE_SECONDS,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self.capacity = capacity
        self.partial_age = partial_age
        self.seconds = seconds
        self.used = 0
        self.running: set[MemoryPartial] = set()
        """Uploads under way, except appends in place; for unique names the owner is empty."""
        self.growing: list[MemoryFile] = []
        """The files that appends under way add to, one for each append."""
        self.trashed: list[Trashed] = []
        """What was deleted and is kept, the oldest first."""
        self._partials: dict[Key, MemoryPartial] = {}
        self.root = self.new_directory("ftp", 0o755)

    def new_directory(self, owner: str, mode: int) -> MemoryDirectory:
        """Return a directory that has no name yet."""
        now = self.seconds()
        return MemoryDirectory(next(SERIALS), now, now, owner, mode)

    def new_file(self, owner: str, mode: int, content: MemoryContent) -> MemoryFile:
        """Return a file that has no name yet."""
        now = self.seconds()
        return MemoryFile(next(SERIALS), now, now, owner, mode, content)

    def take(self, size: int, path: VirtualPath) -> None:
        """Take space for ``size`` more bytes; raises `NoSpace`."""
        if self.capacity is not None and self.used + size > self.capacity:
            self._sweep()
            self._make_room(size)
            if self.used + size > self.capacity:
                raise NoSpace(path)
        self.used += size

    def free_space(self) -> int:
        """Return the free bytes; without a capacity, those of the machine."""
        if self.capacity is None:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._sweep()
        return max(0, self.capacity - self.used)

    def keep_partial(self, partial: MemoryPartial) -> None:
        """Keep what arrived of an upload; replaces what was kept of an earlier one."""
        key = partial_key(partial.owner, partial.home, partial.name)
        self.drop_partial(key)
        partial.modified = self.seconds()
        self._partials[key] = partial
        self._sweep()

    def partial(self, key: Key) -> MemoryPartial | None:
        """Return what is kept of an upload, or what has arrived of one under way."""
        self._sweep()
        return self._partials.get(key) or self.upload_under_way(key)

    def upload_under_way(self, key: Key) -> MemoryPartial | None:
        """Return the upload under way, if there is one."""
        return next(
            (one for one in self.running if partial_key(one.owner, one.home, one.name) == key), None
        )

    def take_partial(self, key: Key) -> MemoryContent | None:
        """Remove a partial upload and return its content, to be resumed."""
        partial = self._partials.pop(key, None)
        return None if partial is None else partial.content

    def drop_partial(self, key: Key) -> bool:
        """Remove a partial upload; return whether there was one."""
        content = self.take_partial(key)
        if content is None:
            return False
        content.drop()
        return True

    def all_partials(self) -> list[tuple[MemoryPartial, bool]]:
        """Return the partial uploads of all owners, each with whether it is under way."""
        self._sweep()
        kept = [(partial, False) for partial in self._partials.values()]
        return kept + [(partial, True) for partial in self.running if partial.owner]

    def clear_partials(self, home: MemoryDirectory, owner: str, path: VirtualPath) -> None:
        """Remove ``owner``'s partial uploads in a directory to be removed; raises `HasUploads`."""
        self._sweep()
        mine = [key for key in self._partials if key[1] == home.serial]
        if any(running.home is home for running in self.running):
            raise HasUploads(path, "an upload is under way")
        if any(key[0] != owner for key in mine):
            raise HasUploads(path, "a partial upload of another owner")
        for key in mine:
            self.drop_partial(key)

    def sweep_trash(self) -> None:
        """Remove what has expired in the trash."""
        now = self.seconds()
        for one in [one for one in self.trashed if one.shown.expires <= now]:
            self.trashed.remove(one)
            one.file.content.drop()

    def _make_room(self, size: int) -> None:
        """Remove files of the trash, the oldest first, until ``size`` bytes fit or none is left."""
        self.sweep_trash()
        assert self.capacity is not None
        while self.trashed and self.used + size > self.capacity:
            self.trashed.pop(0).file.content.drop()

    def _sweep(self) -> None:
        """Remove the partial uploads that have expired; the oldest come first."""
        ended = self.seconds() - self.partial_age
        while self._partials:
            key = next(iter(self._partials))
            if self._partials[key].modified > ended:
                return
            self.drop_partial(key)
