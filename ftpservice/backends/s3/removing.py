"""Making and removing directories, and removing files. Everything here blocks."""

from __future__ import annotations

from ftpservice.backends.s3.api.bucket import ANYTHING, Condition, ObjectFacts
from ftpservice.backends.s3.api.failures import CHANGED, S3Failure
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.trash.trash_bin import S3TrashBin
from ftpservice.backends.s3.tree.object_lookup import require_directory, require_parent
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.partial_records import FoundRecord, PartialRecords
from ftpservice.storage.errors import (
    BeingUploaded,
    Denied,
    Exists,
    HasUploads,
    IsDirectory,
    NotEmpty,
    PathNotFound,
)
from ftpservice.wire.paths import VirtualPath

__all__ = ["make_directory", "remove_directory", "remove_file"]


def make_directory(view: BucketView, path: VirtualPath) -> None:
    """Make a directory: its marker."""
    if path.is_root:
        raise Exists(path)
    require_parent(view, path)
    key = view.keys.directory(path)
    if view.bucket.head(view.keys.key(path)) is not None or view.bucket.has_any(key):
        raise Exists(path)
    condition = Condition(if_absent=True) if view.served.traits.creates else ANYTHING
    try:
        view.bucket.write(key, BytesBody(b""), None, condition)
    except S3Failure as failure:
        if failure.status == CHANGED:
            raise Exists(path, "created meanwhile") from None
        raise
    view.served.directories.made(key)


def remove_directory(view: BucketView, path: VirtualPath, has_uploads: bool) -> None:
    """Remove a directory that is empty; ``has_uploads``: whether uploads into it are under way."""
    if path.is_root:
        raise Denied(path)
    key = view.keys.directory(path)
    view.served.directories.forget(key)
    require_directory(view, path)
    view.served.directories.forget(key)
    if view.bucket.has_more(key):
        raise NotEmpty(path)
    if has_uploads:
        raise HasUploads(path, "an upload is under way")
    records = PartialRecords(view)
    kept = list(records.below(path))
    if any(records.may_be_running(one) for one in kept):
        raise HasUploads(path, "an upload is under way")
    if any(one.record.owner != view.owner for one in kept):
        raise HasUploads(path, "a partial upload of another owner")
    for one in kept:
        records.discard(one)
    view.bucket.delete(key)


def remove_file(view: BucketView, path: VirtualPath, is_uploading: bool) -> None:
    """Remove a file and the owner's partial upload of it, or only the latter."""
    if path.is_root:
        raise IsDirectory(path)
    if not view.keys.can_exist(path):
        raise PathNotFound(path)
    facts = view.bucket.head(view.keys.key(path))
    if facts is not None:
        _remove_object(view, path, facts)
        if not is_uploading:
            PartialRecords(view).discard_known(path)
        return
    if view.bucket.has_any(view.keys.directory(path)):
        raise IsDirectory(path)
    if is_uploading:
        raise BeingUploaded(path)
    require_parent(view, path)
    found: FoundRecord | None = PartialRecords(view).read(view.keys.record(view.owner, path))
    if found is None:
        raise PathNotFound(path)
    PartialRecords(view).discard(found)


def _remove_object(view: BucketView, path: VirtualPath, facts: ObjectFacts) -> None:
    if view.rule is None:
        view.bucket.delete(view.keys.key(path))
    else:
        S3TrashBin(view).delete(path, facts)
