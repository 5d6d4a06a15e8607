"""Downloads one large file over several connections, each of which receives a segment of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from twisted.internet.defer import Deferred, FirstError, gatherResults

from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice_client.arguments import checked_argument
from ftpservice_client.errors import (
    AuthenticationFailed,
    ServerBusy,
    Unsupported,
    VerificationFailed,
)
from ftpservice_client.interfaces import ByteCounter, ClientSession, DownloadTarget, OverlapMismatch
from ftpservice_client.local.files import PartFile
from ftpservice_client.local.targets import PathTarget
from ftpservice_client.results import Digest, ProgressCallback, TransferResult
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.transfers.download import ResumableDownload
from ftpservice_client.transfers.progress import ProgressReporter
from ftpservice_client.transfers.verify import compare_digests

__all__ = ["SegmentedDownload"]

MIN_SEGMENT_BYTES = 1024 * 1024
"""Bytes for which another connection is worthwhile."""


class SegmentComplete(Exception):
    """All bytes of a segment were received; those that follow are not needed."""


class Segment(DownloadTarget):
    """The bytes from ``start`` to ``start + size`` of a file."""

    def __init__(self, pool: BlockingRunner, part: PartFile, start: int, size: int) -> None:
        self.start = start
        self.size = size
        self.is_last = False
        """Whether the file ends with it; then any further byte is an error."""
        self.total: int | None = None
        """The size of the file according to the server."""
        self._pool = pool
        self._part = part

    async def write(self, data: bytes) -> None:
        """Write the bytes of the segment; raises `SegmentComplete` after the last one."""
        mine = data[: self.size - self.written]
        await self._pool.run(self._part.write_at, self.start + self.written, mine)
        self.written += len(mine)
        if len(mine) < len(data) or (self.written == self.size and not self.is_last):
            raise SegmentComplete

    def begin(self, _counter: ByteCounter, total: int | None) -> None:
        """Record the size of the file."""
        self.total = total

    def note(self, _text: str) -> None:
        """Do nothing: a file that grows is not downloaded in segments."""


class SegmentedDownload:
    """Downloads one file to a path over up to ``count`` connections; counts the bytes."""

    def __init__(
        self,
        sessions: SessionQueue | SessionPool,
        name: str,
        path: Path,
        *,
        verify: bool = False,
        progress: ProgressCallback | None = None,
    ) -> None:
        self._sessions = sessions
        self._pool = sessions.pool
        self._name = name
        self._path = path
        self._verify = verify or sessions.settings.verify
        self._progress = progress
        self._segments: list[Segment] = []

    @property
    def moved(self) -> int:
        """Bytes so far."""
        return sum(segment.written for segment in self._segments)

    async def run(self, count: int) -> TransferResult:
        """Download the file, over one connection if the server allows no more."""
        clock = self._sessions.reactor
        began = clock.seconds()
        checked_argument(self._name)
        reporter = self._progress and ProgressReporter(clock, self._progress)
        try:
            digest = await self._receive(count, reporter)
            if reporter is not None:
                reporter.done(self.moved)
        except (Unsupported, ServerBusy, AuthenticationFailed):  # perhaps too many connections
            digest = None
            self._segments.clear()
        finally:
            if reporter is not None:
                reporter.stop()
        if not self._segments:
            target = PathTarget(self._pool, self._path)
            return await ResumableDownload(
                self._sessions, self._name, target, verify=self._verify, progress=self._progress
            ).run()
        return TransferResult(self._name, self.moved, clock.seconds() - began, digest)

    async def _receive(self, count: int, reporter: ProgressReporter | None) -> Digest | None:
        """Receive all segments; raises `Unsupported` if the file is too small for segments."""
        size = await self._sessions.run(lambda session: session.size(self._name), repeatable=True)
        if size is None or size < 2 * MIN_SEGMENT_BYTES:
            raise Unsupported("the file is not known to be large enough for segments")
        part = await self._pool.run(PartFile.create, self._path, dispose=PartFile.discard)
        try:
            self._segments = list(self._split(part, size, min(count, size // MIN_SEGMENT_BYTES)))
            if reporter is not None:
                reporter.begin(self, size)
            await self._receive_all()
            digest = await self._verified(part) if self._verify else None
            await self._pool.run(part.commit)
        finally:
            run_unattended(self._pool, part.discard)
        return digest

    def _split(self, part: PartFile, size: int, count: int) -> Iterator[Segment]:
        for number in range(count):
            start, end = size * number // count, size * (number + 1) // count
            segment = Segment(self._pool, part, start, end - start)
            segment.is_last = end == size
            yield segment

    async def _receive_all(self) -> None:
        own = self._sessions
        count = len(self._segments)
        sessions = SessionPool(own.reactor, own.settings, own.session_factory, count, own.directory)
        runs = (sessions.run(self._work(one), repeatable=True) for one in self._segments)
        work = [Deferred.fromCoroutine(run) for run in runs]
        try:
            await gatherResults(work, consumeErrors=True)
        except FirstError as error:
            for one in work:
                one.cancel()
            error.subFailure.raiseException()
        finally:
            sessions.abort()

    def _work(self, segment: Segment) -> _SegmentAttempt:
        return _SegmentAttempt(self._name, segment, sum(one.size for one in self._segments))

    async def _verified(self, part: PartFile) -> Digest:
        async def digest(algorithm: str) -> str:
            return await self._pool.run(part.digest, algorithm)

        async def compared(session: ClientSession) -> Digest:
            return await compare_digests(session, self._name, digest)

        return await self._sessions.run(compared, repeatable=True)


class _SegmentAttempt:
    """Receives a segment, or the rest of it."""

    def __init__(self, name: str, segment: Segment, total: int) -> None:
        self._name = name
        self._segment = segment
        self._total = total

    async def __call__(self, session: ClientSession) -> None:
        segment = self._segment
        try:
            offset = segment.start + segment.written
            await session.retrieve(self._name, offset, segment, segment)
        except OverlapMismatch as error:
            raise Unsupported(str(error)) from error
        except (SegmentComplete, VerificationFailed) as error:
            if segment.is_last and segment.total in (None, self._total):
                raise Unsupported("the server ignores the restart offset") from error
            if isinstance(error, VerificationFailed):
                raise
        if segment.total not in (None, self._total) or segment.written < segment.size:
            raise VerificationFailed(f"{self._name}: the file changed during the download")
