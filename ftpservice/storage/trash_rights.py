"""The trash of an account with rights: restoring a file creates it."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice.storage.errors import Denied
from ftpservice.storage.rights import Right
from ftpservice.storage.trash import ITrash, TrashedFile, WrappedTrash
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["RestrictedTrash"]


class RestrictedTrash(WrappedTrash):
    """``inner`` for an account with these rights."""

    def __init__(self, inner: ITrash, rights: frozenset[Right]) -> None:
        super().__init__(inner)
        self._rights = rights

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Restore a file; over another one only with the right to overwrite."""
        replace = replace and Right.OVERWRITE in self._rights
        if not replace and Right.CREATE not in self._rights:
            raise Denied(target, f"the account lacks the right {Right.CREATE.value}")
        entry: Entry = await self._inner.restore(trashed, target, replace)
        return entry

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files for good, with the right to delete."""
        for one in trashed:
            if Right.DELETE not in self._rights:
                raise Denied(one.path, f"the account lacks the right {Right.DELETE.value}")
        gone: Sequence[TrashedFile] = await self._inner.discard(trashed)
        return gone
