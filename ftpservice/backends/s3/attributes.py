"""Times that clients set, digests, and what a tree takes up."""

from __future__ import annotations

from zope.interface import implementer

from ftpservice.backends.s3.api.bucket import ObjectFacts
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.read_ahead import BLOCK_SIZE
from ftpservice.backends.s3.trash.trash_items import items_below
from ftpservice.backends.s3.tree.object_copy import copy_object
from ftpservice.backends.s3.tree.object_entries import MTIME
from ftpservice.backends.s3.tree.object_lookup import directory_exists, file_at, require_directory
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.owned_partials import S3Partials
from ftpservice.storage.errors import BadOffset, NotSupported, PathNotFound
from ftpservice.storage.interfaces import IHashes, ISetTimes
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.wire.digests import Hasher, new_hasher
from ftpservice.wire.paths import VirtualPath

__all__ = ["S3Hashes", "S3Times", "S3TreeUsage"]


@implementer(ISetTimes)
class S3Times:
    """Times of modification, kept as metadata: the object is copied onto itself for that."""

    creation = False

    def __init__(self, view: BucketView) -> None:
        self._view = view

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set the time of modification, in seconds since the epoch."""
        if created is not None:
            raise NotSupported(path, "objects have no time of creation")
        if modified is not None:
            await self._view.in_thread(path, self._set, path, modified)

    def _set(self, path: VirtualPath, modified: float) -> None:
        view = self._view
        if path.is_root:
            raise NotSupported(path, "the root has no time")
        if not view.keys.can_exist(path):
            raise PathNotFound(path)
        key = view.keys.key(path)
        facts = view.bucket.head(key)
        if facts is not None:
            copy_object(
                view.served, (key, facts), key, {**facts.metadata, MTIME: f"{modified:.6f}"}
            )
            return
        if not directory_exists(view, path):
            raise PathNotFound(path)
        if not view.served.traits.dates_directories:
            raise NotSupported(path, "the server keeps no times of directories")
        view.bucket.write(view.keys.directory(path), BytesBody(b""), {MTIME: f"{modified:.6f}"})


@implementer(IHashes)
class S3Hashes:
    """Digests of what the server sends."""

    def __init__(self, view: BucketView) -> None:
        self._view = view

    async def hash(self, path: VirtualPath, algorithm: str, start: int, end: int | None) -> str:
        """Digest bytes of one version of a file, block by block."""
        try:
            hasher = new_hasher(algorithm)
        except ValueError as error:
            raise NotSupported(path, str(error)) from None
        facts = await self._view.in_thread(path, file_at, self._view, path)
        stop = facts.size if end is None else end
        if not 0 <= start <= stop <= facts.size:
            raise BadOffset(path)
        for position in range(start, stop, BLOCK_SIZE):
            span = position, min(position + BLOCK_SIZE, stop)
            await self._view.in_thread(path, self._update, hasher, path, facts, span)
        return hasher.hexdigest()

    def _update(
        self, hasher: Hasher, path: VirtualPath, facts: ObjectFacts, span: tuple[int, int]
    ) -> None:
        hasher.update(self._view.bucket.read(self._view.keys.key(path), *span, facts).data)


@implementer(ITreeUsage)
class S3TreeUsage:
    """What is below a directory, counted by a listing of all keys."""

    def __init__(self, view: BucketView) -> None:
        self._view = view
        options = view.served.options
        prefix = [part for part in options.prefix.split("/") if part]
        self.place = (f"s3:{options.endpoint}/{options.bucket}", *prefix, *view.top.parts)

    async def tree_usage(self, path: VirtualPath) -> TreeUsage:
        """Count everything below a directory, partial uploads, and the trash of all owners."""
        size, files = await self._view.in_thread(path, self._count, path)
        partials = [
            one
            for one in await S3Partials(self._view).all_partials(everybody=True)
            if not one.is_active and one.path.is_within(path)
        ]
        kept = sum(one.size for one in partials)
        return TreeUsage(size + kept, files + len(partials), len(partials))

    def _count(self, path: VirtualPath) -> tuple[int, int]:
        require_directory(self._view, path)
        prefix = self._view.keys.directory(path)
        hidden = self._view.keys.all_records.removesuffix("partials/")
        size = files = 0
        before: list[str] = []
        for page in self._view.bucket.pages(prefix):
            for one in page.objects:
                if one.key.startswith(hidden):
                    continue
                *folders, name = one.key[len(prefix) :].split("/")
                files += len(folders) - _common_parts(before, folders) + bool(name)
                size += one.size
                before = folders
        for item in items_below(self._view, path):
            size, files = size + item.shown.size, files + 1
        return size, files


def _common_parts(one: list[str], other: list[str]) -> int:
    """Return how many directories two keys, in order, have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((number for number, (mine, its) in pairs if mine != its), shorter)
