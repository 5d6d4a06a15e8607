"""The whole of the ``local:`` storage: the core, and what a filesystem offers besides."""

from __future__ import annotations

import os
from collections.abc import Sequence

from zope.interface import implementer

from ftpservice.storage.descent import Tree
from ftpservice.storage.errors import NotFound, Unsupported
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IHashes,
    IPartials,
    ISetMode,
    ISetTimes,
)
from ftpservice.storage.interfaces_tree import IAccess, IEnter, ILinks
from ftpservice.storage.local_access import access_at
from ftpservice.storage.local_calls import called
from ftpservice.storage.local_changes import free_space, set_mode, set_modified
from ftpservice.storage.local_digests import digest_of
from ftpservice.storage.local_facts import O_PATH, entry_of
from ftpservice.storage.local_files import LocalFiles, entry_at_once
from ftpservice.storage.local_links import entry_itself
from ftpservice.storage.local_names import partial_name
from ftpservice.storage.local_partials import PartialSearch, PartialWalk, drop_partial
from ftpservice.storage.local_reading import OpenFile
from ftpservice.storage.partial_upload import PartialUpload
from ftpservice.storage.partials import find
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["LocalStorage"]


@implementer(IAccess, IEnter, IHashes, ILinks, ISetTimes, ISetMode, IFreeSpace, IPartials)
class LocalStorage(LocalFiles):
    """One account's files, with all that a filesystem offers besides."""

    creation = False

    async def hash(self, path: VirtualPath, algorithm: str, start: int, end: int | None) -> str:
        """Digest a file as it was when the call began, in turns that others get between."""
        file = await called(
            self._runner, path, OpenFile.at, self._tree, path, dispose=OpenFile.close
        )
        return await digest_of(self._runner, file, algorithm, (start, end))

    async def enter(self, path: VirtualPath) -> None:
        """Return for a directory that the process may enter."""
        if not self._tree.enters_at_once(path):
            await called(self._runner, path, self._tree.enter, path)

    async def lstat(self, path: VirtualPath) -> Entry:
        """Return the facts of ``path``; a link is not followed."""
        entry = entry_at_once(self._tree, path, O_PATH | os.O_NOFOLLOW)
        if entry is not None and entry.kind is not Kind.LINK:
            return entry
        return await called(self._runner, path, entry_itself, self._tree, path)

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set the time of change."""
        if created is not None:
            raise Unsupported(path, "no creation times")
        if modified is not None:
            await called(self._runner, path, set_modified, self._tree, path, modified)

    async def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set the lower nine permission bits."""
        await called(self._runner, path, set_mode, self._tree, path, mode)

    async def free_space(self, path: VirtualPath) -> int:
        """Return the bytes that the filesystem leaves us."""
        return await called(self._runner, path, free_space, self._tree, path)

    async def access(self, path: VirtualPath, follow: bool) -> int:
        """Return what this process may do with a file or directory."""
        return await called(self._runner, path, access_at, self._tree, path, follow)

    async def partial(self, path: VirtualPath) -> Entry:
        """Return the facts of what arrived for ``path`` and was cut; an empty one is none."""
        return await called(self._runner, path, _partial, self._tree, path, self._owner)

    async def all_partials(self, everybody: bool = False) -> Sequence[PartialUpload]:
        """Return the partials in the tree; it is walked in turns that others get between."""
        return await self._searched(PartialSearch(self._owner, everybody))

    async def drop_partials(
        self, path: VirtualPath | None = None, everybody: bool = False
    ) -> Sequence[PartialUpload]:
        """Remove partials, but for those that still arrive."""
        if path is None:
            found = await self._searched(PartialSearch(self._owner, everybody, drops=True))
            return [partial for partial in found if not partial.is_active]
        return await called(
            self._runner, path, drop_partial, self._tree, path, self._owner, everybody
        )

    async def _searched(self, search: PartialSearch) -> Sequence[PartialUpload]:
        walk = PartialWalk(self._tree, search.visit)
        while await called(self._runner, ROOT, walk.turn):
            pass
        return search.found


def _partial(tree: Tree, path: VirtualPath, owner: str) -> Entry:
    if path.is_root:
        raise NotFound(path)
    try:
        with tree.place(path) as place:
            opened = find(place, partial_name(owner, place.name))
    except NotADirectoryError:
        raise NotFound(path) from None
    if opened is None:
        raise NotFound(path)
    try:
        facts = os.fstat(opened)
    finally:
        os.close(opened)
    if facts.st_size == 0:
        raise NotFound(path, "empty")
    return entry_of(path.name, facts)
