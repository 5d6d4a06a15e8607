"""How an upload begins: what there is at its path, and what it resumes."""

from __future__ import annotations

from typing import NamedTuple

from ftpservice.backends.s3.api.bucket import ObjectFacts
from ftpservice.backends.s3.api.multiparts import MIN_PART_SIZE
from ftpservice.backends.s3.tree.object_lookup import (
    is_known_to_be_free,
    require_no_recent_directory,
    require_parent,
)
from ftpservice.backends.s3.tree.part_buffer import PIECE_SIZE, PartBuffer
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.backends.s3.uploads.object_append import S3Append
from ftpservice.backends.s3.uploads.parted_object import PartedObject, random_name
from ftpservice.backends.s3.uploads.parted_upload import S3Upload
from ftpservice.backends.s3.uploads.partial_records import PartialRecords, is_void, kept_parts
from ftpservice.storage.errors import BadOffset, BeingUploaded, Exists, IsDirectory, NotSupported
from ftpservice.storage.interfaces import IWriting, WriteMode, WriteRequest
from ftpservice.wire.paths import VirtualPath

__all__ = ["begin_writing"]

MAX_NUMBERED_NAMES = 20
"""Names with numbers that are tried before one at random."""


class Beginning(NamedTuple):
    """What an upload begins with."""

    parted: PartedObject
    buffer: PartBuffer
    overlap: int = 0
    """Bytes at the end of the parts that will be sent again."""


async def begin_writing(view: BucketView, path: VirtualPath, request: WriteRequest) -> IWriting:
    """Begin an upload transaction; raises what `IStorage.open_writing` does."""
    mode = request.write_mode
    if path.is_root:
        raise IsDirectory(path)
    if request.offset and mode not in (WriteMode.REPLACE, WriteMode.CREATE):
        raise NotSupported(path, f"an offset with {mode.value}")
    if mode is WriteMode.CREATE and not view.served.traits.creates:
        raise NotSupported(path, "the server cannot create without replacing")
    is_free = mode is WriteMode.REPLACE and is_known_to_be_free(view, path)
    facts = None if is_free else await view.in_thread(path, _look, view, path, mode)
    if mode is WriteMode.UNIQUE:
        return await _begin_unique(view, path, request)
    if mode is WriteMode.APPEND and facts is not None:
        return S3Append(view, path, request, facts)
    if not request.offset and mode is not WriteMode.APPEND:
        if mode is WriteMode.CREATE:
            _require_idle(view, path)
        return _upload(view, request, _from_nothing(view, path, request.note))
    _require_idle(view, path)
    reserved = _upload(view, request, _from_nothing(view, path))  # nobody else may resume it now
    try:
        beginning = await view.in_thread(path, _resume, view, path, request, facts)
    finally:
        reserved.release()
    return _upload(view, request, beginning)


def _upload(view: BucketView, request: WriteRequest, beginning: Beginning) -> S3Upload:
    return S3Upload(view, request, *beginning)


def _from_nothing(view: BucketView, path: VirtualPath, note: str = "") -> Beginning:
    return Beginning(PartedObject(view, path, note), view.served.new_buffer())


def _require_idle(view: BucketView, path: VirtualPath) -> None:
    """Raise `BeingUploaded` if another session of the owner uploads to ``path``."""
    if view.served.running.of(view.owner, view.keys.key(path)) is not None:
        raise BeingUploaded(path)


def _look(view: BucketView, path: VirtualPath, mode: WriteMode) -> ObjectFacts | None:
    """Return the file that is there, if that matters."""
    require_parent(view, path)
    if mode is WriteMode.UNIQUE:
        return None
    require_no_recent_directory(view, path)
    if mode is WriteMode.REPLACE:
        return None
    facts = view.bucket.head(view.keys.key(path))
    if facts is not None and mode is WriteMode.CREATE:
        raise Exists(path)
    return facts


async def _begin_unique(view: BucketView, path: VirtualPath, request: WriteRequest) -> S3Upload:
    if not view.served.traits.creates:  # nothing else tells that two processes choose one name
        path = random_name(path)
    while True:
        taken = view.served.running.taken_keys()
        free = await view.in_thread(path, _free_path, view, path, taken)
        if view.keys.key(free) not in view.served.running.taken_keys():
            view.keys.require_valid(free)
            return _upload(view, request, _from_nothing(view, free))


def _free_path(view: BucketView, path: VirtualPath, taken: set[str]) -> VirtualPath:
    """Return a path whose name is neither taken nor promised to another upload."""
    names = [path.name, *(f"{path.name}.{number}" for number in range(1, MAX_NUMBERED_NAMES))]
    for name in names:
        free = path.parent.child(name)
        key = view.keys.key(free)
        if key in taken or view.bucket.head(key) is not None:
            continue
        if not view.bucket.has_any(view.keys.directory(free)):
            return free
    return random_name(path)


def _resume(
    view: BucketView, path: VirtualPath, request: WriteRequest, facts: ObjectFacts | None
) -> Beginning:
    """Return what an upload resumes: the owner's partial upload or, only without one, the file.

    Parts cannot be read or cut before the upload is complete. One byte less than there is can be
    resumed from all the same: SIZE replies that of an upload that may be complete.
    """
    records = PartialRecords(view)
    record = records.load(path)
    there = facts or view.bucket.head(view.keys.key(path))
    if record is None or is_void(record, there):
        return _resume_file(view, path, request, there)
    parts, has_tail = kept_parts(view.served, record)
    size = sum(one.size for one in parts)
    end = size + (record.tail_size if has_tail else 0)
    offset = end if request.write_mode is WriteMode.APPEND else request.offset
    overlap = 1 if parts and end == size and offset == size - 1 else 0
    if not size - overlap <= offset <= end:
        raise BadOffset(path, f"{size} to {end} bytes are kept")
    if request.held and parts:
        raise NotSupported(path, "parts of the upload are on the server")
    parted = PartedObject(view, path, request.note, record, parts)
    buffer = view.served.new_buffer()
    for piece in records.read_tail(path, record, max(0, offset - size)):
        _fill(buffer, piece)
    return Beginning(parted, buffer, overlap)


def _resume_file(
    view: BucketView, path: VirtualPath, request: WriteRequest, facts: ObjectFacts | None
) -> Beginning:
    """Return the first bytes of the file that is there, as the beginning of a new one."""
    offset = request.offset
    if offset and (request.partial_only or facts is None or offset > facts.size):
        raise BadOffset(path)
    beginning = _from_nothing(view, path, request.note)
    if offset >= MIN_PART_SIZE and not request.held:
        beginning.parted.copy_beginning(offset)
    else:
        for start in range(0, offset, PIECE_SIZE):
            end = min(offset, start + PIECE_SIZE)
            _fill(beginning.buffer, view.bucket.read(view.keys.key(path), start, end, facts).data)
    return beginning


def _fill(buffer: PartBuffer, data: bytes) -> None:
    if data and not buffer.add(data):
        buffer.spool(data)
