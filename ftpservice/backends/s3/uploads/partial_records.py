"""Records of uploads that are not complete, by which their owners find them again.

What arrived of a large upload is in the parts of a multipart upload at its key. The last bytes, too
few for a part, are kept when it is interrupted, in an object of the service: the record, which also
has the id of the multipart upload and the owner. An upload of which no part is full has only that.
A record is ``.ftpservice/partials/PATH.OWNER`` below the prefix: a line of JSON, then the bytes.

There is one record for a name and an owner. While an upload in parts is under way, its record says
so, and is written again every minute. Such an upload is not discarded by another one to the same
name, in whatever process: both are published when they are complete, the later one over the other.
Only the later one can be resumed. An upload over a file that takes longer than a moment has a
record even before its first part, for the note that clients resume by (`IInterruptedUploads`).
Everything here blocks, but for the index.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ftpservice.backends.s3.api.bucket import ObjectFacts
from ftpservice.backends.s3.api.failures import MISSING, S3Failure
from ftpservice.backends.s3.api.http_connections import PartBody
from ftpservice.backends.s3.api.multiparts import MIN_PART_SIZE
from ftpservice.backends.s3.api.signed_requests import BytesBody
from ftpservice.backends.s3.api.xml_documents import UploadPart
from ftpservice.backends.s3.tree.served_bucket import BucketView, ServedBucket
from ftpservice.backends.s3.uploads.upload_process import has_ended
from ftpservice.storage.errors import Busy
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "REFRESH_SECONDS",
    "FoundRecord",
    "PartialRecord",
    "PartialRecords",
    "is_void",
    "kept_parts",
]

REFRESH_SECONDS = 60.0
"""How often the record of an upload under way is written again."""
UNDER_WAY_SECONDS = 3 * REFRESH_SECONDS
"""How long after that an upload may be under way, in a process of which that is not known."""
HEADER_BYTES = 16 << 10
"""The line of JSON is shorter: a key and the name of an account."""


@dataclass(frozen=True)
class PartialRecord:
    """What is known of an upload that is not complete."""

    owner: str
    key: str
    upload_id: str = ""
    """Of the multipart upload; empty without one."""
    parts_size: int = 0
    """Bytes in its parts before ``tail``."""
    base_etag: str = ""
    """The file that had the key; a record is void if that was replaced by others."""
    tail: bytes = b""
    """The first bytes of what is kept in the record, as many as were read."""
    tail_size: int = 0
    """All of them."""
    tail_start: int = 0
    """Where they begin in the record."""
    is_running: bool = False
    """Whether the upload was under way when this was written."""
    note: str | None = None
    """`WriteRequest.note`, or what was put in its place; None if it is not known."""
    process: str = ""
    """The `process_mark` of an upload under way."""

    @property
    def line(self) -> bytes:
        """What stands before the bytes."""
        line = {
            "owner": self.owner,
            "key": self.key,
            "upload_id": self.upload_id,
            "parts_size": self.parts_size,
            "base_etag": self.base_etag,
            "is_running": self.is_running,
        }
        if self.note is not None:
            line["note"] = self.note
        if self.is_running:
            line["process"] = self.process
        return json.dumps(line).encode() + b"\n"


class RecordBody:
    """A record to be stored, whose bytes are those of ``tail``."""

    def __init__(self, record: PartialRecord, tail: PartBody) -> None:
        self._line = record.line
        self._tail = tail
        self.size = len(self._line) + tail.size

    def pieces(self) -> Iterator[bytes | bytearray]:
        """Yield the bytes."""
        yield self._line
        yield from self._tail.pieces()


class FoundRecord(NamedTuple):
    """A record of the bucket."""

    record: PartialRecord
    record_key: str
    modified: float


class PartialRecords:
    """The records of a bucket, as one owner finds them."""

    def __init__(self, view: BucketView) -> None:
        self._view = view
        self._served: ServedBucket = view.served
        self._index = view.served.record_index

    def load(self, path: VirtualPath, owner: str | None = None) -> PartialRecord | None:
        """Return the record of an upload, with its tail; None without one."""
        found = self.read(self._view.keys.record(owner or self._view.owner, path), MIN_PART_SIZE)
        return None if found is None else found.record

    def read(self, record_key: str, most: int = 0) -> FoundRecord | None:
        """Return a record with up to ``most`` bytes of its tail; None without one."""
        try:
            facts, data = self._served.bucket.read(record_key, 0, HEADER_BYTES + most)
        except S3Failure as failure:
            if failure.status == MISSING:
                return None
            raise
        record = _parsed(facts, data)
        return None if record is None else FoundRecord(record, record_key, facts.modified)

    def read_tail(self, path: VirtualPath, record: PartialRecord, size: int) -> Iterator[bytes]:
        """Yield the first ``size`` bytes that are kept in a record."""
        record_key = self._view.keys.record(self._view.owner, path)
        yield record.tail[:size]
        start, end = record.tail_start, record.tail_start + size
        for position in range(start + len(record.tail), end, MIN_PART_SIZE):
            stop = min(end, position + MIN_PART_SIZE)
            yield self._served.bucket.read(record_key, position, stop).data

    def save(self, path: VirtualPath, record: PartialRecord, tail: PartBody) -> None:
        """Store a record in the place of an older one, whose multipart upload is discarded.

        The record of another upload that may be under way stays, unless this is one, too.
        """
        record_key = self._view.keys.record(self._view.owner, path)
        older = self.read(record_key)
        is_other = older is not None and older.record.upload_id not in ("", record.upload_id)
        if older is not None and is_other and self.may_be_running(older):
            if not record.is_running:
                raise Busy(path, "another upload to this name is under way")
            is_other = False
        self._served.bucket.write(record_key, RecordBody(record, tail))
        self._index.add(record_key)
        if older is not None and is_other:
            self._served.multiparts.abort(older.record.key, older.record.upload_id)

    def annotate(self, path: VirtualPath, note: str) -> bool:
        """Put a note into the record of an interrupted upload; without one, into an empty record.

        False, and nothing is changed, if an upload is under way, or there is no file either. One
        that is too large to be written again stays as it is.
        """
        keys, owner = self._view.keys, self._view.owner
        key, record_key = keys.key(path), keys.record(owner, path)
        found = self.read(record_key, MIN_PART_SIZE)
        if found is not None and self.may_be_running(found):
            return False
        if found is not None and not note and not found.record.upload_id and not found.record.tail:
            self.discard(found)
            return True
        if found is not None and found.record.tail_size > len(found.record.tail):
            return True
        record = None if found is None else replace(found.record, note=note, is_running=False)
        if record is None:
            there = self._served.bucket.head(key) if note else None
            if there is None:
                return False
            record = PartialRecord(owner, key, base_etag=there.etag, note=note)
        self._served.bucket.write(record_key, BytesBody(record.line + record.tail))
        self._index.add(record_key)
        return True

    def refresh(self, path: VirtualPath, record: PartialRecord) -> None:
        """Tell that an upload is under way, unless the record is that of another one."""
        record_key = self._view.keys.record(self._view.owner, path)
        there = self.read(record_key)
        if there is not None and there.record.upload_id == record.upload_id:
            self._served.bucket.write(record_key, BytesBody(record.line))

    def may_be_running(self, found: FoundRecord) -> bool:
        """Return whether an upload may be under way, here or in another process."""
        if found.record.upload_id in self._served.running.upload_ids():
            return True
        record, age = found.record, self._served.server_seconds() - found.modified
        return record.is_running and age < UNDER_WAY_SECONDS and not has_ended(record.process)

    def forget(self, path: VirtualPath, upload_ids: Collection[str]) -> None:
        """Remove the record of an upload that is complete, or that leaves nothing.

        That of a later upload to the same name, with none of the ``upload_ids``, stays if that may
        be under way; it is discarded with it if it was interrupted.
        """
        record_key = self._view.keys.record(self._view.owner, path)
        there = self.read(record_key)
        if there is not None and there.record.upload_id not in upload_ids:
            if not self.may_be_running(there):
                self.discard(there)
            return
        self._served.bucket.delete(record_key)
        self._index.discard(record_key)

    def discard(self, found: FoundRecord) -> None:
        """Remove a record, and what arrived."""
        if found.record.upload_id:
            self._served.multiparts.abort(found.record.key, found.record.upload_id)
        self._served.bucket.delete(found.record_key)
        self._index.discard(found.record_key)

    def discard_known(self, path: VirtualPath) -> None:
        """Discard the owner's older partial upload of ``path``, if the index has one."""
        record_key = self._view.keys.record(self._view.owner, path)
        if self._index.has(record_key, self._listed):
            found = self.read(record_key)
            if found is None:
                self._index.discard(record_key)
            elif not self.may_be_running(found):
                self.discard(found)

    def _listed(self) -> Iterator[str]:
        for page in self._served.bucket.pages(self._view.keys.all_records):
            yield from (one.key for one in page.objects)

    def below(self, path: VirtualPath) -> Iterator[FoundRecord]:
        """Yield the records of uploads below a directory, of all owners, without their tails."""
        for page in self._served.bucket.pages(self._view.keys.records(path)):
            for one in page.objects:
                found = self.read(one.key)
                if found is not None:
                    yield found

    def move(self, found: FoundRecord, path: VirtualPath) -> None:
        """Make a record one for ``path``; a multipart upload cannot move, and is discarded.

        One that is under way stays, and ends at its old name.
        """
        if self.may_be_running(found):
            return
        facts = self._served.bucket.head(found.record_key)
        if facts is not None and not found.record.upload_id:
            record_key = self._view.keys.record(found.record.owner, path)
            self._served.bucket.copy(found.record_key, facts, record_key)
            self._index.add(record_key)
        self.discard(found)


def is_void(record: PartialRecord, there: ObjectFacts | None) -> bool:
    """Return whether the file is another one since, or was removed: ``there`` is what has the key.

    Of other processes' records, the process that did that may not have known (`RecordIndex`).
    """
    return (there.etag if there is not None else "") != record.base_etag


def kept_parts(served: ServedBucket, record: PartialRecord) -> tuple[list[UploadPart], bool]:
    """Return the parts that are there without a gap, and whether the tail follows them."""
    if not record.upload_id:
        return [], True
    parts = served.multiparts.parts(record.key, record.upload_id) or []
    kept = without_gap(parts)
    if kept and kept[-1].size < MIN_PART_SIZE:  # the end of a file that could not be published
        kept.pop()
    return kept, sum(one.size for one in kept) == record.parts_size


def without_gap(parts: Sequence[UploadPart]) -> list[UploadPart]:
    """Return the parts from the first one on, up to the first that is missing."""
    return [one for number, one in enumerate(parts, 1) if one.number == number]


def _parsed(facts: ObjectFacts, data: bytes) -> PartialRecord | None:
    """Return what an object says; None if it is no record."""
    line, newline, tail = data.partition(b"\n")
    try:
        said = json.loads(line)
        record = PartialRecord(
            str(said["owner"]),
            str(said["key"]),
            str(said["upload_id"]),
            int(said["parts_size"]),
            str(said["base_etag"]),
            tail,
            facts.size - len(line) - len(newline),
            len(line) + len(newline),
            bool(said.get("is_running")),
            None if said.get("note") is None else str(said["note"]),
            str(said.get("process", "")),
        )
    except (ValueError, KeyError, TypeError):
        return None
    return record
