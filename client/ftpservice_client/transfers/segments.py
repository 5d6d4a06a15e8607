"""One large file over several connections, each of which receives a stretch of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from twisted.internet.defer import Deferred, FirstError, gatherResults

from ftpservice_client.errors import Unsupported, VerificationFailed
from ftpservice_client.interfaces import ByteCounter, ClientSession, DownloadTarget, OverlapMismatch
from ftpservice_client.local.files import PartFile
from ftpservice_client.local.threads import ThreadRunner
from ftpservice_client.results import Digest
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.transfers.progress import ProgressReporter
from ftpservice_client.transfers.verify import compare_digests

__all__ = ["SegmentedDownload"]

MIN_SEGMENT_SIZE = 1024 * 1024
"""Bytes of a stretch that is worth a connection."""


class SegmentComplete(Exception):
    """All of a stretch is there; what the server still sends is of no use."""


class Segment(DownloadTarget):
    """Bytes ``start`` up to ``start + size`` of a file; counts them for a meter."""

    def __init__(self, threads: ThreadRunner, part: PartFile, start: int, size: int) -> None:
        self.start = start
        self.size = size
        self.is_last = False
        """Whether the file is to end with it; whatever comes then was not what was asked for."""
        self.total: int | None = None
        self._threads = threads
        self._part = part

    async def write(self, data: bytes) -> None:
        """Write what belongs to it; raises `SegmentComplete` when that was all."""
        mine = data[: self.size - self.written]
        await self._threads.call(self._part.write_at, self.start + self.written, mine)
        self.written += len(mine)
        if len(mine) < len(data) or (self.written == self.size and not self.is_last):
            raise SegmentComplete

    def begin(self, _counter: ByteCounter, total: int | None) -> None:
        """Learn how many bytes the server says there are."""
        self.total = total

    def note(self, _text: str) -> None:
        """Nothing: a file that grows is not received in stretches."""


class SegmentedDownload:
    """One download in stretches; counts their bytes."""

    def __init__(
        self, line: SessionQueue | SessionPool, threads: ThreadRunner, name: str, path: Path
    ) -> None:
        self._lines = line
        self._threads = threads
        self._name = name
        self._path = path
        self._segments: list[Segment] = []

    @property
    def moved(self) -> int:
        """Bytes so far."""
        return sum(stretch.written for stretch in self._segments)

    async def run(self, count: int, meter: ProgressReporter, *, verify: bool) -> Digest | None:
        """Receive it over at most ``count`` connections; raises `Unsupported` if that is no use."""
        size = await self._lines.ask(lambda session: session.size(self._name), again=True)
        if size is None or size < 2 * MIN_SEGMENT_SIZE:
            raise Unsupported("the file is not known to be large enough for segments")
        part = await self._threads.call(PartFile.create, self._path, undo=PartFile.discard)
        try:
            self._segments = list(self._split(part, size, min(count, size // MIN_SEGMENT_SIZE)))
            meter.begin(self, size)
            await self._receive_all()
            digest = await self._verify(part) if verify else None
            await self._threads.call(part.commit)
        finally:
            self._threads.let_go(part.discard)
        return digest

    def _split(self, part: PartFile, size: int, count: int) -> Iterator[Segment]:
        for number in range(count):
            start, end = size * number // count, size * (number + 1) // count
            stretch = Segment(self._threads, part, start, end - start)
            stretch.is_last = end == size
            yield stretch

    async def _receive_all(self) -> None:
        own = self._lines
        count = len(self._segments)
        lines = SessionPool(own.reactor, own.settings, own.dial, count, own.directory)
        asked = (lines.ask(self._work(stretch), again=True) for stretch in self._segments)
        work = [Deferred.fromCoroutine(one) for one in asked]
        try:
            await gatherResults(work, consumeErrors=True)
        except FirstError as error:
            for one in work:
                one.cancel()
            error.subFailure.raiseException()
        finally:
            lines.abort()

    def _work(self, stretch: Segment) -> _SegmentAttempt:
        return _SegmentAttempt(self._name, stretch, sum(one.size for one in self._segments))

    async def _verify(self, part: PartFile) -> Digest:
        async def digest(algorithm: str) -> str:
            return await self._threads.call(part.digest, algorithm)

        async def compared(session: ClientSession) -> Digest:
            return await compare_digests(session, self._name, digest)

        return await self._lines.ask(compared, again=True)


class _SegmentAttempt:
    """Receives a stretch, or what is missing of it."""

    def __init__(self, name: str, stretch: Segment, total: int) -> None:
        self._name = name
        self._segment = stretch
        self._total = total

    async def __call__(self, session: ClientSession) -> None:
        stretch = self._segment
        try:
            at = stretch.start + stretch.written
            await session.retrieve(self._name, at, stretch, stretch)
        except OverlapMismatch as error:
            raise Unsupported(str(error)) from error
        except (SegmentComplete, VerificationFailed) as error:
            if stretch.is_last and stretch.total in (None, self._total):
                text = "the server takes no notice of where a transfer is to begin"
                raise Unsupported(text) from error
            if isinstance(error, VerificationFailed):
                raise
        if stretch.total not in (None, self._total) or stretch.written < stretch.size:
            raise VerificationFailed(f"{self._name}: the file changed while it was received")
