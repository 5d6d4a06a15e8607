"""A storage seen from one of its directories, to run the contract below a mount point."""

from dataclasses import dataclass
from typing import Any

from zope.interface import implementer

from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import (
    IAccess,
    IBatchCommit,
    IDescriptor,
    IEnter,
    IFreeSpace,
    IHashes,
    ILinks,
    IListing,
    IPartials,
    IRetractableWriting,
    ISetMode,
    ISetTimes,
    ISpliceTarget,
    IStorage,
    IWriting,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["Subtree"]

CAPABILITIES = (
    *(IAccess, IEnter, IFreeSpace, IHashes, ILinks, IPartials, ISetMode, ISetTimes),
    IInterruptedUploads,
)
OF_WRITINGS = (IBatchCommit, IDescriptor, IRetractableWriting, ISpliceTarget)


@implementer(IStorage)
class Subtree:
    """``inner`` from the directory ``top``: paths of calls, results and errors are changed.

    Listings are without the names in ``hidden``.
    """

    def __init__(self, inner: Any, top: VirtualPath, hidden: frozenset[str] = frozenset()) -> None:
        self._inner, self._top, self._hidden = inner, top, hidden

    def __conform__(self, interface: Any) -> Any:
        if interface not in CAPABILITIES:
            return None
        found = interface(self._inner, None)
        return None if found is None else Subtree(found, self._top, self._hidden)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        async def call(*args: Any, **words: Any) -> Any:
            given = [a.below(self._top) if isinstance(a, VirtualPath) else a for a in args]
            try:
                result = self._shown(await found(*given, **words))
            except StorageError as error:
                error.path = self._within(error.path)
                raise
            is_root = isinstance(result, Entry) and args and args[0] == VirtualPath()
            return result._replace(name="") if is_root else result

        return call

    def _within(self, path: VirtualPath) -> VirtualPath:
        assert path.is_within(self._top), path
        return VirtualPath(path.parts[len(self._top.parts) :])

    def _shown(self, result: Any) -> Any:
        if IWriting.providedBy(result):
            return _Writing(result, self)
        if IListing.providedBy(result) and self._hidden:
            return _Listing(result, self._hidden)
        if isinstance(result, list):
            return [one._replace(path=self._within(one.path)) for one in result]
        return result


@implementer(IListing)
@dataclass
class _Listing:
    inner: Any
    hidden: frozenset[str]

    async def next_batch(self) -> list[Entry]:
        while batch := await self.inner.next_batch():
            if shown := [entry for entry in batch if entry.name not in self.hidden]:
                return shown
        return []

    def close(self) -> None:
        self.inner.close()


@implementer(IWriting)
@dataclass
class _Writing:
    inner: Any
    tree: Subtree

    @property
    def path(self) -> VirtualPath:
        return self.tree._within(self.inner.path)

    def __conform__(self, interface: Any) -> Any:
        return interface(self.inner, None) if interface in OF_WRITINGS else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
