"""Digests of uploads, computed as they come, and remembered for a HASH that asks for them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.hashing_writer import HashingWriter
from ftpservice.storage.interfaces import IWriting, WriteMode
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["UploadDigests"]

MAX_REMEMBERED_DIGESTS = 1024
"""Digests that are remembered."""


@dataclass(frozen=True, slots=True)
class _Known:
    owner: str
    path: VirtualPath
    size: int
    modified: float
    changed: int
    algorithm: str
    digest: str


class UploadDigests:
    """Has whole uploads digested with ``algorithm`` in ``runner``; with neither it has none.

    What is remembered goes by what is unique of the file, and is forgotten when another file
    turns up that has the same (as a filesystem gives the number of a removed file to the next).
    """

    def __init__(self, algorithm: str = "", runner: BlockingRunner | None = None) -> None:
        self._algorithm = algorithm
        self._runner = runner
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def hashing_writer_for(self, writing: IWriting, how: WriteMode) -> IWriting:
        """Return ``writing``, digested on its way if the digest will be that of the whole file."""
        if self._runner is None or how is WriteMode.APPEND or writing.offset:
            return writing
        return HashingWriter(writing, self._algorithm, self._runner)

    def upload_committed(self, owner: str, writing: IWriting, entry: Entry) -> str:
        """Learn of a committed upload; returns its digest, ``ALGORITHM:hex``, if there is one."""
        self._known.pop(entry.unique, None)
        if not isinstance(writing, HashingWriter) or not writing.digest:
            return ""
        if entry.unique:
            facts = (owner, writing.path, entry.size, entry.modified, entry.changed)
            self._known[entry.unique] = _Known(*facts, writing.algorithm, writing.digest)
            if len(self._known) > MAX_REMEMBERED_DIGESTS:
                self._known.popitem(last=False)
        return f"{writing.algorithm}:{writing.digest}"

    def find(self, owner: str, path: VirtualPath, entry: Entry, algorithm: str) -> str | None:
        """Return the digest of a file, if it is known and the file is as it was uploaded."""
        known = self._known.get(entry.unique)
        if known is None:
            return None
        facts = (owner, path, entry.size, entry.modified, entry.changed, algorithm)
        return known.digest if known == _Known(*facts, known.digest) else None

    async def stop(self) -> None:
        """Let go of the threads."""
        if self._runner is not None:
            await self._runner.stop()
