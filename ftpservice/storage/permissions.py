"""The rights of an account, enforced by a wrapper around its storage.

If a right is missing, the wrapper requests what the storage can do atomically without it, for
example ``WriteMode.CREATE`` for an upload that may not replace. It does not check first and act
later.

An account with none of `SEEING_RIGHTS` (a drop box) sees directories, so that CWD and MKD work, and
its own partial uploads, so that an interrupted upload can be resumed or removed. Files are hidden
from it, even whether they exist (`DropBoxStorage`); only an upload to a name that is taken is still
refused. An account that may neither list nor download sets attributes of its own uploads only
(`OwnUploads`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace as changed
from functools import lru_cache

from zope.interface import implementer

from ftpservice.storage.drop_box import DropBoxStorage
from ftpservice.storage.errors import Denied, Exists, NotDirectory, PathNotFound, StorageError
from ftpservice.storage.interfaces import (
    IAccess,
    IEnter,
    IFreeSpace,
    IHashes,
    ILinks,
    IListing,
    IPartials,
    IReading,
    ISetMode,
    ISetTimes,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.storage.own_uploads import IOwnUploads, OwnMode, OwnTimes, OwnUploads
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.rights import Right
from ftpservice.storage.trash import ITrash, TrashedFile, WrappedTrash
from ftpservice.wire.entry import ENTER, READ, REMOVE, WRITE, Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["SEEING_RIGHTS", "RestrictedStorage", "permission_facts"]

SEEING_RIGHTS = frozenset(
    {Right.LIST, Right.READ, Right.OVERWRITE, Right.APPEND, Right.DELETE, Right.RENAME}
)
"""With any of these, an account sees the facts of a file whose name it gives."""

LIST_AND_READ = frozenset({Right.LIST, Right.READ})
"""With none of these, an account sets attributes of its own uploads only."""

CAPABILITY_RIGHTS: dict[object, frozenset[Right]] = {
    IAccess: frozenset(),
    IHashes: frozenset({Right.READ}),
    ILinks: SEEING_RIGHTS,
    ISetTimes: frozenset({Right.ATTRIBUTES}),
    ISetMode: frozenset({Right.ATTRIBUTES}),
    IEnter: frozenset(),
    IFreeSpace: frozenset(),
    IQuota: frozenset(),
    IPartials: frozenset({Right.CREATE, Right.OVERWRITE, Right.APPEND, Right.ADMIN}),
    IInterruptedUploads: frozenset({Right.CREATE, Right.OVERWRITE, Right.APPEND}),
    ITrash: frozenset({Right.CREATE, Right.OVERWRITE}),
}
"""Optional interfaces, and the rights of which one is sufficient; an empty set: no right needed."""


FREQUENT_METHODS: dict[str, frozenset[Right]] = {
    "stat": frozenset(),
    "open_listing": frozenset({Right.LIST}),
    "open_reading": frozenset({Right.READ}),
    "open_writing": frozenset({Right.CREATE, Right.OVERWRITE, Right.APPEND}),
}
"""Methods that every transfer calls, and the rights that make a check of each call needless."""

OWN_UPLOAD_CAPABILITIES: dict[object, Callable[[object, OwnUploads], object]] = {
    ISetTimes: OwnTimes,
    ISetMode: OwnMode,
}


@implementer(IStorage)
class RestrictedStorage:
    """A storage that raises `Denied` for what ``rights`` do not include."""

    def __init__(self, inner: IStorage, rights: frozenset[Right]) -> None:
        self._inner = DropBoxStorage(inner) if SEEING_RIGHTS.isdisjoint(rights) else inner
        self._rights = rights
        self._own: OwnUploads | None = None
        if Right.ATTRIBUTES in rights and LIST_AND_READ.isdisjoint(rights):
            self._own = OwnUploads(inner)
        # Decided once for the session: a method that the rights always allow is the storage's own.
        for name, needed in FREQUENT_METHODS.items():
            if needed <= rights:
                setattr(self, name, getattr(self._inner, name))

    def __conform__(self, interface: object) -> object:
        """Offer an optional interface of the inner storage if the rights allow it."""
        if interface is IOwnUploads:
            return self._own
        enough = CAPABILITY_RIGHTS.get(interface)
        if enough is None or (enough and enough.isdisjoint(self._rights)):
            return None
        if interface is ITrash:
            trash = ITrash(self._inner, None)
            return None if trash is None else RestrictedTrash(trash, self._rights)
        found: object = interface(self._inner, None)  # type: ignore[operator]
        if found is not None and self._own is not None and interface in OWN_UPLOAD_CAPABILITIES:
            return OWN_UPLOAD_CAPABILITIES[interface](found, self._own)
        return found

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of a directory, or of a file that is not hidden."""
        return await self._inner.stat(path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Begin to read a directory."""
        self._require(Right.LIST, path)
        return await self._inner.open_listing(path)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory."""
        self._require(Right.MKDIR, path)
        await self._inner.make_directory(path, mode)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory."""
        self._require(Right.RMDIR, path)
        await self._inner.remove_directory(path)

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file; without that right, the owner's partial upload if there is no file."""
        if Right.DELETE not in self._rights:
            await self._drop_own_partial(path)
            return
        await self._inner.remove_file(path)

    async def _drop_own_partial(self, path: VirtualPath) -> None:
        """Remove a partial upload if the account may upload; `Denied` if there is a file."""
        partials = IPartials(self, None)
        try:
            await self._inner.stat(path)
        except StorageError:
            if partials is not None:
                with suppress(PathNotFound, NotDirectory):
                    await partials.drop_partials(path)
                    return
        raise _lacking(path, Right.DELETE)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename; over another file only with the right to overwrite."""
        self._require(Right.RENAME, source)
        replace = replace and Right.OVERWRITE in self._rights
        await self._inner.rename(source, target, replace)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file."""
        self._require(Right.READ, path)
        return await self._inner.open_reading(path)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload, in the mode that the rights allow."""
        if request.write_mode is WriteMode.REPLACE:
            return await self._replace(path, request)
        if request.write_mode is WriteMode.APPEND:
            return await self._append(path, request)
        self._require(Right.CREATE, path)
        return await self._inner.open_writing(path, request)

    async def _replace(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        if Right.OVERWRITE not in self._rights:
            self._require(Right.CREATE, path)
            request = changed(request, write_mode=WriteMode.CREATE)
        elif Right.CREATE not in self._rights:
            return await self._open_existing(path, request)
        return await self._inner.open_writing(path, request)

    async def _append(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        if Right.APPEND not in self._rights:
            self._require(Right.CREATE, path)
            return await self._append_to_nothing(path, request)
        if Right.CREATE not in self._rights:
            return await self._open_existing(path, request)
        return await self._inner.open_writing(path, request)

    async def _append_to_nothing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Create the file, resuming a partial upload, as an append does if there is no file."""
        offset, partials = 0, IPartials(self._inner, None)
        if partials is not None:
            try:
                offset = (await partials.partial(path)).size
            except PathNotFound:
                offset = 0
        request = changed(request, write_mode=WriteMode.CREATE, offset=offset)
        try:
            return await self._inner.open_writing(path, request)
        except Exists as error:
            raise _lacking(path, Right.APPEND) from error

    async def _open_existing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Write to a file that exists before and after opening, so that none is created."""
        await self._require_existing(path)
        writing = await self._inner.open_writing(path, request)
        try:
            await self._require_existing(path)
        except BaseException:
            await writing.abandon()
            raise
        return writing

    async def _require_existing(self, path: VirtualPath) -> None:
        try:
            await self._inner.stat(path)
        except PathNotFound as error:
            raise _lacking(path, Right.CREATE) from error

    def _require(self, right: Right, path: VirtualPath) -> None:
        if right not in self._rights:
            raise _lacking(path, right)


class RestrictedTrash(WrappedTrash):
    """``inner`` for an account with these rights; restoring a file creates it."""

    def __init__(self, inner: ITrash, rights: frozenset[Right]) -> None:
        super().__init__(inner)
        self._rights = rights

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Restore a file; over another one only with the right to overwrite."""
        replace = replace and Right.OVERWRITE in self._rights
        if not replace and Right.CREATE not in self._rights:
            raise _lacking(target, Right.CREATE)
        entry: Entry = await self._inner.restore(trashed, target, replace)
        return entry

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files for good, with the right to delete."""
        for one in trashed:
            if Right.DELETE not in self._rights:
                raise _lacking(one.path, Right.DELETE)
        gone: Sequence[TrashedFile] = await self._inner.discard(trashed)
        return gone


def _lacking(path: VirtualPath, right: Right) -> Denied:
    return Denied(path, f"the account lacks the right {right.value}")


FILE_LETTERS = (
    ("a", {Right.APPEND}, WRITE),
    ("d", {Right.DELETE}, REMOVE),
    ("f", {Right.RENAME}, REMOVE),
    ("r", {Right.READ}, READ),
    ("w", {Right.OVERWRITE}, WRITE),
)
DIRECTORY_LETTERS = (
    ("c", {Right.CREATE}, WRITE | ENTER),
    ("d", {Right.RMDIR}, REMOVE),
    ("e", set(Right), ENTER),
    ("f", {Right.RENAME}, REMOVE),
    ("l", {Right.LIST}, READ | ENTER),
    ("m", {Right.MKDIR}, WRITE | ENTER),
    ("p", {Right.DELETE, Right.RMDIR}, WRITE | ENTER),
)
"""Each letter, the rights of which one is sufficient, and the access needed as well."""


def permission_facts(rights: frozenset[Right], entry: Entry) -> str:
    """Return the ``perm`` fact of an entry (RFC 3659 §7.5.5): what will work with it.

    That is what ``rights`` allow and the storage can do (`Entry.access`). The root, whose name is
    empty, can be neither removed nor renamed.
    """
    return _letters(rights, entry.kind, not entry.name, entry.access)


@lru_cache(maxsize=1024)
def _letters(rights: frozenset[Right], kind: Kind, is_root: bool, access: int) -> str:
    rows = DIRECTORY_LETTERS if kind is Kind.DIRECTORY else FILE_LETTERS
    letters = "".join(
        letter
        for letter, enough, needed in rows
        if access & needed == needed and (letter == "e" or not rights.isdisjoint(enough))
    )
    if is_root:
        return "".join(letter for letter in letters if letter not in "df")
    if kind in (Kind.LINK, Kind.OTHER):
        return "".join(letter for letter in letters if letter in "df")
    return letters
