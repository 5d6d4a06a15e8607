"""A write transaction whose bytes are digested on their way, in a pool, while they are written."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.interfaces import IWriting
from ftpservice.wire.digests import Hasher, new_hasher
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["HashingWriter"]

log = Logger("ftpservice")

BATCH_SIZE = 64 * 1024
"""Bytes that are worth the way to a thread; what is left of less at the end is digested here."""


def _update(digest: Hasher, pieces: list[bytes]) -> None:
    for piece in pieces:
        digest.update(piece)


@implementer(IWriting)
class HashingWriter:
    """A new file, written from its beginning through ``inner``.

    While one piece is digested the next may be written, and no more, so memory is bounded. A
    digest that cannot be had is none, and does not disturb the upload.
    """

    def __init__(self, inner: IWriting, algorithm: str, runner: BlockingRunner) -> None:
        self.algorithm = algorithm
        self.digest = ""
        """In hexadecimal digits, from ``commit`` on; empty if there is none."""
        self._inner = inner
        self._sum = new_hasher(algorithm)
        self._runner = runner
        self._lost = inner.offset != 0
        self._size = 0
        self._kept: list[bytes] = []
        self._size_kept = 0
        self._under_way: Deferred[None] | None = None

    @property
    def path(self) -> VirtualPath:
        """What it will be published under."""
        path: VirtualPath = self._inner.path
        return path

    @property
    def offset(self) -> int:
        """Where the first written byte goes."""
        offset: int = self._inner.offset
        return offset

    async def write(self, data: bytes) -> None:
        """Write ``data`` and begin to digest it."""
        self._size += len(data)
        self._kept.append(data)
        self._size_kept += len(data)
        if self._size_kept >= BATCH_SIZE:
            await self._digested()
            self._begin()
        await self._inner.write(data)

    async def commit(self) -> Entry:
        """Digest the rest, then publish; the digest stands if the file holds what was digested."""
        await self._digested()
        _update(self._sum, self._take_kept())
        entry = await self._inner.commit()
        if not self._lost and entry.size == self._size:
            self.digest = self._sum.hexdigest()
        return entry

    async def abandon(self) -> None:
        """End without publishing; nothing more is digested."""
        self._lost = True
        if self._under_way is not None:
            self._under_way.addErrback(lambda _: None)
            self._under_way.cancel()
        self._take_kept()
        await self._inner.abandon()

    def _begin(self) -> None:
        pieces = self._take_kept()
        if not self._lost:
            self._under_way = self._runner.run(_update, self._sum, pieces)
            self._under_way.addErrback(self._lose)

    async def _digested(self) -> None:
        """Wait for what is being digested; two threads at once would mix it up."""
        if self._under_way is not None:
            await self._under_way
            self._under_way = None

    def _lose(self, failure: Failure) -> Failure | None:
        self._lost = True
        if failure.check(CancelledError):
            return failure
        log.failure("an upload could not be digested", failure)
        return None

    def _take_kept(self) -> list[bytes]:
        kept, self._kept, self._size_kept = self._kept, [], 0
        return [] if self._lost else kept
