"""What a storage keeps of an interrupted upload besides its bytes: whose it was, even if empty.

Clients that resume ask for the size of the file, which may be that of the file that the upload was
to replace. So an upload over a file leaves a note behind even if nothing of it arrived, or if the
process was killed. Any process of the storage finds it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from zope.interface import Interface, implementer

from ftpservice.storage.interfaces import IStorage
from ftpservice.wire.paths import VirtualPath

__all__ = ["IInterruptedUploads", "InterruptedUpload", "InterruptedUploadsAt"]


class InterruptedUpload(NamedTuple):
    """What is kept of an upload that was interrupted, or is under way."""

    size: int
    """Bytes that arrived; may be 0."""
    age: float
    """Seconds since the last of it arrived."""
    note: str | None
    """`WriteRequest.note`, or what `annotate` has put in its place; None if it is not known."""
    is_active: bool = False
    """Whether the upload is under way, in any process."""


class IInterruptedUploads(Interface):
    """A storage that keeps notes of interrupted uploads; it has `IPartials` as well.

    The note of an upload over a file (`WriteRequest.note`) is kept from ``open_writing`` on until
    the file is replaced or removed, or the partial upload is dropped or expires. Of an upload of
    which nothing arrived, only this interface shows that. A storage in which that would cost too
    much may begin with it when the upload has taken some seconds: a kill before that leaves none.
    """

    def interrupted(path: VirtualPath) -> Awaitable[InterruptedUpload | None]:
        """Return what is kept of the owner's upload of ``path``; None without one.

        In most cases there is none, so that should take little.
        """

    def annotate(path: VirtualPath, note: str) -> Awaitable[bool]:
        """Replace the note of the owner's interrupted upload of ``path``; False without one.

        With an empty note, one of which nothing arrived is dropped. A storage that has kept nothing
        may begin an empty one, if there is a file.
        """


@implementer(IInterruptedUploads)
class InterruptedUploadsAt:
    """Those of the storage that ``storage_at`` returns for a path; it may raise `StorageError`."""

    def __init__(self, storage_at: Callable[[VirtualPath], IStorage]) -> None:
        self._storage_at = storage_at

    @classmethod
    def of(
        cls, inner: IStorage, storage_at: Callable[[VirtualPath], IStorage]
    ) -> InterruptedUploadsAt | None:
        """Return them for a wrapper of ``inner``; None if that has none."""
        return None if IInterruptedUploads(inner, None) is None else cls(storage_at)

    async def interrupted(self, path: VirtualPath) -> InterruptedUpload | None:
        """Return what is kept of an upload."""
        uploads = IInterruptedUploads(self._storage_at(path), None)
        if uploads is None:
            return None
        found: InterruptedUpload | None = await uploads.interrupted(path)
        return found

    async def annotate(self, path: VirtualPath, note: str) -> bool:
        """Replace the note of an interrupted upload."""
        uploads = IInterruptedUploads(self._storage_at(path), None)
        return uploads is not None and bool(await uploads.annotate(path, note))
