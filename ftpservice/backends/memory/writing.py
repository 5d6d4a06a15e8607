"""The upload transactions of the storage in memory."""

from __future__ import annotations

from zope.interface import implementer

from ftpservice.backends.memory.tree import (
    MemoryContent,
    MemoryDirectory,
    MemoryFile,
    MemoryPartial,
    partial_key,
)
from ftpservice.backends.memory.view import MemoryView
from ftpservice.storage.errors import (
    BadOffset,
    BeingUploaded,
    Exists,
    IsDirectory,
    NoSpace,
    NotSupported,
    PathNotFound,
    StorageError,
    Unavailable,
)
from ftpservice.storage.gates import IHeldFile, IHeldUpload
from ftpservice.storage.interfaces import IRetractableWriting, IWriting, WriteMode, WriteRequest
from ftpservice.storage.quota_interfaces import IReplacing
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["MemoryAppend", "MemoryUpload", "begin_writing"]


def begin_writing(view: MemoryView, path: VirtualPath, request: WriteRequest) -> IWriting:
    """Begin an upload transaction; raises what `IStorage.open_writing` does."""
    if path.is_root:
        raise IsDirectory(path)
    if request.offset and request.write_mode not in (WriteMode.REPLACE, WriteMode.CREATE):
        raise NotSupported(path, f"an offset with {request.write_mode.value}")
    home = view.home(path)
    there = home.entries.get(path.name)
    if request.write_mode is WriteMode.UNIQUE:
        free = path.parent.child(_free_name(view, home, path))
        view.home(free)  # raises if the number made it too long
        return MemoryUpload(
            view, free, request, MemoryPartial("", home, free.name, MemoryContent(view.tree), 0.0)
        )
    if isinstance(there, MemoryDirectory):
        raise IsDirectory(path)
    if there is not None and request.write_mode is WriteMode.CREATE:
        raise Exists(path)
    if there is not None and request.write_mode is WriteMode.APPEND:
        return MemoryAppend(view, path, request, there)
    content = _content_to_resume(view, path, request, there)
    return MemoryUpload(
        view, path, request, MemoryPartial(view.owner, home, path.name, content, 0.0)
    )


def _free_name(view: MemoryView, home: MemoryDirectory, path: VirtualPath) -> str:
    """Return a name that is neither taken nor promised to another upload."""
    taken = {*home.entries, *(one.name for one in view.tree.running if one.home is home)}
    name, number = path.name, 0
    while name in taken:
        number += 1
        name = f"{path.name}.{number}"
    return name


def _content_to_resume(
    view: MemoryView, path: VirtualPath, request: WriteRequest, there: MemoryFile | None
) -> MemoryContent:
    """Return what the upload resumes: the owner's partial upload or, only without one, the file."""
    key = partial_key(view.owner, view.home(path), path.name)
    content = MemoryContent(view.tree)
    if request.write_mode is WriteMode.REPLACE and not request.offset:
        return content
    if view.tree.upload_under_way(key) is not None:
        raise BeingUploaded(path)
    partial = view.tree.partial(key)
    if partial is not None or request.partial_only:
        if partial is None or request.offset > len(partial.content.data):
            raise BadOffset(path)
        view.tree.take_partial(key)
        return partial.content
    if request.offset:
        if there is None or request.offset > len(there.content.data):
            raise BadOffset(path)
        with memoryview(there.content.data) as old:
            content.add(old[: request.offset], path)
    return content


@implementer(IHeldFile)
class MemoryHeldFile:
    """What an upload has received so far."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    async def read(self, offset: int, size: int) -> bytes:
        """Return bytes."""
        return self._data[offset : offset + size]

    def descriptor(self) -> None:
        """Return None: it is in memory."""

    def close(self) -> None:
        """Do nothing."""


@implementer(IWriting, IReplacing, IHeldUpload)
class MemoryUpload:
    """A file being uploaded, not visible yet; if interrupted, it becomes a partial upload."""

    def __init__(
        self, view: MemoryView, path: VirtualPath, request: WriteRequest, partial: MemoryPartial
    ) -> None:
        self.path = path
        found = len(partial.content.data)
        self.offset = found if request.write_mode is WriteMode.APPEND else request.offset
        self._tree = view.tree
        self._trash = view.trash
        self._owner = view.owner
        self._request = request
        self._partial = partial
        self._written = 0
        self.replaced_size: int | None = None
        self._is_resumed = found > self.offset or request.write_mode is WriteMode.APPEND
        self._ended = self._is_lost = False
        view.tree.running.add(partial)

    async def write(self, data: bytes) -> None:
        """Add to the content; the first write removes what is beyond the offset."""
        self._require_open()
        partial = self._partial
        partial.content = partial.content.cut_to(self.offset + self._written)
        try:
            partial.content.add(data, self.path)
        except NoSpace:
            self._is_lost = True  # a hidden partial upload would keep the storage full
            raise
        self._written += len(data)

    async def commit(self) -> Entry:
        """Publish the file; after an error keep what arrived."""
        self._require_open()
        try:
            self._check_publishable()
        except StorageError:
            await self.abandon()
            raise
        self._end()
        tree, home, name = self._tree, self._partial.home, self.path.name
        if self._request.write_mode is not WriteMode.UNIQUE:
            tree.drop_partial(partial_key(self._owner, home, name))
        content = self._partial.content.cut_to(self.offset + self._written)
        file = tree.new_file(self._owner, self._request.mode & 0o7777, content)
        replaced = home.put(name, file, file.modified)
        if isinstance(replaced, MemoryFile):
            file.mode, file.owner = replaced.mode, replaced.owner
            self.replaced_size = len(replaced.content.data)
            if self._trash is not None:
                self._trash.keep(self.path, replaced, was_overwritten=True)
            else:
                replaced.content.drop()
        return file.entry(name)

    async def abandon(self) -> None:
        """Keep what arrived, so that the owner can resume it, unless the name was a unique one."""
        if self._ended:
            return
        self._end()
        has_some = bool(self._partial.content.data) and (self._written > 0 or self._is_resumed)
        if has_some and not self._is_lost and self._request.write_mode is not WriteMode.UNIQUE:
            self._tree.keep_partial(self._partial)
        else:
            self._partial.content.drop()

    async def open_held(self) -> MemoryHeldFile:
        """Return what arrived and was kept."""
        self._require_open()
        end = self.offset + self._written
        return MemoryHeldFile(bytes(self._partial.content.data[:end]))

    def keep_nothing(self) -> None:
        """Make `abandon` keep nothing."""
        self._is_lost = True

    def _check_publishable(self) -> None:
        """Raise the error that prevents publishing now, in the directory wherever that is."""
        self._request.check_announced(self._written, self.path)
        there = self._partial.home.entries.get(self.path.name)
        if isinstance(there, MemoryDirectory):
            raise IsDirectory(self.path)
        if there is not None and self._request.write_mode is not WriteMode.REPLACE:
            raise Exists(self.path)

    def _require_open(self) -> None:
        if self._ended:
            raise Unavailable(self.path, "the transaction is over")

    def _end(self) -> None:
        self._ended = True
        self._tree.running.discard(self._partial)


@implementer(IWriting, IRetractableWriting)
class MemoryAppend:
    """A file that grows in place."""

    def __init__(
        self, view: MemoryView, path: VirtualPath, request: WriteRequest, file: MemoryFile
    ) -> None:
        self.path = path
        self.offset = len(file.content.data)
        self._view = view
        self._home = view.home(path)
        self._request = request
        self._file = file
        self._written = 0
        self._ended = False
        view.tree.growing.append(file)

    async def write(self, data: bytes) -> None:
        """Add to the file."""
        self._require_open()
        self._file.content.add(data, self.path)
        self._file.modified = self._view.tree.seconds()
        self._written += len(data)

    async def commit(self) -> Entry:
        """Confirm what the file received, whatever its name is now.

        Raises `PathNotFound` if it was removed.
        """
        self._require_open()
        self._end()
        self._request.check_announced(self._written, self.path)
        is_trashed = any(one.file is self._file for one in self._view.tree.trashed)
        if self._file.content.is_dropped or is_trashed:
            raise PathNotFound(self.path, "removed while it was appended to")
        is_there = self._home.entries.get(self.path.name) is self._file
        return self._file.entry(self.path.name if is_there else "")

    async def retract(self) -> bool:
        """Remove what was appended; False if others have appended since."""
        self._require_open()
        content = self._file.content
        if len(content.data) != self.offset + self._written:
            return False
        self._file.content = content.cut_to(self.offset)
        self._written = 0
        return True

    async def abandon(self) -> None:
        """End the transaction; what was appended stays."""
        if not self._ended:
            self._end()

    def _end(self) -> None:
        self._ended = True
        self._view.tree.growing.remove(self._file)

    def _require_open(self) -> None:
        if self._ended:
            raise Unavailable(self.path, "the transaction is over")
