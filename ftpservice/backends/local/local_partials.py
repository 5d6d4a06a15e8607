"""The partial uploads of the ``local:`` storage as its callers see them; a pool does the work."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.backends.local.partial_search import PartialSearch, PartialWalk, drop_partial
from ftpservice.backends.local.partials.partial_lookup import (
    annotate,
    has_no_partial,
    interrupted_upload,
    partial_entry,
)
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.interfaces import PartialUpload
from ftpservice.storage.interrupted_uploads import InterruptedUpload
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["LocalPartials"]


class LocalPartials:
    """`IPartials` and `IInterruptedUploads` for ``owner``'s files in a tree."""

    _tree: DirectoryTree
    _owner: str
    _runner: BlockingRunner

    async def partial(self, path: VirtualPath) -> Entry:
        """Return the entry of the partial upload of ``path``; an empty one does not count."""
        return await in_pool(self._runner, path, partial_entry, self._tree, path, self._owner)

    async def interrupted(self, path: VirtualPath) -> InterruptedUpload | None:
        """Return what is kept of the owner's upload of ``path``, even if nothing arrived."""
        if has_no_partial(self._tree, path, self._owner):
            return None
        return await in_pool(self._runner, path, interrupted_upload, self._tree, path, self._owner)

    async def annotate(self, path: VirtualPath, note: str) -> bool:
        """Replace the note of the owner's interrupted upload of ``path``."""
        return await in_pool(self._runner, path, annotate, self._tree, path, self._owner, note)

    async def all_partials(self, everybody: bool = False) -> Sequence[PartialUpload]:
        """Return the partial uploads in the tree; other calls get turns while it is searched."""
        return await self._searched(PartialSearch(self._owner, everybody))

    async def drop_partials(
        self, path: VirtualPath | None = None, everybody: bool = False
    ) -> Sequence[PartialUpload]:
        """Remove partial uploads, except those under way."""
        if path is None:
            found = await self._searched(PartialSearch(self._owner, everybody, drops=True))
            return [partial for partial in found if not partial.is_active]
        return await in_pool(
            self._runner, path, drop_partial, self._tree, path, self._owner, everybody
        )

    async def _searched(self, search: PartialSearch) -> Sequence[PartialUpload]:
        walk = PartialWalk(self._tree, search.visit)
        while await in_pool(self._runner, ROOT, walk.turn):
            pass
        return search.found
