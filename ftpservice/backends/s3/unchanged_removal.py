"""Removing what nobody has touched: for the retention of files."""

from __future__ import annotations

from zope.interface import implementer

from ftpservice.backends.s3.api.failures import CHANGED, S3Failure
from ftpservice.backends.s3.tree.object_entries import file_entry
from ftpservice.backends.s3.tree.object_lookup import require_directory
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.partial_records import PartialRecords
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import Busy, Denied, NotEmpty, PathNotFound
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["S3Removal", "unchanged_removal"]


def unchanged_removal(view: BucketView) -> S3Removal | None:
    """Return what removes files, if the server deletes only a given version of an object."""
    return S3Removal(view) if view.served.traits.deletes_conditionally else None


@implementer(IConditionalRemoval)
class S3Removal:
    """Removes objects by their ETags.

    Content that is the same and stored again in the moment between is not told apart.
    """

    def __init__(self, view: BucketView) -> None:
        self._view = view

    async def remove_unchanged(self, path: VirtualPath, entry: Entry) -> None:
        """Remove a file or an empty directory if it is still the one of ``entry``."""
        if path.is_root:
            raise Denied(path)
        running = self._view.served.running
        if entry.kind is Kind.DIRECTORY:
            if running.below(self._view.keys.directory(path)):
                raise NotEmpty(path)
            await self._view.in_thread(path, self._remove_directory, path)
            return
        key = self._view.keys.key(path)
        if any(one.key == key for one in running.appends):
            raise Busy(path, "an append is under way")
        await self._view.in_thread(path, self._remove_file, path, entry)

    def _remove_file(self, path: VirtualPath, entry: Entry) -> None:
        bucket, key = self._view.bucket, self._view.keys.key(path)
        facts = bucket.head(key) if self._view.keys.can_exist(path) else None
        if facts is None:
            raise PathNotFound(path)
        if file_entry(key, facts.size, facts.etag, facts.modified) != entry:
            raise Busy(path, "it has changed")
        try:
            bucket.delete(key, facts.etag)
        except S3Failure as failure:
            if failure.status == CHANGED:
                raise Busy(path, "it has changed") from None
            raise

    def _remove_directory(self, path: VirtualPath) -> None:
        key = self._view.keys.directory(path)
        self._view.served.directories.forget(key)
        require_directory(self._view, path)
        self._view.served.directories.forget(key)
        if self._view.bucket.has_more(key) or any(PartialRecords(self._view).below(path)):
            raise NotEmpty(path)
        self._view.bucket.delete(key)
