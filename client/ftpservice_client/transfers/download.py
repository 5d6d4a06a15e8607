"""The download of one file, which resumes after an interruption."""

from __future__ import annotations

from ftpservice_client.errors import (
    InvalidArgument,
    ServerRefused,
    Unsupported,
    VerificationFailed,
)
from ftpservice_client.interfaces import ByteCounter, ClientSession, DownloadTarget, OverlapMismatch
from ftpservice_client.results import Digest, ProgressCallback, TransferResult
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.transfers.overlap_check import OverlapCheck
from ftpservice_client.transfers.progress import ProgressReporter
from ftpservice_client.transfers.verify import compare_digests

__all__ = ["ResumableDownload"]

CLOCK_SKEW_SECONDS = 60.0
"""Seconds by which the clocks of server and client may differ."""


class ResumableDownload:
    """Downloads one file to a target; ``run`` may be called once.

    After an interruption it continues at the number of bytes that the target has. ``modified`` is
    the modification time of the server's file, if it is known.
    """

    def __init__(  # noqa: PLR0913 - options are keywords
        self,
        sessions: SessionQueue | SessionPool,
        name: str,
        target: DownloadTarget,
        *,
        offset: int = 0,
        verify: bool = False,
        modified: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        self._sessions = sessions
        self._name = name
        self._target = target
        self._offset = offset
        self._verify = verify or sessions.settings.verify
        self._reporter = progress and ProgressReporter(sessions.reactor, progress)
        self._resumed_size = 0
        """Bytes that an earlier download left."""
        self._note = ""
        self._size: int | None = None
        self._modified = modified
        self._attempts = 0

    async def run(self) -> TransferResult:
        """Download the file; raises what `Client.download` does."""
        sessions, target, reporter = self._sessions, self._target, self._reporter
        began = sessions.reactor.seconds()
        if not self._name:
            raise InvalidArgument("a name is missing")
        if self._verify and self._offset:
            raise Unsupported("a part of a file cannot be verified: it has no digest")
        try:
            await target.open()
            self._resumed_size = target.written
            work = self._attempt_and_verify if self._verify else self._attempt
            digest = await sessions.run(work, repeatable=True)
            data = await target.commit()
            if reporter is not None:
                reporter.done(self._offset + target.written)
        finally:
            target.abandon()
            if reporter is not None:
                reporter.stop()
        moved = target.written - self._resumed_size
        seconds = sessions.reactor.seconds() - began
        return TransferResult(self._name, moved, seconds, digest, data, self._note)

    async def _attempt_and_verify(self, session: ClientSession) -> Digest:
        await self._attempt(session)
        return await compare_digests(session, self._name, self._target.digest)

    async def _attempt(self, session: ClientSession) -> None:
        """Receive the file, or the rest of it."""
        target = self._target
        # 1. Is it still the same file?
        if target.written or self._attempts or self._sessions.settings.retries:
            await self._require_unchanged(session)
        self._attempts += 1
        # 2. Receive it. A resumed download compares the last bytes that it has first.
        offset = self._offset + target.written
        if not target.written:
            try:
                if self._reporter is not None:
                    self._reporter.base = offset
                await session.retrieve(self._name, offset, target, self)
            except OverlapMismatch:
                if target.written and not target.is_restartable:
                    raise  # wrong bytes were passed on
                await self._receive_from_start(session, b"")
        elif offset != self._size or self._resumed_size:
            await self._receive_rest(session, offset)
        # 3. Does what an earlier download left belong to this file?
        if self._resumed_size and target.is_restartable:
            await self._verify_resumed_part(session)

    async def _receive_rest(self, session: ClientSession, offset: int) -> None:
        before = self._target.written
        tail = await self._target.tail()
        try:
            await self._receive(session, offset - len(tail), tail, 0)
        except Unsupported:
            await self._receive_from_start(session, tail)
        except OverlapMismatch:
            if self._target.written != before and not self._target.is_restartable:
                raise  # wrong bytes were passed on
            await self._receive_from_start(session, tail)

    async def _verify_resumed_part(self, session: ClientSession) -> None:
        """Download the file again if its digest differs.

        Without digests on the server, equal sizes, times and last bytes have to suffice.
        """
        try:
            await compare_digests(session, self._name, self._target.digest)
        except (Unsupported, ServerRefused):
            return
        except VerificationFailed:
            await self._restart()
            await self._receive(session, 0, b"", 0)

    async def _receive_from_start(self, session: ClientSession, tail: bytes) -> None:
        """Receive the file from its beginning.

        Bytes that were passed on, and cannot be taken back, are skipped when they arrive again.
        """
        if self._target.is_restartable:
            await self._restart()
            tail = b""
        skip = self._offset + self._target.written - len(tail)
        await self._receive(session, 0, tail, skip)

    async def _receive(self, session: ClientSession, offset: int, tail: bytes, skip: int) -> None:
        if self._reporter is not None:
            self._reporter.base = offset
        if not tail and not skip:
            await session.retrieve(self._name, offset, self._target, self)
            return
        target = OverlapCheck(self._target, tail, skip)
        await session.retrieve(self._name, offset, target, self)
        if target.needs_more:
            raise VerificationFailed(f"{self._name}: the server has fewer bytes than were received")

    def begin(self, counter: ByteCounter, total: int | None) -> None:
        """Record the size of the file, and report progress from here on."""
        self._size = total if total is not None else self._size
        if self._reporter is not None:
            self._reporter.begin(counter, total)

    def note(self, text: str) -> None:
        """Keep a remark for `TransferResult.note`."""
        self._note = text

    async def _require_unchanged(self, session: ClientSession) -> None:
        """Restart if the file on the server has changed since the first attempt."""
        if not self._target.written and not self._attempts:
            if self._modified is None:
                self._modified = await session.modified(self._name)
            return
        size = await session.size(self._name)
        modified = await session.modified(self._name)
        since = None if self._attempts else self._target.modified
        newer = modified is not None and since is not None and modified > since + CLOCK_SKEW_SECONDS
        changed = self._modified not in (None, modified)
        grown = self._size not in (None, size)
        longer = size is not None and self._offset + self._target.written > size
        self._size, self._modified = size, modified
        if newer or changed or grown or longer:
            await self._restart()

    async def _restart(self) -> None:
        try:
            await self._target.restart()
        except Unsupported as error:
            raise VerificationFailed(
                f"{self._name}: the file changed during the download"
            ) from error
        self._resumed_size = 0
