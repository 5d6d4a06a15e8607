"""``memory:`` — files that live as long as the process; the reference for other storages."""

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
    MemoryRemoval,
    MemoryUndelete,
    MemoryUsage,
)
from ftpservice.backends.memory.trash import MemoryTrash
from ftpservice.backends.memory.tree import MemoryDirectory, MemoryFile, MemoryTree, partial_key
from ftpservice.backends.memory.view import MemoryView
from ftpservice.backends.memory.writing import begin_writing
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import (
    BeingUploaded,
    Denied,
    Exists,
    IntoItself,
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
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.storage.trash import IKeepsTrash, ITrash, TrashRule
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["MemorySource", "MemoryStorage"]

BATCH_ENTRIES = 500
CAPABILITIES: dict[object, Callable[[MemoryView], object]] = {
    ISetTimes: MemoryAttributes,
    ISetMode: MemoryAttributes,
    IFreeSpace: MemoryFreeSpace,
    IPartials: MemoryPartials,
    IConditionalRemoval: MemoryRemoval,
    ITrash: MemoryUndelete,
    ITreeUsage: MemoryUsage,
}
"""Optional interfaces and the classes that provide them; `IHashes` needs the clock, too."""


@implementer(IStorage)
class MemoryStorage:
    """One owner's files in memory; several owners may share a `MemoryTree`.

    With a ``clock``, other work gets a turn while a long digest is computed.
    """

    def __init__(
        self,
        tree: MemoryTree | None = None,
        owner: str = "ftp",
        top: VirtualPath = ROOT,
        clock: IReactorTime | None = None,
        trash: TrashRule | None = None,
    ) -> None:
        self._tree = MemoryTree() if tree is None else tree
        bin_ = None if trash is None else MemoryTrash(self._tree, owner, top, trash)
        self._view = MemoryView(self._tree, owner, top, bin_)
        self._clock = clock

    def __conform__(self, interface: object) -> object:
        if interface is IHashes:
            return MemoryHashes(self._view, self._clock)
        if interface is IKeepsTrash:
            return self
        kind = CAPABILITIES.get(interface)
        return None if kind is None else kind(self._view)

    def with_trash(self, rule: TrashRule) -> IStorage:
        """Return the same files; what is deleted and overwritten is kept."""
        view = self._view
        return MemoryStorage(view.tree, view.owner, view.top, self._clock, rule)

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``."""
        return self._view.node(path).entry(path.name)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Open a directory for reading."""
        return MemoryListing(self._view.directory(path))

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory."""
        home = self._view.home(path)
        if path.is_root or path.name in home.entries:
            raise Exists(path)
        made = self._tree.new_directory(self._view.owner, mode & 0o7777)
        home.put(path.name, made, made.modified)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory, and the owner's partial uploads in it."""
        directory = self._view.directory(path)
        if path.is_root:
            raise Denied(path)
        if directory.entries:
            raise NotEmpty(path)
        self._tree.clear_partials(directory, self._view.owner, path)
        self._view.home(path).take(path.name, self._tree.seconds())

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file and the owner's partial upload of it, or only the latter."""
        partial = (
            None
            if path.is_root
            else partial_key(self._view.owner, self._view.home(path), path.name)
        )
        try:
            file = self._view.file(path)
        except PathNotFound:
            if partial is None or not self._tree.drop_partial(partial):
                is_active = partial is not None and self._tree.upload_under_way(partial)
                raise (BeingUploaded if is_active else PathNotFound)(path) from None
            return
        self._view.home(path).take(path.name, self._tree.seconds())
        if self._view.trash is None:
            file.content.drop()
        else:
            self._view.trash.keep(path, file, was_overwritten=False)
        if partial is not None:
            self._tree.drop_partial(partial)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename a file or directory, in one step."""
        node = self._view.node(source)
        if source.is_root or target.is_root:
            raise Denied(source)
        if isinstance(node, MemoryDirectory) and target != source and target.is_within(source):
            raise IntoItself(target)
        home = self._view.home(target)
        there = home.entries.get(target.name)
        if there is not None:
            _check_replaceable(node, there, target, replace)
        if there is node:
            return
        now = self._tree.seconds()
        self._view.home(source).take(source.name, now)
        home.put(target.name, node, now)
        if isinstance(there, MemoryFile):
            if self._view.trash is None:
                there.content.drop()
            else:
                self._view.trash.keep(target, there, was_overwritten=True)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file with its content of now."""
        return MemoryReading(path, self._view.file(path))

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload transaction."""
        return begin_writing(self._view, path, request)


def _check_replaceable(
    node: MemoryFile | MemoryDirectory,
    there: MemoryFile | MemoryDirectory,
    target: VirtualPath,
    replace: bool,
) -> None:
    """Raise the error of a rename that may not replace ``there``: only a file replaces a file."""
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
    """The names that a directory had when it was opened, without those removed since."""

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
        """End the listing."""
        self._names = iter([])


@implementer(IReading)
class MemoryReading:
    """A file with the content that it had when it was opened."""

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
        """Release the content."""
        self._data = None


@implementer(IUnnamedSource)
class MemorySource:
    """``memory:`` — one tree, in which every account has its root."""

    def __init__(self, tree: MemoryTree | None = None, clock: IReactorTime | None = None) -> None:
        self._tree = MemoryTree() if tree is None else tree
        self._clock = clock

    async def storage(self, owner: str, top: VirtualPath) -> IStorage:
        """Return ``owner``'s storage with its root at ``top``, which is created if missing."""
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
        """Do nothing: the files end with the process."""
        return succeed(None)
