"""An upload transaction whose bytes are digested in a pool while they are written."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.gates import IPreparedWriting
from ftpservice.storage.interfaces import IWriting
from ftpservice.wire.digests import Hasher, new_hasher
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["HashingWriter", "PreparedHashingWriter"]

log = Logger("ftpservice")

BATCH_SIZE = 64 * 1024
"""Bytes for which a call of the pool pays; a smaller rest is digested in the reactor thread."""


def _update(hasher: Hasher, pieces: list[bytes]) -> None:
    for piece in pieces:
        hasher.update(piece)


@implementer(IWriting)
class HashingWriter:
    """A new file, written from its beginning through ``inner``.

    While one batch is digested, the next one may be written but no more, so memory is bounded. If
    the digest cannot be computed there is none, and the upload continues.
    """

    def __init__(self, inner: IWriting, algorithm: str, runner: BlockingRunner) -> None:
        self.algorithm = algorithm
        self.digest = ""
        """Hexadecimal digits, after ``commit``; empty if there is none."""
        self._inner = inner
        self._hasher = new_hasher(algorithm)
        self._runner = runner
        self._has_gap = inner.offset != 0
        self._size = 0
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._digesting: Deferred[None] | None = None

    @property
    def path(self) -> VirtualPath:
        """The name that it will be published under."""
        path: VirtualPath = self._inner.path
        return path

    @property
    def offset(self) -> int:
        """The position of the first byte written."""
        offset: int = self._inner.offset
        return offset

    async def write(self, data: bytes) -> None:
        """Write ``data`` and begin to digest it."""
        self._size += len(data)
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= BATCH_SIZE:
            await self._wait_for_digest()
            self._begin()
        await self._inner.write(data)

    async def commit(self) -> Entry:
        """Digest the rest, then publish; the digest is kept if its bytes are the whole file."""
        await self._wait_for_digest()
        _update(self._hasher, self._take_pending())
        entry = await self._inner.commit()
        if not self._has_gap and entry.size == self._size:
            self.digest = self._hasher.hexdigest()
        return entry

    async def abandon(self) -> None:
        """End without publishing; nothing more is digested."""
        self._has_gap = True
        if self._digesting is not None:
            self._digesting.addErrback(lambda _: None)
            self._digesting.cancel()
        self._take_pending()
        await self._inner.abandon()

    def _begin(self) -> None:
        pieces = self._take_pending()
        if not self._has_gap:
            self._digesting = self._runner.run(_update, self._hasher, pieces)
            self._digesting.addErrback(self._digest_failed)

    async def _wait_for_digest(self) -> None:
        """Wait for the batch being digested: two threads must not update the hasher at once."""
        if self._digesting is not None:
            await self._digesting
            self._digesting = None

    def _digest_failed(self, failure: Failure) -> Failure | None:
        self._has_gap = True
        if failure.check(CancelledError):
            return failure
        log.failure("an upload could not be digested", failure)
        return None

    def _take_pending(self) -> list[bytes]:
        pieces, self._pending, self._pending_bytes = self._pending, [], 0
        return [] if self._has_gap else pieces


@implementer(IPreparedWriting)
class PreparedHashingWriter(HashingWriter):
    """The same for an ``inner`` that is an `IPreparedWriting`."""

    async def prepare(self) -> None:
        """Do all but publishing."""
        await IPreparedWriting(self._inner).prepare()
