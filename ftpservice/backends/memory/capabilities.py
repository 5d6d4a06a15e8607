"""The optional interfaces of the storage in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from ftpservice.backends.memory.trash import MemoryTrash
from ftpservice.backends.memory.tree import Key, MemoryDirectory, partial_key
from ftpservice.backends.memory.view import MemoryView
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import (
    BadOffset,
    BeingUploaded,
    Busy,
    Denied,
    Exists,
    IsDirectory,
    NotEmpty,
    NotInTrash,
    NotSupported,
    PathNotFound,
    StorageError,
)
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IHashes,
    IPartials,
    ISetMode,
    ISetTimes,
    PartialUpload,
)
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.storage.rights import mode_keeps_owner
from ftpservice.storage.trash import ITrash, TrashedFile, TrashRule
from ftpservice.wire.digests import new_hasher
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "MemoryAttributes",
    "MemoryFreeSpace",
    "MemoryHashes",
    "MemoryPartials",
    "MemoryRemoval",
    "MemoryUndelete",
    "MemoryUsage",
]

BYTES_PER_TURN = 1 << 20
"""Bytes digested before other work gets a turn: one or two milliseconds."""


@implementer(IHashes)
class MemoryHashes:
    """Digests, computed in short turns if there is a clock to wait for between them."""

    def __init__(self, view: MemoryView, clock: IReactorTime | None) -> None:
        self._view = view
        self._clock = clock

    async def hash(self, path: VirtualPath, algorithm: str, start: int, end: int | None) -> str:
        """Digest the bytes as they are when the call begins."""
        data = self._view.file(path).content.data
        stop = len(data) if end is None else end
        if not 0 <= start <= stop <= len(data):
            raise BadOffset(path)
        try:
            hasher = new_hasher(algorithm)
        except ValueError as error:
            raise NotSupported(path, str(error)) from None
        for offset in range(start, stop, BYTES_PER_TURN):
            if self._clock is not None and offset > start:
                await deferLater(self._clock, 0)
            with (
                memoryview(data) as whole,
                whole[offset : min(offset + BYTES_PER_TURN, stop)] as piece,
            ):
                hasher.update(piece)
        return hasher.hexdigest()


@implementer(ISetTimes, ISetMode)
class MemoryAttributes:
    """Times and permission bits."""

    creation = True

    def __init__(self, view: MemoryView) -> None:
        self._view = view

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set the given times, in seconds since the epoch."""
        node = self._view.node(path)
        if modified is not None:
            node.modified = modified
        if created is not None:
            node.created = created

    async def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set the lower nine permission bits."""
        node = self._view.node(path)
        if not mode_keeps_owner(mode) and node is self._view.node(ROOT):
            raise Denied(path, "the owner would lose access to the root")
        node.mode = node.mode & ~0o777 | mode & 0o777


@implementer(IFreeSpace)
class MemoryFreeSpace:
    """The free space of the tree."""

    def __init__(self, view: MemoryView) -> None:
        self._view = view

    async def free_space(self, path: VirtualPath) -> int:
        """Return the free bytes; the same for every path."""
        self._view.node(path)
        return self._view.tree.free_space()


@implementer(IConditionalRemoval)
class MemoryRemoval:
    """Removal of what nobody has touched. Readers keep the content that they have opened."""

    def __init__(self, view: MemoryView) -> None:
        self._view = view

    async def remove_unchanged(self, path: VirtualPath, entry: Entry) -> None:
        """Remove a file or an empty directory if it is still the one of ``entry``."""
        view, tree = self._view, self._view.tree
        if path.is_root:
            raise Denied(path)
        node = view.node(path)
        if node.entry(path.name) != entry:
            raise Busy(path, "it has changed")
        if isinstance(node, MemoryDirectory):
            has_partials = any(one.home is node for one, _is_active in tree.all_partials())
            has_uploads = any(one.home is node for one in tree.running)
            if node.entries or has_partials or has_uploads:
                raise NotEmpty(path)
        elif node in tree.growing:
            raise Busy(path, "an append is under way")
        else:
            node.content.drop()
        view.home(path).take(path.name, tree.seconds())


@implementer(ITreeUsage)
class MemoryUsage:
    """What the tree takes up."""

    def __init__(self, view: MemoryView) -> None:
        self._view = view
        self.place = (view.tree, *view.top.parts)

    async def tree_usage(self, path: VirtualPath) -> TreeUsage:
        """Count what is below a directory."""
        size = files = partials = 0
        pending = [self._view.directory(path)]
        homes = set()
        while pending:
            directory = pending.pop()
            homes.add(directory.serial)
            files += len(directory.entries)
            for node in directory.entries.values():
                if isinstance(node, MemoryDirectory):
                    pending.append(node)
                else:
                    size += len(node.content.data)
        for partial, is_active in self._view.tree.all_partials():
            kept = len(partial.content.data)
            if kept and not is_active and partial.home.serial in homes:
                size, files, partials = size + kept, files + 1, partials + 1
        self._view.tree.sweep_trash()
        top = self._view.full_path(path)
        for trashed in self._view.tree.trashed:
            if trashed.top.is_within(top):
                size, files = size + trashed.shown.size, files + 1
        return TreeUsage(size, files, partials)


@implementer(ITrash)
class MemoryUndelete:
    """What the account has deleted and overwritten."""

    def __init__(self, view: MemoryView) -> None:
        self._view = view
        self._trash = view.trash or MemoryTrash(view.tree, view.owner, view.top)

    @property
    def rule(self) -> TrashRule | None:
        """How long what is deleted is kept."""
        return self._trash.rule

    async def trashed(self, path: VirtualPath) -> Sequence[TrashedFile]:
        """Return what had a name, or was below it."""
        found = [one.shown for one in self._trash.nodes() if one.shown.path.is_within(path)]
        return found[::-1]

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Give a file of the trash a name."""
        view = self._view
        if target.is_root:
            raise IsDirectory(target)
        home = view.home(target)
        there = home.entries.get(target.name)
        if isinstance(there, MemoryDirectory):
            raise IsDirectory(target)
        if there is not None and not replace:
            raise Exists(target)
        file = self._trash.take(trashed)
        if file is None:
            raise NotInTrash(trashed.path)
        home.put(target.name, file, view.tree.seconds())
        if there is not None and view.trash is not None:
            view.trash.keep(target, there, was_overwritten=True)
        elif there is not None:
            there.content.drop()
        return file.entry(target.name)

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files of the trash for good."""
        gone: list[TrashedFile] = []
        for one in trashed:
            file = self._trash.take(one)
            if file is not None:
                file.content.drop()
                gone.append(one)
        return gone

    async def oldest(self, size: int, files: int) -> Sequence[TrashedFile]:
        """Return the oldest files that make up so much, or all there are."""
        found: list[TrashedFile] = []
        for one in self._trash.nodes():
            if size <= 0 and files <= 0:
                break
            found.append(one.shown)
            size, files = size - one.shown.size, files - 1
        return found

    def take_freed(self) -> tuple[int, int]:
        """Return what was removed to make room for other versions."""
        return self._trash.freed.take()


@implementer(IPartials)
class MemoryPartials:
    """The partial uploads of one owner."""

    def __init__(self, view: MemoryView) -> None:
        self._view = view

    async def partial(self, path: VirtualPath) -> Entry:
        """Return the entry of a partial upload; raises `PathNotFound`."""
        view = self._view
        try:
            key = partial_key(view.owner, view.home(path), path.name)
        except StorageError:
            raise PathNotFound(path) from None
        partial = view.tree.partial(key)
        if partial is None or not partial.content.data:
            raise PathNotFound(path)
        size = len(partial.content.data)
        return Entry(path.name, Kind.FILE, size, partial.modified, owner=view.owner)

    async def all_partials(self, everybody: bool = False) -> Sequence[PartialUpload]:
        """Return the partial uploads below the root."""
        return [shown for shown, _key in self._found(everybody)]

    async def drop_partials(
        self, path: VirtualPath | None = None, everybody: bool = False
    ) -> Sequence[PartialUpload]:
        """Remove partial uploads, except those under way."""
        found = [
            (shown, key)
            for shown, key in self._found(everybody)
            if path is None or shown.path == path
        ]
        dropped = [shown for shown, key in found if self._view.tree.drop_partial(key)]
        if path is not None and not dropped:
            raise (BeingUploaded if found else PathNotFound)(path)
        return dropped

    def _found(self, everybody: bool) -> Iterator[tuple[PartialUpload, Key]]:
        known = self._view.tree.all_partials()
        paths = dict(self._directories()) if known else {}
        for partial, active in known:
            is_wanted = everybody or partial.owner == self._view.owner
            if is_wanted and partial.home.serial in paths:
                path = paths[partial.home.serial].child(partial.name)
                size = len(partial.content.data)
                shown = PartialUpload(path, partial.owner, size, partial.modified, active)
                yield shown, partial_key(partial.owner, partial.home, partial.name)

    def _directories(self) -> Iterator[tuple[int, VirtualPath]]:
        """Yield the serial number and path of every directory below the root."""
        waiting = [(self._view.directory(ROOT), ROOT)]
        while waiting:
            directory, path = waiting.pop()
            yield directory.serial, path
            waiting += [
                (node, path.child(name))
                for name, node in directory.entries.items()
                if isinstance(node, MemoryDirectory)
            ]
