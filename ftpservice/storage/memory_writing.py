"""The write transactions of storage in memory."""

from __future__ import annotations

from zope.interface import implementer

from ftpservice.storage.errors import (
    BadOffset,
    Exists,
    IsDirectory,
    NotFound,
    StorageError,
    Unavailable,
    Unsupported,
)
from ftpservice.storage.interfaces import How, IRetracts, IWriting, WriteRequest
from ftpservice.storage.memory_tree import Content, Directory, File
from ftpservice.storage.memory_view import MemoryView
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["Append", "Upload", "begin_writing"]


def begin_writing(view: MemoryView, path: VirtualPath, request: WriteRequest) -> IWriting:
    """Begin what ``request`` asks for; raises what `IStorage.open_writing` does."""
    if path.is_root:
        raise IsDirectory(path)
    if request.offset and request.how not in (How.REPLACE, How.CREATE):
        raise Unsupported(path, f"an offset with {request.how.value}")
    there = view.home(path).entries.get(path.name)
    if request.how is How.UNIQUE:
        return Upload(view, _free_name(view, path), request, Content(view.tree))
    if isinstance(there, Directory):
        raise IsDirectory(path)
    if there is not None and request.how is How.CREATE:
        raise Exists(path)
    if there is not None and request.how is How.APPEND:
        return Append(view, path, request, there)
    return Upload(view, path, request, _beginning(view, path, request, there))


def _free_name(view: MemoryView, path: VirtualPath) -> VirtualPath:
    """Return a name that no file has and that no other upload was promised."""
    taken = view.home(path).entries
    name, number = path.name, 0
    while name in taken or view.full(path.parent.child(name)) in view.tree.promised:
        number += 1
        name = f"{path.name}.{number}"
    unique = path.parent.child(name)
    view.home(unique)
    view.tree.promised.add(view.full(unique))
    return unique


def _beginning(
    view: MemoryView, path: VirtualPath, request: WriteRequest, there: File | None
) -> Content:
    """Return what the upload goes on from: the owner's partial, or else the file."""
    partial = view.tree.partial(view.owner, view.full(path))
    if partial is not None and (request.offset or request.how is How.APPEND):
        if request.offset > len(partial.content.data):
            raise BadOffset(path)
        view.tree.take_partial(view.owner, view.full(path))
        return partial.content
    content = Content(view.tree)
    if request.offset:
        if there is None or request.offset > len(there.content.data):
            raise BadOffset(path)
        with memoryview(there.content.data) as old:
            content.add(old[: request.offset], path)
    return content


@implementer(IWriting)
class Upload:
    """A file on its way, seen by nobody; what arrived becomes a partial when it is cut."""

    def __init__(
        self, view: MemoryView, path: VirtualPath, request: WriteRequest, content: Content
    ) -> None:
        self.path = path
        self.offset = len(content.data) if request.how is How.APPEND else request.offset
        self._view = view
        self._request = request
        self._content = content
        self._written = 0
        self._ended = False

    async def write(self, data: bytes) -> None:
        """Add to the content; what lies beyond the offset goes with the first byte."""
        self._check_open()
        self._content = self._content.cut_to(self.offset + self._written)
        self._content.add(data, self.path)
        self._written += len(data)

    async def commit(self) -> Entry:
        """Publish, or keep what arrived and raise."""
        self._check_open()
        try:
            home = self._checked_home()
        except StorageError:
            await self.abandon()
            raise
        self._end()
        tree, full = self._view.tree, self._view.full(self.path)
        if self._request.how is not How.UNIQUE:
            tree.drop_partial(self._view.owner, full)
        content = self._content.cut_to(self.offset + self._written)
        file = tree.new_file(self._view.owner, self._request.mode & 0o7777, content)
        replaced = home.put(self.path.name, file, file.modified)
        if isinstance(replaced, File):
            file.mode, file.owner = replaced.mode, replaced.owner
            replaced.content.drop()
        return file.entry(self.path.name)

    async def abandon(self) -> None:
        """Keep what arrived for the owner to go on from; nothing of a unique name."""
        if self._ended:
            return
        self._end()
        tree, full = self._view.tree, self._view.full(self.path)
        try:
            self._view.home(self.path)
        except StorageError:
            self._content.drop()
            return
        if self._content.data and self._request.how is not How.UNIQUE:
            tree.keep_partial(self._view.owner, full, self._content)
        else:
            self._content.drop()

    def _checked_home(self) -> Directory:
        """Return the directory to publish in, unless something forbids it by now."""
        _check_announced(self._request, self._written, self.path)
        home = self._view.home(self.path)
        there = home.entries.get(self.path.name)
        if isinstance(there, Directory):
            raise IsDirectory(self.path)
        if there is not None and self._request.how is not How.REPLACE:
            raise Exists(self.path)
        return home

    def _check_open(self) -> None:
        if self._ended:
            raise Unavailable(self.path, "the transaction is over")

    def _end(self) -> None:
        self._ended = True
        if self._request.how is How.UNIQUE:
            self._view.tree.promised.discard(self._view.full(self.path))


@implementer(IWriting, IRetracts)
class Append:
    """A file that grows in place."""

    def __init__(
        self, view: MemoryView, path: VirtualPath, request: WriteRequest, file: File
    ) -> None:
        self.path = path
        self.offset = len(file.content.data)
        self._view = view
        self._request = request
        self._file = file
        self._written = 0
        self._ended = False

    async def write(self, data: bytes) -> None:
        """Add to the file."""
        self._check_open()
        self._file.content.add(data, self.path)
        self._file.modified = self._view.tree.seconds()
        self._written += len(data)

    async def commit(self) -> Entry:
        """Make sure that the file which grew is still the one of that name."""
        self._check_open()
        self._ended = True
        _check_announced(self._request, self._written, self.path)
        if self._view.node(self.path) is not self._file:
            raise NotFound(self.path, "replaced while it was appended to")
        return self._file.entry(self.path.name)

    async def retract(self) -> bool:
        """Take back what was appended, if nobody else has appended since."""
        self._check_open()
        content = self._file.content
        if len(content.data) != self.offset + self._written:
            return False
        self._file.content = content.cut_to(self.offset)
        self._written = 0
        return True

    async def abandon(self) -> None:
        """End; what was appended stays."""
        self._ended = True

    def _check_open(self) -> None:
        if self._ended:
            raise Unavailable(self.path, "the transaction is over")


def _check_announced(request: WriteRequest, written: int, path: VirtualPath) -> None:
    if request.announced is not None and written != request.announced:
        raise BadOffset(path, f"{written} bytes came where {request.announced} were announced")
