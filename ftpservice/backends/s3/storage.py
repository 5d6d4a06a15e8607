"""The files of one account in a bucket."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ftpservice.backends.s3.attributes import S3Hashes, S3Times, S3TreeUsage
from ftpservice.backends.s3.bucket_trash import S3Trash
from ftpservice.backends.s3.listing import open_directory
from ftpservice.backends.s3.read_ahead import open_file
from ftpservice.backends.s3.removing import make_directory, remove_directory, remove_file
from ftpservice.backends.s3.renaming import rename
from ftpservice.backends.s3.tree.object_lookup import entry_at
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.unchanged_removal import unchanged_removal
from ftpservice.backends.s3.uploads.begin_writing import begin_writing
from ftpservice.backends.s3.uploads.owned_partials import S3Partials
from ftpservice.concurrency.task import wait_out
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.interfaces import (
    IHashes,
    IListing,
    IPartials,
    IReading,
    ISetTimes,
    IStorage,
    IWriting,
    WriteRequest,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.storage.trash import IKeepsTrash, ITrash, TrashRule
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["S3Storage"]

CAPABILITIES: dict[object, Callable[[BucketView], object]] = {
    IConditionalRemoval: unchanged_removal,
    IHashes: S3Hashes,
    IInterruptedUploads: S3Partials,
    IPartials: S3Partials,
    ISetTimes: S3Times,
    ITrash: S3Trash,
    ITreeUsage: S3TreeUsage,
}
"""Optional interfaces and what makes their providers, or returns None."""


@implementer(IStorage, IKeepsTrash)
class S3Storage:
    """One owner's files below a key."""

    def __init__(self, view: BucketView) -> None:
        self._view = view

    def __conform__(self, interface: object) -> object:
        kind = CAPABILITIES.get(interface)
        return None if kind is None else kind(self._view)

    def with_trash(self, rule: TrashRule) -> IStorage:
        """Return the same files; what is deleted and overwritten is kept."""
        return S3Storage(BucketView(self._view.served, self._view.owner, self._view.top, rule))

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``."""
        return await self._view.in_thread(path, entry_at, self._view, path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Open a directory for reading."""
        return await open_directory(self._view, path)

    async def make_directory(
        self,
        path: VirtualPath,
        mode: int = 0o755,  # noqa: ARG002
    ) -> None:
        """Create one directory; objects have no permission bits."""
        await self._view.in_thread(path, make_directory, self._view, path)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory, and the owner's partial uploads in it."""
        view = self._view
        running = view.served.running.below(view.keys.directory(path))
        await view.in_thread(path, remove_directory, view, path, bool(running))

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file and the owner's partial upload of it, or only the latter."""
        view = self._view
        is_uploading = (
            view.keys.can_exist(path)
            and view.served.running.of(view.owner, view.keys.key(path)) is not None
        )
        await view.in_thread(path, remove_file, view, path, is_uploading)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename a file or, file by file, a directory; goes on if it is cancelled."""
        await wait_out(Deferred.fromCoroutine(self._rename(source, target, replace)))

    async def _rename(self, source: VirtualPath, target: VirtualPath, replace: bool) -> None:
        view = self._view
        keys = await view.in_thread(source, rename, view, source, target, replace)
        if keys is not None:
            for one in view.served.running.appends:
                if one.key == keys[0]:
                    one.key = keys[1]

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file with its content of now."""
        return await open_file(self._view, path)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload transaction."""
        return await begin_writing(self._view, path, request)
