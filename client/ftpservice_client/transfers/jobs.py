"""Uploads and downloads from their beginning to their end, over as many sessions as it takes."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.defer import Deferred

from ftpservice_client.arguments import checked_argument
from ftpservice_client.errors import (
    AuthenticationFailed,
    ClientError,
    ServerBusy,
    ServerRefused,
    Unsupported,
)
from ftpservice_client.local.sources import Readable, source_for
from ftpservice_client.local.targets import Writable, target_for
from ftpservice_client.local.threads import ThreadRunner
from ftpservice_client.results import ProgressCallback, TransferResult
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.transfers.download import ResumableDownload
from ftpservice_client.transfers.progress import ProgressReporter
from ftpservice_client.transfers.remote_directories import require_parent
from ftpservice_client.transfers.segments import SegmentedDownload
from ftpservice_client.transfers.upload import ResumableUpload

__all__ = ["FileTransfers", "TransferOptions"]


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """How a file is to be moved."""

    append: bool = False
    resume: bool = False
    verify: bool = False
    progress: ProgressCallback | None = None
    offset: int = 0
    segments: int = 1
    keep_time: bool = False


class FileTransfers:
    """Moves files over one line."""

    def __init__(self, line: SessionQueue | SessionPool) -> None:
        self._line = line
        self._threads = ThreadRunner(line.reactor)

    def upload(
        self, source: Readable, name: str, wishes: TransferOptions
    ) -> Deferred[TransferResult]:
        """Send a file."""
        return Deferred.fromCoroutine(self._upload(source, name, wishes))

    async def _upload(
        self, readable: Readable, name: str, wishes: TransferOptions
    ) -> TransferResult:
        line, clock = self._line, self._line.reactor
        began = clock.seconds()
        verify = wishes.verify or line.settings.verify
        if verify and wishes.append:
            raise Unsupported("what is appended has no digest of its own")
        source = source_for(self._threads, readable)
        modified = await self._modification_time_of(readable) if wishes.keep_time else None
        with ProgressReporter(clock, wishes.progress) as meter:
            upload = ResumableUpload(
                source, checked_argument(name), wishes, meter, line.settings.retries > 0
            )
            try:
                await source.open()
                work = upload.attempt_and_verify if verify else upload.attempt
                digest = await line.ask(work, again=source.is_restartable)
            except ServerRefused as error:
                await require_parent(line, name, error)
                raise
            finally:
                source.close()
            size = upload.moved if source.size is None else source.size - upload.offset
            meter.done(upload.offset + size)
        kept = modified is not None and await self._keep_time(name, modified)
        return TransferResult(name, size, clock.seconds() - began, digest, has_kept_time=kept)

    async def _modification_time_of(self, readable: Readable) -> float | None:
        """Return when a file here was changed; what is none has no such time."""
        if not isinstance(readable, (str, os.PathLike)):
            return None
        with suppress(OSError):
            return (await self._threads.call(os.stat, readable)).st_mtime
        return None

    async def _keep_time(self, name: str, seconds: float) -> bool:
        """Give the file on the server the time of that here; tell whether that was done."""
        with suppress(ClientError):  # it is there, and whole
            return await self._line.ask(lambda session: session.set_modified(name, seconds))
        return False

    def download(
        self, name: str, to: Writable, wishes: TransferOptions
    ) -> Deferred[TransferResult]:
        """Download a file."""
        if wishes.segments > 1 and isinstance(to, Path):
            return Deferred.fromCoroutine(self._download(name, to, wishes))
        return Deferred.fromCoroutine(self._download_whole(name, to, wishes))

    async def _download_in_segments(
        self, name: str, to: Path, wishes: TransferOptions
    ) -> TransferResult | None:
        """Receive a large file over several connections; None if the server does not allow it."""
        clock = self._line.reactor
        began = clock.seconds()
        verify = wishes.verify or self._line.settings.verify
        segmented = SegmentedDownload(self._line, self._threads, checked_argument(name), to)
        with ProgressReporter(clock, wishes.progress) as meter:
            try:
                digest = await segmented.run(wishes.segments, meter, verify=verify)
            except (
                Unsupported,
                ServerBusy,
                AuthenticationFailed,
            ):  # so many connections may be too many
                return None
            meter.done(segmented.moved)
        return TransferResult(name, segmented.moved, clock.seconds() - began, digest)

    async def _download(self, name: str, to: Path, wishes: TransferOptions) -> TransferResult:
        transfer = await self._download_in_segments(name, to, wishes)
        return transfer or await self._download_whole(name, to, wishes)

    async def _download_whole(
        self, name: str, to: Writable, wishes: TransferOptions
    ) -> TransferResult:
        line, clock = self._line, self._line.reactor
        began = clock.seconds()
        verify = wishes.verify or line.settings.verify
        if verify and wishes.offset:
            raise Unsupported("a part of a file has no digest to be compared")
        limit = line.settings.memory_limit
        target = target_for(self._threads, to, resume=wishes.resume, limit=limit)
        with ProgressReporter(clock, wishes.progress) as meter:
            persistent = line.settings.retries > 0
            download = ResumableDownload(
                target, checked_argument(name), wishes, meter, persistent=persistent
            )
            try:
                await target.open()
                download.first = target.written
                work = download.attempt_and_verify if verify else download.attempt
                digest = await line.ask(work, again=True)
                data = await target.commit()
            finally:
                target.abandon()
            meter.done(wishes.offset + target.written)
        seconds = clock.seconds() - began
        return TransferResult(name, download.moved, seconds, digest, data, download.remark)
