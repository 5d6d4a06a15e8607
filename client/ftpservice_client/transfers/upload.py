"""The upload of one file, which resumes after an interruption.

What the server has under the name may be the bytes that were sent so far or the former file: some
servers replace the file only when the upload is complete. The upload continues only after bytes
that are certainly its own; otherwise it starts again.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeGuard

from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice.wire import codes
from ftpservice_client.arguments import checked_argument
from ftpservice_client.errors import (
    ClientError,
    NetworkError,
    ServerBusy,
    ServerRefused,
    Unsupported,
    VerificationFailed,
)
from ftpservice_client.interfaces import (
    ByteCounter,
    ClientSession,
    OverlapMismatch,
    UploadPosition,
    UploadSource,
)
from ftpservice_client.local.sources import Readable, source_for
from ftpservice_client.results import Digest, ProgressCallback, TransferResult
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.transfers.overlap_check import is_beginning_of
from ftpservice_client.transfers.progress import ProgressReporter
from ftpservice_client.transfers.remote_directories import require_parent
from ftpservice_client.transfers.verify import compare_digests, has_equal_digest

__all__ = ["ResumableUpload"]


class ResumableUpload:
    """Uploads one file; ``run`` may be called once.

    With ``restarts_small`` an interrupted upload of a small file starts again, which saves SIZE
    before every upload. ``finish`` is called with the session after the upload, before any other
    call uses the session; its failure is not one of the upload.
    """

    def __init__(  # noqa: PLR0913 - options are keywords
        self,
        sessions: SessionQueue | SessionPool,
        readable: Readable,
        name: str,
        *,
        append: bool = False,
        resume: bool = False,
        verify: bool = False,
        keep_time: bool = False,
        restarts_small: bool = False,
        finish: Callable[[ClientSession], Awaitable[object]] | None = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        self._sessions = sessions
        self._readable = readable
        self._source: UploadSource
        self._name = name
        self._append = append
        self._resume = resume
        self._verify = verify or sessions.settings.verify
        self._keep_time = keep_time
        self._restarts = restarts_small
        self._finish = finish
        self._has_kept_time = False
        self._reporter = progress and ProgressReporter(sessions.reactor, progress)
        self._offset = 0
        """Bytes on the server before the first attempt, if the upload resumes an earlier one."""
        self._former: int | None = None
        """The size of the file before the first attempt; None also if it was not asked for."""
        self._modified: float | None = None
        """The modification time of a former file of the same size."""
        self._counters: list[tuple[ByteCounter, int]] = []
        self._attempts = 0

    async def run(self) -> TransferResult:
        """Upload the file; raises what `Client.upload` does."""
        sessions, reporter = self._sessions, self._reporter
        began = sessions.reactor.seconds()
        if self._verify and self._append:
            raise Unsupported("appended bytes cannot be verified: they have no digest of their own")
        self._source = source = source_for(sessions.pool, self._readable)
        if self._keep_time and (modified := await self._local_time()) is not None:
            self._finish = partial(self._set_time, modified)
        checked_argument(self._name)
        try:
            await source.open()
            self._restarts = self._restarts and _is_small(source)
            digest = await sessions.run(self._attempt_to_the_end, repeatable=source.is_restartable)
            size = self._sent if source.size is None else source.size - self._offset
            if reporter is not None:
                reporter.done(self._offset + size)
        except ServerRefused as error:
            await require_parent(sessions, self._name, error)
            raise
        finally:
            source.close()
            if reporter is not None:
                reporter.stop()
        seconds = sessions.reactor.seconds() - began
        kept = self._has_kept_time
        return TransferResult(self._name, size, seconds, digest, has_kept_time=kept)

    async def _local_time(self) -> float | None:
        """Return the modification time of the local file, if the source is a path."""
        if not isinstance(self._readable, (str, os.PathLike)):
            return None
        with suppress(OSError):
            return (await self._sessions.pool.run(os.stat, self._readable)).st_mtime
        return None

    async def _set_time(self, modified: float, session: ClientSession) -> None:
        self._has_kept_time = await session.set_modified(self._name, modified)

    @property
    def _sent(self) -> int:
        """The number of bytes that were sent, including those that were sent twice."""
        return sum(counter.moved - zero for counter, zero in self._counters)

    def begin(self, counter: ByteCounter, total: int | None) -> None:
        """Count the bytes that are sent from here on."""
        self._counters.append((counter, counter.moved))
        if self._reporter is not None:
            self._reporter.begin(counter, total)

    def note(self, _text: str) -> None:
        """Do nothing: there are no remarks on uploads."""

    async def _attempt_to_the_end(self, session: ClientSession) -> Digest | None:
        await self._attempt(session)
        digest = None
        if self._verify:
            digest = await compare_digests(session, self._name, self._source.digest)
        if self._finish is not None:
            with suppress(ClientError):  # the upload itself is complete
                await self._finish(session)
        return digest

    async def _attempt(self, session: ClientSession) -> None:
        """Send the file, or the rest of it."""
        if self._attempts:
            position = await self._next_position(session)
        else:
            position = await self._first_position(session)
        self._attempts += 1
        complete = position.offset and position.offset == self._source.size
        if complete and await self._is_stored(session, position):
            return
        try:
            await self._send(session, position)
        except (ServerRefused, Unsupported, OverlapMismatch) as error:
            if self._attempts > 1 and _is_busy(error):  # with the interrupted upload, perhaps
                raise ServerBusy(str(error), error.reply) from error
            if position.append or not position.offset:
                raise
            self._offset = 0
            await self._send(session, UploadPosition())

    async def _send(self, session: ClientSession, position: UploadPosition) -> None:
        if self._reporter is not None:
            self._reporter.base = position.offset
        await session.store(self._name, self._source, position, self)

    async def _is_stored(self, session: ClientSession, position: UploadPosition) -> bool:
        """Return whether the server has the complete file, although its reply did not arrive.

        Where SIZE counts the bytes of a partial upload, MLST reports the size of the file itself.
        """
        if "MLST" not in await session.features():
            return True
        try:
            entry = await session.stat(self._name)
        except (ServerRefused, Unsupported):
            return False
        return entry.size == position.offset + (position.former or 0 if position.append else 0)

    async def _first_position(self, session: ClientSession) -> UploadPosition:
        repeats = self._sessions.settings.retries and not self._restarts
        if not (self._append or self._resume or repeats):
            return UploadPosition()
        self._former = await session.size(self._name)
        if self._append:
            return UploadPosition(append=True, former=self._former)
        if self._resume:
            offset = self._checked_offset(self._former or 0)
            if offset and not await is_beginning_of(self._source, session, self._name, offset):
                return UploadPosition()
            self._offset = offset
            return UploadPosition(offset)
        if self._former is not None and self._former == self._source.size:
            self._modified = await session.modified(self._name)
        return UploadPosition()

    async def _next_position(self, session: ClientSession) -> UploadPosition:
        """Return where to continue after an interruption."""
        size = await session.size(self._name)
        if self._append:
            if size is None or self._former is None or size < self._former:
                raise NetworkError("it is not known how many of the appended bytes have arrived")
            return UploadPosition(
                self._checked_offset(size - self._former), append=True, former=self._former
            )
        if size is None or not await self._is_ours(session, size):
            return UploadPosition(self._offset) if self._resume else UploadPosition()
        return UploadPosition(self._checked_offset(size))

    async def _is_ours(self, session: ClientSession, size: int) -> bool:
        """Return whether the ``size`` bytes on the server are those that were sent."""
        if self._resume:
            return self._offset <= size <= self._offset + self._sent
        if size > self._sent:
            return False
        if self._restarts:
            return size == self._source.size and await has_equal_digest(
                session, self._name, self._source.digest
            )
        if size != self._former:
            return True
        modified = await session.modified(self._name) if self._modified is not None else None
        return size == self._source.size and modified not in (None, self._modified)

    def _checked_offset(self, size: int) -> int:
        if self._source.size is not None and size > self._source.size:
            raise VerificationFailed(
                f"{self._name}: the server's file has more bytes than the local one"
            )
        if size and not self._source.is_restartable:
            raise Unsupported("a source that is not seekable cannot be resumed")
        return size


def _is_small(source: UploadSource) -> bool:
    size = source.size
    return source.is_restartable and size is not None and size <= SMALL_FILE_SIZE


def _is_busy(error: Exception) -> TypeGuard[ServerRefused]:
    """Return whether the server's file is in use (450)."""
    reply = error.reply if isinstance(error, ServerRefused) else None
    return reply is not None and reply.code == codes.FILE_BUSY
