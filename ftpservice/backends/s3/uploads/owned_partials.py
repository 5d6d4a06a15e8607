"""The partial uploads of an account: those that were interrupted, and those under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zope.interface import implementer

from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.partial_records import (
    FoundRecord,
    PartialRecords,
    is_void,
    kept_parts,
)
from ftpservice.storage.errors import BeingUploaded, PathNotFound
from ftpservice.storage.interfaces import IPartials, PartialUpload
from ftpservice.storage.interrupted_uploads import IInterruptedUploads, InterruptedUpload
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["S3Partials"]


@implementer(IPartials, IInterruptedUploads)
class S3Partials:
    """The partial uploads below the root of ``view``."""

    def __init__(self, view: BucketView) -> None:
        self._view = view
        self._records = PartialRecords(view)

    async def partial(self, path: VirtualPath) -> Entry:
        """Return the entry of a partial upload; raises `PathNotFound`."""
        return await self._view.in_thread(path, self._partial, path)

    async def interrupted(self, path: VirtualPath) -> InterruptedUpload | None:
        """Return what is kept of an upload over the file that is there, even if nothing arrived."""
        if not self._can_have(path):
            return None
        return await self._view.in_thread(path, self._interrupted, path)

    async def annotate(self, path: VirtualPath, note: str) -> bool:
        """Keep a note with an interrupted upload, or of one of which nothing arrived."""
        if not self._can_have(path):
            return False
        return await self._view.in_thread(path, self._records.annotate, path, note)

    async def all_partials(self, everybody: bool = False) -> Sequence[PartialUpload]:
        """Return the partial uploads below the root."""
        running = self._running(everybody)
        kept = await self._view.in_thread(ROOT, self._kept, everybody, self._busy())
        return [*running, *(shown for shown, _record in kept)]

    async def drop_partials(
        self, path: VirtualPath | None = None, everybody: bool = False
    ) -> Sequence[PartialUpload]:
        """Remove partial uploads, except those under way."""
        is_running = any(one.path == path for one in self._running(everybody))
        dropped = await self._view.in_thread(
            path or ROOT, self._drop, path, everybody, self._busy()
        )
        if path is not None and not dropped:
            raise (BeingUploaded if is_running else PathNotFound)(path)
        return dropped

    def _running(self, everybody: bool) -> list[PartialUpload]:
        view, seconds = self._view, self._view.served.seconds()
        return [
            PartialUpload(view.path_of(one.key), one.owner, one.received, seconds, True)
            for one in view.served.running.below(view.keys.directory(ROOT))
            if one.owner and (everybody or one.owner == view.owner)
        ]

    def _busy(self) -> set[str]:
        """Return the keys of the records of uploads under way."""
        return {one.record_key for one in self._view.served.running.uploads}

    def _can_have(self, path: VirtualPath) -> bool:
        return not path.is_root and self._view.keys.can_exist(path)

    def _interrupted(self, path: VirtualPath) -> InterruptedUpload | None:
        view = self._view
        found = self._records.read(view.keys.record(view.owner, path))
        if found is None or is_void(found.record, view.bucket.head(view.keys.key(path))):
            return None
        age = max(0.0, view.served.server_seconds() - found.modified)
        is_active = self._records.may_be_running(found)
        return InterruptedUpload(self._size(found), age, found.record.note, is_active)

    def _partial(self, path: VirtualPath) -> Entry:
        if not self._can_have(path):
            raise PathNotFound(path)
        found = self._records.read(self._view.keys.record(self._view.owner, path))
        size = 0 if found is None else self._size(found)
        if found is None or not size:
            raise PathNotFound(path)
        return Entry(path.name, Kind.FILE, size, found.modified, owner=self._view.owner)

    def _size(self, found: FoundRecord) -> int:
        parts, has_tail = kept_parts(self._view.served, found.record)
        return sum(one.size for one in parts) + (found.record.tail_size if has_tail else 0)

    def _kept(self, everybody: bool, busy: set[str]) -> list[tuple[PartialUpload, FoundRecord]]:
        return list(self._found(everybody, busy))

    def _found(
        self, everybody: bool, busy: set[str], path: VirtualPath | None = None
    ) -> Iterator[tuple[PartialUpload, FoundRecord]]:
        for found in self._records.below(path.parent if path is not None else ROOT):
            owner = found.record.owner
            its_path = self._view.keys.path_of_record(found.record_key)
            if its_path is None or found.record_key in busy or path not in (None, its_path):
                continue
            if everybody or owner == self._view.owner:
                size = self._size(found)
                if not size and path is None:
                    continue  # it only keeps the note of an upload of which nothing arrived
                yield PartialUpload(its_path, owner, size, found.modified), found

    def _drop(
        self, path: VirtualPath | None, everybody: bool, busy: set[str]
    ) -> list[PartialUpload]:
        if path is not None and not self._can_have(path):
            return []
        dropped = list(self._found(everybody, busy, path))
        for _shown, found in dropped:
            self._records.discard(found)
        return [shown for shown, _found in dropped]
