"""Uploads and downloads, with the transactions, movers, limits and events of FTP's transfers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.internet.defer import CancelledError

from ftpservice.commands.upload_resumption import record_interruption, refuse_missing
from ftpservice.data.file_transfer import rate_limited, send_file
from ftpservice.events import Outcome, UploadRefused
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import log, log_detail, refused_by, undisclosed_detail
from ftpservice.simple.error_answers import INTERNAL_ERROR, answer_for
from ftpservice.simple.line_stream import LineStream
from ftpservice.storage.batch_commit import commit_batch
from ftpservice.storage.errors import PathNotFound, StorageError
from ftpservice.storage.interfaces import (
    IReading,
    ISpliceTarget,
    IWriting,
    MaskedMode,
    WriteMode,
    WriteRequest,
)
from ftpservice.stream.connection import SMALL_FILE_SIZE, StreamConnection
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.pump import CHUNK_SIZE
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.simple import MalformedCommand, answer

__all__ = [
    "ReceivedUpload",
    "TransferRecord",
    "begin_upload",
    "discard_bytes",
    "publish_uploads",
    "receive_upload",
    "send_download",
]


class TransferRecord:
    """One transfer, from its `TransferStarted` to its `TransferEnded`.

    ``active`` is the registration of an upload, which ends with the transfer. ``announced`` is the
    size of an upload whose bytes are still to be received, or of a download.
    """

    is_committing = False

    def __init__(
        self,
        context: SessionContext,
        path: str,
        active: ActiveUpload | None = None,
        size: int = 0,
        announced: int = 0,
    ) -> None:
        self.upload = active is not None
        self.what = f"{'UPLD' if self.upload else 'DWLD'} {path}"
        self._context = context
        self._path = path
        self._active = active
        self._announced = announced
        self._user = context.account.name
        self._started = context.services.clock.seconds()
        self.size = size
        """Bytes so far."""
        context.running = self
        self._number = context.events.begin_transfer(
            self._user, path, self.upload, size or announced
        )

    @property
    def moved(self) -> int:
        """Bytes so far."""
        return self.size

    def committed(self, writing: IWriting, entry: Entry) -> None:
        """End an upload whose file has been published."""
        self._path = str(writing.path)
        self.ended(digest=self._context.upload_committed(self._user, writing, entry))

    async def interrupted(self, problem: BaseException) -> None:
        """End an upload that was abandoned; its client may resume it by FTP."""
        try:
            if self._active is not None:
                ended = {"is_short": self.size < self._announced, "is_final": False}
                storage = self._context.storage
                await record_interruption(self._context, storage, self._active.key, **ended)
        finally:
            self.ended(problem)

    def ended(self, problem: BaseException | None = None, digest: str = "") -> None:
        """End the transfer; let other sessions upload to the name."""
        context, active = self._context, self._active
        services = context.services
        outcome, detail = Outcome.COMPLETE, ""
        if problem is not None:
            is_abort = isinstance(problem, (TransferAborted, CancelledError))
            outcome = Outcome.ABORTED if is_abort else Outcome.REFUSED
            detail = log_detail(problem)
            context.published_error = problem
        if active is not None:
            services.uploads.leave(active)
        if context.running is self:
            context.running = None
        seconds = services.clock.seconds() - self._started
        facts = (self._path, self.upload, outcome, self.size, seconds, detail, digest)
        context.events.end_transfer(self._user, *facts, self._number)
        if problem is not None and self.upload and outcome is Outcome.REFUSED:
            self._publish_refused(problem)

    def _publish_refused(self, problem: BaseException) -> None:
        refusal = answer_for(problem) or INTERNAL_ERROR
        detail = undisclosed_detail(problem, refusal.text)
        facts = ("UPLD", self._path, refusal.code.value, refusal.text, detail)
        who = (self._number, refused_by(problem))
        self._context.events.publish(UploadRefused, *facts, *who, user=self._user)


class DownloadRecord(TransferRecord):
    """A download, whose progress is that of the connection."""

    def __init__(
        self, context: SessionContext, connection: StreamConnection, path: str, total: int
    ) -> None:
        self._connection, self._before = connection, connection.moved
        super().__init__(context, path, announced=total)

    @property
    def moved(self) -> int:
        """Bytes so far."""
        return self._connection.moved - self._before


async def begin_upload(
    context: SessionContext, path: VirtualPath, size: int, connection: StreamConnection
) -> tuple[IWriting, ActiveUpload]:
    """Begin the transaction of an upload of ``size`` bytes.

    Raises `StorageError`; `BeingUploaded` if another session is uploading to the name.
    """
    services, peer, key = context.services, context.peer, context.upload_key(path)
    active = ActiveUpload(key, peer.host, context.is_live, services.clock.seconds())
    active.connection = connection
    if services.uploads.is_shared or key in services.uploads.active:
        await services.uploads.claim(active, services.clock.seconds)
    else:
        services.uploads.active[key] = active
    mode = MaskedMode.of(0o666, context.parameters.umask)
    try:
        request = WriteRequest(WriteMode.REPLACE, 0, size, mode)
        writing = await context.storage.open_writing(path, request)
    except BaseException:
        services.uploads.leave(active)
        raise
    services.resume_offers.withdraw(key)
    return services.digests.hashing_writer_for(writing, WriteMode.REPLACE), active


@dataclass(slots=True)
class ReceivedUpload:
    """An upload whose bytes have all been received."""

    path: str
    text: str
    """The text of its answer."""
    data: bytes
    writing: IWriting
    transfer: TransferRecord
    problem: Exception | None = None
    """The error that ended it, if any."""


async def publish_uploads(uploads: Sequence[ReceivedUpload]) -> None:
    """Write and commit uploads in their order; ends their transactions in any case."""
    written = []
    for upload in uploads:
        try:
            await upload.writing.write(upload.data)
        except Exception as problem:  # noqa: BLE001 - the upload keeps it
            await _abandon(upload, problem)
        else:
            written.append(upload)
    outcomes: Sequence[Entry | Exception]
    try:
        outcomes = await commit_batch([upload.writing for upload in written])
    except Exception as problem:  # noqa: BLE001 - each upload keeps it
        outcomes = [problem] * len(written)
    for upload, outcome in zip(written, outcomes, strict=True):
        if isinstance(outcome, Entry):
            upload.transfer.committed(upload.writing, outcome)
        else:
            await _abandon(upload, outcome)


async def _abandon(upload: ReceivedUpload, problem: Exception) -> None:
    upload.problem = problem
    try:
        await upload.writing.abandon()  # before the event, which has the number of bytes
    except Exception:  # noqa: BLE001 - the client gets the first problem
        log.failure("abandoning the upload of {path} failed", path=upload.path)
    await upload.transfer.interrupted(problem)


async def receive_upload(
    context: SessionContext, stream: LineStream, writing: IWriting, size: int, active: ActiveUpload
) -> None:
    """Receive and publish an upload of ``size`` bytes; ends its transaction in any case.

    Raises `StorageError` after the remaining bytes are discarded, `TransferAborted`,
    `TransferStalled`.
    """
    transfer = TransferRecord(context, str(writing.path), active, announced=size)
    try:
        try:
            await _receive(context, stream, writing, size, transfer)
        except StorageError:
            await discard_bytes(stream, size - transfer.size)
            raise
        entry = await writing.commit()
    except BaseException as problem:
        try:
            await writing.abandon()  # before the event, which has the number of bytes
        finally:
            await transfer.interrupted(problem)
        raise
    transfer.committed(writing, entry)


async def _receive(
    context: SessionContext,
    stream: LineStream,
    writing: IWriting,
    size: int,
    transfer: TransferRecord,
) -> None:
    """Write what arrives: the first bytes by reading, the rest of a large file by splice(2)."""
    limiters, connection = context.rate_limiters(upload=True), stream.connection
    by_kernel = size > SMALL_FILE_SIZE and limiters is None and connection.has_plaintext_socket
    target = ISpliceTarget(writing, None) if by_kernel else None
    while transfer.size < size:
        if target is not None and transfer.size >= SMALL_FILE_SIZE and stream.take_buffered():
            await stream.flush()
            before = connection.moved
            try:
                moved = await connection.receive_file(target.with_descriptor, size - transfer.size)
            finally:
                transfer.size += connection.moved - before
            if moved == 0:
                raise TransferAborted("the connection ended before the upload did")
            continue
        data = await stream.read(min(size - transfer.size, CHUNK_SIZE))
        if limiters is not None:
            await limiters.take(len(data))
        transfer.size += len(data)
        await writing.write(data)


async def discard_bytes(stream: LineStream, size: int) -> None:
    """Receive and discard bytes; raises `TransferAborted`, `TransferStalled`."""
    while size > 0:
        size -= len(await stream.read(min(size, CHUNK_SIZE)))


async def send_download(
    context: SessionContext, stream: LineStream, path: VirtualPath, offset: int
) -> None:
    """Answer with a file from ``offset`` to its end.

    Raises `StorageError` or `MalformedCommand` before the answer. A failure after it aborts the
    connection, so that an incomplete download never looks complete.
    """
    try:
        reading = await context.storage.open_reading(path)
    except PathNotFound as error:
        await refuse_missing(context, path, error)
    try:
        size = reading.entry.size
        if offset > size:
            raise MalformedCommand(f"the file ends at {size}")
        transfer = DownloadRecord(context, stream.connection, str(path), size - offset)
        try:
            await _send(context, stream, reading, offset)
        except BaseException as problem:
            transfer.size = transfer.moved
            stream.connection.abort()
            transfer.ended(problem)
            raise
        transfer.size = size - offset
        transfer.ended()
    finally:
        reading.close()


async def _send(
    context: SessionContext, stream: LineStream, reading: IReading, offset: int
) -> None:
    end = reading.entry.size  # the file may have grown since
    size = end - offset
    limiters = context.rate_limiters(upload=False)
    heading = answer(str(size))
    if size > SMALL_FILE_SIZE or limiters is not None:
        await stream.send(heading)
        await stream.flush()
        await send_file(reading, rate_limited(stream.connection, limiters), offset, end)
        return
    data: bytes = b""
    while len(data) < size:
        more: bytes = await reading.read(offset + len(data), size - len(data))
        if not more:
            raise TransferAborted("the file became shorter while it was sent")
        data = data + more if data else more
    await stream.send(heading + data)
