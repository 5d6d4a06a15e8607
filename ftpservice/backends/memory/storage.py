"""``memory:`` — files that live as long as the process; the storage others are measured by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ftpservice.backends.memory.capabilities import (
    MemoryAttributes,
    MemoryFreeSpace,
    MemoryHashes,
    MemoryPartials,
)
from ftpservice.backends.memory.tree import MemoryDirectory, MemoryFile, MemoryTree, partial_key
from ftpservice.backends.memory.view import MemoryView
from ftpservice.backends.memory.writing import begin_writing
from ftpservice.storage.errors import (
    BeingUploaded,
    Denied,
    Exists,
    InvalidName,
    IsDirectory,
    NotDirectory,
    NotEmpty,
    PathNotFound,
    Unavailable,
)
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IHashes,
    IListing,
    IPartials,
    IReading,
    ISetMode,
    ISetTimes,
    IStorage,
    IUnnamedSource,
    IWriting,
    WriteRequest,
)
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["MemorySource", "MemoryStorage"]

BATCH_ENTRIES = 500


@implementer(IStorage)
class MemoryStorage:
    """One owner's files in memory; several owners may share a `MemoryTree`.

    With a ``clock``, long digests let others have their turn.
    """

    def __init__(
        self,
        tree: MemoryTree | None = None,
        owner: str = "ftp",
        top: VirtualPath = ROOT,
        clock: IReactorTime | None = None,
    ) -> None:
        self._tree = MemoryTree() if tree is None else tree
        self._view = MemoryView(self._tree, owner, top)
        self._clock = clock

    def __conform__(self, interface: object) -> object:
        offers: dict[object, Callable[[], object]] = {
            IHashes: lambda: MemoryHashes(self._view, self._clock),
            ISetTimes: lambda: MemoryAttributes(self._view),
            ISetMode: lambda: MemoryAttributes(self._view),
            IFreeSpace: lambda: MemoryFreeSpace(self._view),
            IPartials: lambda: MemoryPartials(self._view),
        }
        return offers[interface]() if interface in offers else None

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the facts of ``path``."""
        return self._view.node(path).entry(path.name)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Begin to read a directory."""
        return MemoryListing(self._view.directory(path))

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Make one directory."""
        home = self._view.home(path)
        if path.is_root or path.name in home.entries:
            raise Exists(path)
        made = self._tree.new_directory(self._view.owner, mode & 0o7777)
        home.put(path.name, made, made.modified)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory, and the owner's partials hidden in it."""
        directory = self._view.directory(path)
        if path.is_root:
            raise Denied(path)
        if directory.entries:
            raise NotEmpty(path)
        self._tree.clear_partials(directory, self._view.owner, path)
        self._view.home(path).take(path.name, self._tree.seconds())

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file and the owner's partial of it, or the latter alone."""
        partial = (
            None
            if path.is_root
            else partial_key(self._view.owner, self._view.home(path), path.name)
        )
        try:
            file = self._view.file(path)
        except PathNotFound:
            if partial is None or not self._tree.drop_partial(partial):
                arriving = partial is not None and self._tree.arriving(partial)
                raise (BeingUploaded if arriving else PathNotFound)(path) from None
            return
        self._view.home(path).take(path.name, self._tree.seconds())
        file.content.drop()
        if partial is not None:
            self._tree.drop_partial(partial)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Give a file or directory another name, in one step."""
        node = self._view.node(source)
        if source.is_root or target.is_root:
            raise Denied(source)
        if isinstance(node, MemoryDirectory) and target != source and target.is_within(source):
            raise InvalidName(target)
        home = self._view.home(target)
        there = home.entries.get(target.name)
        if there is not None:
            _check_gives_way(node, there, target, replace)
        if there is node:
            return
        now = self._tree.seconds()
        self._view.home(source).take(source.name, now)
        home.put(target.name, node, now)
        if isinstance(there, MemoryFile):
            there.content.drop()

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file as it is now."""
        return MemoryReading(path, self._view.file(path))

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin a write transaction."""
        return begin_writing(self._view, path, request)


def _check_gives_way(
    node: MemoryFile | MemoryDirectory,
    there: MemoryFile | MemoryDirectory,
    target: VirtualPath,
    replace: bool,
) -> None:
    """Refuse a rename over anything but a file by a file."""
    if not replace:
        raise Exists(target)
    if there is node:
        return
    if isinstance(there, MemoryDirectory):
        if isinstance(node, MemoryFile):
            raise IsDirectory(target)
        raise NotEmpty(target) if there.entries else Exists(target)
    if isinstance(node, MemoryDirectory):
        raise NotDirectory(target)


@implementer(IListing)
class MemoryListing:
    """The names a directory had when it was opened, less those that are gone."""

    def __init__(self, directory: MemoryDirectory) -> None:
        self._directory = directory
        self._names = iter(list(directory.entries))

    async def next_batch(self) -> Sequence[Entry]:
        """Return some more entries."""
        entries = self._directory.entries
        while names := list(islice(self._names, BATCH_ENTRIES)):
            batch = [entries[name].entry(name) for name in names if name in entries]
            if batch:
                return batch
        return []

    def close(self) -> None:
        """Forget the rest."""
        self._names = iter([])


@implementer(IReading)
class MemoryReading:
    """A file as it was when it was opened."""

    def __init__(self, path: VirtualPath, file: MemoryFile) -> None:
        self.entry = file.entry(path.name)
        self._path = path
        self._data: bytearray | None = file.content.data

    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes."""
        if self._data is None:
            raise Unavailable(self._path, "read after close")
        return bytes(self._data[offset : min(offset + size, self.entry.size)])

    def close(self) -> None:
        """Let go of the content."""
        self._data = None


@implementer(IUnnamedSource)
class MemorySource:
    """``memory:`` — one tree, in which every account has its place."""

    def __init__(self, tree: MemoryTree | None = None, clock: IReactorTime | None = None) -> None:
        self._tree = MemoryTree() if tree is None else tree
        self._clock = clock

    async def storage(self, owner: str, top: VirtualPath) -> IStorage:
        """Return ``owner``'s storage, its root at ``top``."""
        view = MemoryView(self._tree, owner, ROOT)
        for depth in range(1, len(top.parts) + 1):
            path = VirtualPath(top.parts[:depth])
            try:
                view.directory(path)
            except PathNotFound:
                made = self._tree.new_directory(owner, 0o755)
                view.home(path).put(path.name, made, made.modified)
        return MemoryStorage(self._tree, owner, top, self._clock)

    def describe(self) -> str:
        """Return the storage string."""
        capacity = self._tree.capacity
        return "memory:" if capacity is None else f"memory:capacity={capacity}"

    def stop(self) -> Deferred[None]:
        """Do nothing; the files go with the process."""
        return succeed(None)
