"""Files up and down: the transactions, movers, limits and events that FTP's transfers have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.internet.defer import CancelledError

from ftpservice.commands.upload_resumption import refuse_missing
from ftpservice.data.file_transfer import rate_limited, send_file
from ftpservice.events import Outcome, TransferEnded, TransferStarted
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import log, log_detail
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
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.errors import TransferAborted
from ftpservice.stream.pump import CHUNK_SIZE
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.simple import MalformedCommand, answer

__all__ = [
    "SMALL_FILE_SIZE",
    "ReceivedUpload",
    "TransferRecord",
    "begin_upload",
    "discard_bytes",
    "publish_uploads",
    "receive_upload",
    "send_download",
]

SMALL_FILE_SIZE = 64 * 1024
"""Bytes of a file that leave together with its answer."""


class TransferRecord:
    """One transfer, from the event of its start to that of its end."""

    def __init__(
        self,
        context: SessionContext,
        path: VirtualPath,
        upload: bool,
        living: ActiveUpload | None = None,
        announced: int = 0,
    ) -> None:
        self._context = context
        self._announced = announced
        self._living = living
        self._about = (str(path), upload)
        self._user = context.account.name
        self._began = context.services.seconds()
        self.size = 0
        """Bytes so far."""
        self.digest = ""
        self._publish(TransferStarted)

    def _publish(self, kind: type[TransferStarted | TransferEnded], *details: object) -> None:
        self._context.publish(kind, *self._about, *details, user=self._user)

    def published(self, writing: IWriting, entry: Entry) -> None:
        """Learn the digest of an upload, and tell that all went well."""
        self.digest = self._context.upload_committed(self._user, writing, entry)
        self.ended()

    def ended(self, problem: BaseException | None = None) -> None:
        """Tell how it ended."""
        self._end_living(problem)
        outcome = Outcome.COMPLETE
        if problem is not None:
            cut = isinstance(problem, (TransferAborted, CancelledError))
            outcome = Outcome.CUT if cut else Outcome.REFUSED
            self._context.told = problem
        seconds = self._context.services.seconds() - self._began
        detail = log_detail(problem) if problem is not None else ""
        self._publish(TransferEnded, outcome, self.size, seconds, detail, self.digest)

    def _end_living(self, problem: BaseException | None) -> None:
        """Let other sessions upload to the name, its transaction being over."""
        living, context = self._living, self._context
        services = context.services
        if living is not None:
            if problem is not None:
                short = self.size < self._announced
                services.resume_offers.make(
                    living.key, context.peer, context.is_live, is_short=short
                )
            services.uploads.leave(living)


async def _entered(
    context: SessionContext, path: VirtualPath, connection: StreamConnection
) -> ActiveUpload:
    """Claim a name for an upload of this session; raises `BeingUploaded`."""
    services, peer, key = context.services, context.peer, context.upload_key(path)
    if key in services.uploads.active:
        await services.uploads.abort_dead_upload(key, peer.host, services.clock.seconds)
    living = ActiveUpload(key, peer.host, context.is_live, services.clock.seconds())
    living.connection = connection
    services.uploads.active[key] = living
    return living


async def begin_upload(
    context: SessionContext, path: VirtualPath, size: int, connection: StreamConnection
) -> tuple[IWriting, ActiveUpload]:
    """Begin the transaction of an upload of ``size`` bytes; raises `StorageError`."""
    services = context.services
    living = await _entered(context, path, connection)
    mode = MaskedMode.of(0o666, context.parameters.umask)
    try:
        writing = await context.storage.open_writing(
            path, WriteRequest(WriteMode.REPLACE, 0, size, mode)
        )
    except BaseException:
        services.uploads.leave(living)
        raise
    services.resume_offers.withdraw(living.key)
    return services.digests.hashing_writer_for(writing, WriteMode.REPLACE), living


@dataclass(slots=True)
class ReceivedUpload:
    """An upload whose bytes are all here."""

    path: str
    text: str
    """What it is answered."""
    data: bytes
    writing: IWriting
    move: TransferRecord
    problem: Exception | None = None
    """What went wrong, if anything did."""


async def publish_uploads(uploads: Sequence[ReceivedUpload]) -> None:
    """Publish uploads in their order; their transactions are over then, however they end."""
    written = [upload for upload in uploads if await _is_written(upload)]
    outcomes: Sequence[Entry | Exception]
    try:
        outcomes = await commit_batch([upload.writing for upload in written])
    except Exception as problem:  # noqa: BLE001 - each is told of it
        outcomes = [problem] * len(written)
    for upload, outcome in zip(written, outcomes, strict=True):
        if isinstance(outcome, Entry):
            upload.move.published(upload.writing, outcome)
        else:
            await _give_up(upload, outcome)


async def _is_written(upload: ReceivedUpload) -> bool:
    try:
        await upload.writing.write(upload.data)
    except Exception as problem:  # noqa: BLE001 - it is told of it
        await _give_up(upload, problem)
        return False
    return True


async def _give_up(upload: ReceivedUpload, problem: Exception) -> None:
    upload.problem = problem
    try:
        await upload.writing.abandon()  # before the event, which tells how much arrived
    except Exception:  # noqa: BLE001 - the client is told of the problem before
        log.failure("giving up the upload of {path} failed", path=upload.path)
    upload.move.ended(problem)


async def receive_upload(
    context: SessionContext, stream: LineStream, writing: IWriting, size: int, living: ActiveUpload
) -> None:
    """Receive ``size`` bytes and publish them; the transaction is over then, however it ends.

    Raises `StorageError` when the storage fails, the rest of the bytes dropped, `TransferAborted`,
    `TransferStalled`.
    """
    move = TransferRecord(context, writing.path, True, living, size)
    try:
        try:
            await _receive(context, stream, writing, size, move)
        except StorageError:
            await discard_bytes(stream, size - move.size)
            raise
        entry = await writing.commit()
    except BaseException as problem:
        try:
            await writing.abandon()  # before the event, which tells how much arrived
        finally:
            move.ended(problem)
        raise
    move.published(writing, entry)


async def _receive(
    context: SessionContext, stream: LineStream, writing: IWriting, size: int, move: TransferRecord
) -> None:
    """Write what comes: what is here already by itself, the rest of a large file by the kernel."""
    throttles = context.rate_limiters(upload=True)
    fast = (
        size > SMALL_FILE_SIZE and throttles is None and stream.connection.supports_partial_receive
    )
    spliced = ISpliceTarget(writing, None) if fast else None
    while move.size < size:
        if spliced is not None and move.size >= SMALL_FILE_SIZE and stream.hold():
            await stream.flush()
            await _spliced(stream, spliced, size, move)
            continue
        data = await stream.read_some(min(size - move.size, CHUNK_SIZE))
        if throttles is not None:
            await throttles.take(len(data))
        move.size += len(data)
        await writing.write(data)


async def _spliced(
    stream: LineStream, spliced: ISpliceTarget, size: int, move: TransferRecord
) -> None:
    """Have the kernel write the rest."""
    before = stream.connection.moved
    try:
        moved = await stream.connection.receive_file(spliced.exclusively, size - move.size)
    finally:
        move.size += stream.connection.moved - before
    if moved == 0:
        raise TransferAborted("the connection ended before the upload did")


async def discard_bytes(stream: LineStream, size: int) -> None:
    """Read and throw away what was announced; raises `TransferAborted`, `TransferStalled`."""
    while size > 0:
        size -= len(await stream.read_some(min(size, CHUNK_SIZE)))


async def send_download(
    context: SessionContext, stream: LineStream, path: VirtualPath, offset: int
) -> None:
    """Send a file from ``offset`` behind its answer.

    Raises `StorageError` or `MalformedCommand` before the answer; afterwards a download that fails
    aborts the connection, so that it never looks whole.
    """
    try:
        reading = await context.storage.open_reading(path)
    except PathNotFound as error:
        await refuse_missing(context, path, error)
    try:
        size = reading.entry.size
        if offset > size:
            raise MalformedCommand(f"the file ends at {size}")
        move = TransferRecord(context, path, upload=False)
        try:
            await _send(context, stream, reading, offset, move)
        except BaseException as problem:
            stream.connection.abort()
            move.ended(problem)
            raise
        move.ended()
    finally:
        reading.close()


async def _send(
    context: SessionContext,
    stream: LineStream,
    reading: IReading,
    offset: int,
    move: TransferRecord,
) -> None:
    size = reading.entry.size - offset
    throttles = context.rate_limiters(upload=False)
    heading = answer(str(size))
    if size <= SMALL_FILE_SIZE and throttles is None:
        await stream.say(heading + await _whole(reading, offset, size))
    else:
        await stream.say(heading)
        await stream.flush()
        to = rate_limited(stream.connection, throttles)
        await send_file(reading, to, offset, offset + size, None)  # it may have grown
    move.size = size


async def _whole(reading: IReading, offset: int, size: int) -> bytes:
    """Return so many bytes of a file; raises `TransferAborted` if there are fewer."""
    data: bytes = b""
    while len(data) < size:
        more: bytes = await reading.read(offset + len(data), size - len(data))
        if not more:
            raise TransferAborted("the file became shorter while it was sent")
        data = data + more if data else more
    return data
