"""Digests of uploads, computed while the bytes arrive and kept for HASH."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.gates import IPreparedWriting
from ftpservice.storage.hashing_writer import HashingWriter, PreparedHashingWriter
from ftpservice.storage.interfaces import IWriting, WriteMode
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["UploadDigests"]

MAX_REMEMBERED_DIGESTS = 1024
"""Digests that are kept; the oldest is dropped for another one."""


@dataclass(frozen=True, slots=True)
class _KnownDigest:
    owner: str
    path: VirtualPath
    size: int
    modified: float
    changed: int
    algorithm: str
    digest: str


class UploadDigests:
    """Computes the digest of complete uploads with ``algorithm`` in ``runner``, or of none.

    Digests are kept by the unique number of the file. A digest is dropped when another file has
    that number: filesystems reuse the numbers of removed files.
    """

    def __init__(self, algorithm: str = "", runner: BlockingRunner | None = None) -> None:
        self.is_enabled = runner is not None
        self._algorithm = algorithm
        self._runner = runner
        self._known: OrderedDict[str, _KnownDigest] = OrderedDict()

    def hashing_writer_for(self, writing: IWriting, write_mode: WriteMode) -> IWriting:
        """Return ``writing``, with a digest if that will be the digest of the complete file."""
        if self._runner is None or write_mode is WriteMode.APPEND or writing.offset:
            return writing
        kind = HashingWriter
        if IPreparedWriting.providedBy(writing):
            kind = PreparedHashingWriter
        return kind(writing, self._algorithm, self._runner)

    def upload_committed(self, owner: str, writing: IWriting, entry: Entry) -> str:
        """Record a committed upload; returns its digest, ``ALGORITHM:hex`` or ""."""
        self._known.pop(entry.unique, None)
        if not isinstance(writing, HashingWriter) or not writing.digest:
            return ""
        if entry.unique:
            facts = (owner, writing.path, entry.size, entry.modified, entry.changed)
            self._known[entry.unique] = _KnownDigest(*facts, writing.algorithm, writing.digest)
            if len(self._known) > MAX_REMEMBERED_DIGESTS:
                self._known.popitem(last=False)
        return f"{writing.algorithm}:{writing.digest}"

    def find(self, owner: str, path: VirtualPath, entry: Entry, algorithm: str) -> str | None:
        """Return the digest of a file, if it is known and the file has not changed since."""
        known = self._known.get(entry.unique)
        if known is None:
            return None
        facts = (owner, path, entry.size, entry.modified, entry.changed, algorithm)
        return known.digest if known == _KnownDigest(*facts, known.digest) else None

    async def stop(self) -> None:
        """Stop the threads."""
        if self._runner is not None:
            await self._runner.stop()
