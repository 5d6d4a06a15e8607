"""Renaming: copies on the server, then deletions. Everything here blocks.

A file is at its new name before it leaves the old one. A directory moves file by file; while it
moves, and if that fails, some of its files have the old name and some the new one. A record of the
service tells that the rename has begun: repeating it goes on where it failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from twisted.logger import Logger

from ftpservice.backends.s3.api.bucket import ANYTHING, Condition, ObjectFacts
from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.api.xml_documents import ListedObject
from ftpservice.backends.s3.trash.trash_bin import S3TrashBin
from ftpservice.backends.s3.tree.keys import HIDDEN_NAME
from ftpservice.backends.s3.tree.object_copy import MAX_COPY_SIZE, copy_object
from ftpservice.backends.s3.tree.object_lookup import require_parent
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.partial_records import PartialRecords
from ftpservice.storage.errors import (
    Denied,
    Exists,
    IntoItself,
    IsDirectory,
    NotDirectory,
    NotEmpty,
    PathNotFound,
)
from ftpservice.wire.paths import VirtualPath

__all__ = ["rename"]

COPY_THREADS = 8


def rename(
    view: BucketView, source: VirtualPath, target: VirtualPath, replace: bool
) -> tuple[str, str] | None:
    """Rename a file or a directory; return both keys of a file, None for a directory."""
    if source.is_root or target.is_root:
        raise Denied(source)
    if not view.keys.can_exist(source):
        raise PathNotFound(source)
    facts = view.bucket.head(view.keys.key(source))
    if facts is not None:
        return _rename_file(view, (source, facts), target, replace)
    if not view.bucket.has_any(view.keys.directory(source)):
        raise PathNotFound(source)
    if target != source and target.is_within(source):
        raise IntoItself(target)
    if target == source:
        return None
    _rename_directory(view, source, target, replace)
    return None


def _rename_file(
    view: BucketView, source: tuple[VirtualPath, ObjectFacts], target: VirtualPath, replace: bool
) -> tuple[str, str]:
    path, facts = source
    require_parent(view, target)
    keys = view.keys.key(path), view.keys.key(target)
    is_directory = view.bucket.has_any(view.keys.directory(target))
    if not replace and (is_directory or view.bucket.head(keys[1]) is not None):
        raise Exists(target)
    if is_directory:
        raise IsDirectory(target)
    if keys[0] == keys[1]:
        return keys

    def copy(condition: Condition) -> str:
        return copy_object(view.served, (keys[0], facts), keys[1], None, condition)

    if not replace:
        _create(view, target, copy)
    elif view.rule is None:
        copy(ANYTHING)
    else:
        S3TrashBin(view).replace(target, copy)
    _delete_copied(view, keys[0], facts)
    return keys


def _delete_copied(view: BucketView, key: str, facts: ObjectFacts) -> None:
    """Delete a file that was copied; what was stored there meanwhile stays."""
    is_conditional = view.served.traits.deletes_conditionally
    try:
        view.bucket.delete(key, facts.etag if is_conditional else "")
    except S3Failure as failure:
        if failure.status not in (CHANGED, MISSING):
            raise


def _create(view: BucketView, target: VirtualPath, copy: Callable[[Condition], str]) -> None:
    """Make a copy where there is no file, as far as the server can promise that."""
    traits = view.served.traits
    is_conditional = traits.creates and traits.completes_conditionally
    try:
        copy(Condition(if_absent=True) if is_conditional else ANYTHING)
    except S3Failure as failure:
        if failure.status == CHANGED and view.bucket.head(view.keys.key(target)) is not None:
            raise Exists(target, "created meanwhile") from None
        raise


def _rename_directory(
    view: BucketView, source: VirtualPath, target: VirtualPath, replace: bool
) -> None:
    require_parent(view, target)
    log_key = _log_key(view, source, target)
    has_begun = view.bucket.head(log_key) is not None
    if view.bucket.head(view.keys.key(target)) is not None:
        raise (NotDirectory if replace else Exists)(target)
    if not has_begun:
        _require_free(view, target)
        view.bucket.write(log_key, BytesBody(f"{source}\n{target}\n".encode()))
    view.served.directories.forget(view.keys.directory(source))
    # First: without its objects, the directory would not be there for a repeated rename.
    _move_records(view, source, target)
    moved = _move_objects(view, view.keys.directory(source), view.keys.directory(target))
    view.served.directories.forget(view.keys.directory(source))
    view.served.directories.made(view.keys.directory(target))
    _delete_log(view, log_key)
    log.info(
        "{source} was renamed to {target} by copies of {moved} objects",
        source=str(source),
        target=str(target),
        moved=moved,
    )


def _delete_log(view: BucketView, log_key: str) -> None:
    """Forget a rename that is complete, whether or not that can be done now."""
    try:
        view.bucket.delete(log_key)
    except S3Failure as failure:
        log.warn("the record of a rename stays for a time: {error}", error=failure)


def _require_free(view: BucketView, target: VirtualPath) -> None:
    """Raise `NotEmpty` or `Exists` if there is a directory at ``target``."""
    key = view.keys.directory(target)
    if view.bucket.has_more(key):
        raise NotEmpty(target)
    if view.bucket.has_any(key):
        raise Exists(target)


def _move_objects(view: BucketView, source: str, target: str) -> int:
    """Move all objects of a directory, page by page; return how many there were.

    The markers of a page come first, each after that of the directory above it. SeaweedFS makes the
    directory of an object that is stored if it finds none, and so replaces, without an error, a
    marker that is stored at the same moment.

    A file that was replaced after its copy stays, where the server can do that, and is moved with
    one of the next pages.
    """
    moved = 0

    def copy(one: ListedObject) -> None:
        facts = ObjectFacts(one.size, one.etag, one.modified, {})
        if one.size > MAX_COPY_SIZE:
            facts = view.bucket.head(one.key) or facts
        copy_object(view.served, (one.key, facts), target + one.key[len(source) :])
        if is_conditional:
            _delete_copied(view, one.key, facts)

    is_conditional = view.served.traits.deletes_conditionally
    with ThreadPoolExecutor(COPY_THREADS, "s3 rename") as threads:
        while objects := view.bucket.page(source, delimiter="").objects:
            files = [one for one in objects if not one.key.endswith("/")]
            markers = sorted(one.key for one in objects if one.key.endswith("/"))
            for key in markers:
                _copy_marker(view, key, target + key[len(source) :])
            for _ in threads.map(copy, files):
                pass
            if not is_conditional:
                view.bucket.delete_many([one.key for one in files])
            view.bucket.delete_many(markers[::-1])
            moved += len(objects)
    return moved


def _copy_marker(view: BucketView, source: str, target: str) -> None:
    """Make a marker with the metadata of another one; not every server copies them."""
    marker = view.bucket.head(source)
    view.bucket.write(target, BytesBody(b""), marker.metadata if marker is not None else None)


def _move_records(view: BucketView, source: VirtualPath, target: VirtualPath) -> None:
    """Move the partial uploads in a directory, as far as they are not in parts."""
    records = PartialRecords(view)
    for found in list(records.below(source)):
        path = view.keys.path_of_record(found.record_key)
        if path is not None:
            below = VirtualPath(path.parts[len(source.parts) :])
            records.move(found, below.below(target))


def _log_key(view: BucketView, source: VirtualPath, target: VirtualPath) -> str:
    names = f"{view.keys.directory(source)}\n{view.keys.directory(target)}".encode()
    name = hashlib.sha256(names).hexdigest()[:32]
    return f"{view.served.options.prefix}{HIDDEN_NAME}/renames/{name}"


log = Logger()
