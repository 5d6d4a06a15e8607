"""The storage of an account whose uploads and deletions are checked by gates.

There is no way around a gate:

- An upload in any mode is asked about when all its bytes are there, and before it is visible.
- An append to a file is a new version of the whole file: what the file has is copied, and the
  complete file is asked about. It fails (`Busy`) if the file changes meanwhile.
- A rename to a name with gates that the old name does not have is an upload: the file is copied to
  a transaction of the new name, asked about, published, and then removed where it was. A directory
  cannot be renamed if gates depend on its name.
- A file of the trash is restored only to names that have no other gates than its own had.
- Symbolic links must not be followed if gates depend on the path (`without_links`).

Paths without gates cost nothing but the look-up. Retention is not asked about.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from zope.interface import implementer

from ftpservice.backends.gates.gate_rules import AccountGates, GateRule
from ftpservice.backends.gates.gated_trash import GatedTrash
from ftpservice.backends.gates.gated_writing import GatedWriting, require_held
from ftpservice.backends.mounts.file_move import FileName, move_file
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import BadOffset, Busy, Exists, PathNotFound, RefusedByGate
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
from ftpservice.storage.links import lstat
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.trash import ITrash
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["GatedStorage"]

FORWARDED = frozenset(
    {
        *(IAccess, IEnter, IFreeSpace, IHashes, ILinks, IPartials, ISetMode, ISetTimes, IQuota),
        IConditionalRemoval,
        IInterruptedUploads,
    }
)
"""Optional interfaces that publish nothing and that no client deletes by."""
NO_RENAME_TEXT = "A check depends on the name of the directory; only files can be renamed to it."


@implementer(IStorage)
class GatedStorage:
    """``inner``, with ``gates`` for some of its paths."""

    def __init__(self, inner: IStorage, gates: AccountGates) -> None:
        self._inner = inner
        self._gates = gates
        for name in ("stat", "open_listing", "open_reading", "make_directory", "remove_directory"):
            setattr(self, name, getattr(inner, name))

    def __conform__(self, interface: object) -> object:
        if interface in FORWARDED:
            return interface(self._inner, None)  # type: ignore[operator]
        if interface is ITrash:
            trash = ITrash(self._inner, None)
            return None if trash is None else GatedTrash(trash, self._gates)
        return None

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``."""
        return await self._inner.stat(path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Open a directory for reading."""
        return await self._inner.open_listing(path)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file."""
        return await self._inner.open_reading(path)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory."""
        await self._inner.make_directory(path, mode)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory."""
        await self._inner.remove_directory(path)

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file, after the gates have been asked."""
        await self._gates.ask_delete(path)
        await self._inner.remove_file(path)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload."""
        return await self.open_upload(path, request)

    async def open_upload(
        self, path: VirtualPath, request: WriteRequest, renamed_from: str = ""
    ) -> IWriting:
        """Begin an upload, or the copy of a file that is renamed."""
        is_unique = request.write_mode is WriteMode.UNIQUE
        if not is_unique and not self._gates.for_upload(path):
            return await self._inner.open_writing(path, request)
        appended_to: Entry | None = None
        if is_append := request.write_mode is WriteMode.APPEND:
            appended_to, request = await self._whole_file(path, request)
        try:
            inner = await self._inner.open_writing(path, replace(request, held=True))
        except Exists as error:
            if not is_append:
                raise
            raise Busy(path, "another upload has created it") from error
        try:
            if not self._gates.for_upload(path, inner.path):
                return inner
            require_held(inner, path)
            if appended_to is not None and inner.offset != appended_to.size:
                raise Busy(path, "it has changed")
        except BaseException:
            await inner.abandon()
            raise
        writing = GatedWriting(inner, self._inner, self._gates, path, request)
        writing.appended_to, writing.renamed_from = appended_to, renamed_from
        return writing

    async def _whole_file(
        self, path: VirtualPath, request: WriteRequest
    ) -> tuple[Entry | None, WriteRequest]:
        """Return the file that is appended to, and the request of one that replaces it.

        Raises `BadOffset` if there is an interrupted upload beside the file, `Busy` if it is under
        way. Without a file, an interrupted upload is resumed.
        """
        partials, kept = IPartials(self._inner, None), 0
        with suppress(PathNotFound):
            kept = 0 if partials is None else (await partials.partial(path)).size
        try:
            entry = await self._inner.stat(path)
        except PathNotFound:
            return None, replace(request, write_mode=WriteMode.CREATE, offset=kept)
        if kept and entry.kind is Kind.FILE:
            found = await partials.all_partials() if partials is not None else ()
            if any(one.is_active and one.path == path for one in found):
                raise Busy(path, "another session adds to it")
            raise BadOffset(path, "an interrupted upload is kept beside the file")
        offset = entry.size if entry.kind is Kind.FILE else 0
        return entry, replace(request, write_mode=WriteMode.REPLACE, offset=offset)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename; a file gets to a name with other gates by an upload only."""
        gates = self._gates
        passed = set(gates.for_upload(source))
        missing = [rule for rule in gates.for_upload(target) if rule not in passed]
        by_directory = gates.by_directory(source, target)
        if not missing and by_directory is None:
            await self._inner.rename(source, target, replace)
            return
        entry = await lstat(self._inner, source)
        if entry.kind is Kind.DIRECTORY and by_directory is not None:
            raise _not_renamed(target, by_directory)
        if not missing or entry.kind is Kind.DIRECTORY:
            await self._inner.rename(source, target, replace)
            if by_directory is not None:
                await self._take_back_directory(source, target, by_directory)
            return
        if entry.kind is not Kind.FILE:
            raise _not_renamed(target, missing[0])
        moved = _RenameTarget(self, source)
        await move_file(FileName(self._inner, source), FileName(moved, target), replace)

    async def _take_back_directory(
        self, source: VirtualPath, target: VirtualPath, rule: GateRule
    ) -> None:
        """Undo the rename of a directory that has taken the place of the file meanwhile."""
        if (await lstat(self._inner, target)).kind is Kind.DIRECTORY:
            await self._inner.rename(target, source, False)
            raise _not_renamed(target, rule)


def _not_renamed(target: VirtualPath, rule: GateRule) -> RefusedByGate:
    return RefusedByGate(target, NO_RENAME_TEXT, rule.name)


@implementer(IStorage)
class _RenameTarget:
    """``gated`` as the target of a file that has the name ``source``."""

    def __init__(self, gated: GatedStorage, source: VirtualPath) -> None:
        self._gated = gated
        self._source = source

    def __conform__(self, interface: object) -> object:
        return interface(self._gated, None) if interface in FORWARDED else None  # type: ignore[operator]

    def __getattr__(self, name: str) -> object:
        return getattr(self._gated, name)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin the copy."""
        return await self._gated.open_upload(path, request, str(self._source))
