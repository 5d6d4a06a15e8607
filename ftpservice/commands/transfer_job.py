"""One transfer, from the prepared data channel to its final reply.

The rules that every transfer keeps:

- Everything that it opened is closed here, however it ends: complete, aborted or refused.
- An upload is committed only after the data connection ended in order, with no fewer bytes than
  were announced (ALLO), while the control connection still stands: a client that is killed closes
  both connections, and the end of its data must not be taken for the end of its file.
- 226 is sent after the commit, or after the last byte was sent, and never for an incomplete
  transfer.
- One event reports its start and one its end.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from ftpservice.commands.upload_resumption import record_interruption
from ftpservice.concurrency.task import drop_tracebacks
from ftpservice.data.channel import CannotOpenDataConnection, DataChannel
from ftpservice.data.file_transfer import (
    TransferStream,
    rate_limited,
    receive_file,
    send_file,
)
from ftpservice.events import (
    CommandFailed,
    CommandRefused,
    Outcome,
    UploadRefused,
)
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.context import NextTransfer, SessionContext
from ftpservice.session.error_replies import (
    ReplyError,
    log,
    log_detail,
    refused_by,
    reply_for,
    unexpected_error_text,
)
from ftpservice.session.transfer import Transfer
from ftpservice.storage.errors import NoSpace, QuotaExceeded
from ftpservice.storage.gates import IPreparedWriting
from ftpservice.storage.interfaces import IReading, IRetractableWriting, IWriting, WriteMode
from ftpservice.stream.connection import SMALL_FILE_SIZE, StreamConnection, TransferAborted
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply, reply
from ftpservice.wire.units import bytes_text

__all__ = ["DownloadJob", "TransferJob", "UploadJob"]

SHORT_TRANSFER_SECONDS, LONG_TRANSFER_SECONDS = 0.02, 0.2
SHORT_PAUSE_SECONDS, LONG_PAUSE_SECONDS = 0.004, 0.05
FAST_BYTES_PER_SECOND = 100e6
"""Uploads that are faster end without a pause."""

UPLOAD_TEXTS = {"STOR": "Receiving {}.", "APPE": "Appending to {}."}
"""The text of the 150; that of STOU is prescribed (RFC 1123 §4.1.2.9)."""


class UploadTooShort(TransferAborted):
    """An upload ended in order with fewer bytes than announced; ``reason`` is the reply's text."""


class TransferJob(Transfer):
    """A transfer; subclasses move the data (`_move`) and close what they have opened (`_end`).

    ``path`` is empty for listings, which publish no events of their start and end. Raises
    `ReplyError` (425) where no data connection was prepared.
    """

    upload = False
    active_upload: ActiveUpload | None = None
    """The upload as other sessions see it."""
    digest = ""
    """``ALGORITHM:hex`` of a committed upload, if it is known."""
    size: int | None = None
    """Bytes to be transferred, if that is known."""
    _number = 0

    def __init__(
        self,
        context: SessionContext,
        channel: DataChannel | None,
        what: str,
        text: str,
        path: str = "",
    ) -> None:
        if channel is None:
            raise ReplyError(codes.CANNOT_CONNECT, "Send PASV, EPSV, PORT or EPRT first.")
        self.what = what
        self.preliminary = reply(codes.ABOUT_TO_OPEN, text)
        self._context = context
        self._channel = channel
        self._path = path
        self._user = context.account.name  # the login may end before the transfer does
        self._is_ascii = context.parameters.ascii

    async def run(self) -> Reply:
        """Move the data and return the final reply, whatever happens."""
        context, path, user = self._context, self._path, self._user
        events = context.events
        seconds = context.services.clock.seconds
        self._started = seconds()
        try:
            if path:
                self._number = events.begin_transfer(user, path, self.upload, self.size)
            try:
                self.connection = connection = await self._channel.connection()
                if self.active_upload is not None:
                    self.active_upload.connection = connection
                text = await self._move(connection)
                outcome, answer, detail = Outcome.COMPLETE, reply(codes.TRANSFER_COMPLETE, text), ""
            except (Exception, CancelledError) as error:  # noqa: BLE001 - every ending has a reply
                outcome, answer = self._failed(error)
                detail = log_detail(error) or answer.lines[-1]
                self.abort()
                drop_tracebacks(error)
            except BaseException:
                self.abort()
                raise
            if path:
                path = self._path  # an upload may have got another name
                took = seconds() - self._started
                ended = (path, self.upload, outcome, self.moved, took, detail, self.digest)
                events.end_transfer(user, *ended, self._number, self._is_ascii)
                if outcome is Outcome.REFUSED:
                    self._refused(answer, detail)
            elif outcome is not Outcome.COMPLETE:
                verb, _, path = self.what.partition(" ")
                refused = (verb, path, answer.code, answer.lines[-1], detail)
                context.events.publish(CommandRefused, *refused, user=user)
            return answer
        finally:
            await self._end()

    def _refused(self, answer: Reply, detail: str) -> None:
        """Publish what only some transfers publish when they are refused."""

    async def _move(self, connection: StreamConnection) -> str:
        """Move the data, end the connection in order, and return the text of the 226."""
        raise NotImplementedError

    async def _end(self) -> None:
        """Close what the command opened."""
        raise NotImplementedError

    def abort(self) -> None:
        """Abort the data connection, or stop waiting for it; does nothing once it has ended."""
        if self.connection is not None:
            self.connection.abort()
        else:
            self._channel.close()

    def _failed(self, error: BaseException) -> tuple[Outcome, Reply]:
        if isinstance(error, CancelledError):
            return Outcome.ABORTED, reply(codes.TRANSFER_ABORTED, "Transfer aborted.")
        if isinstance(error, UploadTooShort):
            return Outcome.ABORTED, reply(codes.TRANSFER_ABORTED, error.reason)
        answer = reply_for(error)
        if answer is None:
            log.failure("{what} failed", what=self.what)
            self._context.events.publish(CommandFailed, self.what, unexpected_error_text(error))
            return Outcome.REFUSED, reply(codes.LOCAL_ERROR, "Local error in processing.")
        is_cut = isinstance(error, (TransferAborted, CannotOpenDataConnection))
        return (Outcome.ABORTED if is_cut else Outcome.REFUSED), answer


class DownloadJob(TransferJob):
    """Sends a file, or the span of it that ``next_transfer`` names."""

    def __init__(
        self,
        context: SessionContext,
        channel: DataChannel | None,
        path: str,
        reading: IReading,
        next_transfer: NextTransfer,
    ) -> None:
        # Clients read the size as the number before " bytes)", also where it is 1.
        text = f"Sending {path} ({reading.entry.size} bytes)."
        super().__init__(context, channel, f"RETR {path}", text, path)
        self._reading = reading
        self._span = next_transfer
        end = reading.entry.size if next_transfer.end is None else next_transfer.end
        self.size = max(0, end - next_transfer.start)

    async def _move(self, connection: StreamConnection) -> str:
        context, reading, span = self._context, self._reading, self._span
        stream: TransferStream = connection
        if context.has_rate_limits:
            stream = rate_limited(connection, context.rate_limiters(upload=False))
        if reading.entry.size <= SMALL_FILE_SIZE:
            connection.gather()
        await send_file(reading, stream, span.start, span.end, context.text_format())
        await connection.finish()
        return "Transfer complete."

    async def _end(self) -> None:
        self._reading.close()


class UploadJob(TransferJob):
    """Receives a file and publishes it when it is complete."""

    upload = True
    mode = WriteMode.REPLACE
    """What it does to the file of its name."""
    announced_size: int | None = None
    """Bytes that ALLO announced."""
    _is_stored = False
    _is_short = False
    """Whether the upload is known to lack bytes: its data connection did not end in order."""
    _is_permanent = False
    """Whether it was refused for good, so that no client sends it again by itself."""
    _refused_by = ""
    """What refused it, if not the storage itself."""
    _has_ended = False
    """Whether the client has ended its data connection, so that the file may be complete."""

    def __init__(
        self,
        context: SessionContext,
        channel: DataChannel | None,
        verb: str,
        writing: IWriting,
    ) -> None:
        self._writing_path = path = writing.path
        shown = str(path)
        text = f"FILE: {path.name}" if verb == "STOU" else UPLOAD_TEXTS[verb].format(shown)
        super().__init__(context, channel, f"{verb} {shown}", text, shown)
        self._writing = writing
        self._storage = context.storage

    async def _move(self, connection: StreamConnection) -> str:
        """Receive a file and publish it; raises if it is not complete."""
        context, writing = self._context, self._writing
        try:
            # 1. Receive to the end of the data connection. Where ALLO announced the size, TLS need
            #    not end with close_notify.
            text_format = context.text_format()
            announced = None if text_format is not None else self.announced_size
            needs_close_notify = not connection.accepts_truncated_tls
            connection.accepts_truncated_tls |= announced is not None and not writing.offset
            stream: TransferStream = connection
            if context.has_rate_limits:
                stream = rate_limited(connection, context.rate_limiters(upload=True))
            moved = await receive_file(stream, writing, text_format)
            # 2. Check that it is complete.
            if announced is not None and moved < announced and moved != announced - writing.offset:
                raise await _too_short(writing, moved, announced)
            self._has_ended = True
            if announced is None or moved > announced:  # the size does not show it
                if needs_close_notify and connection.is_truncated:
                    raise TransferAborted(
                        "TCP ended without TLS's close_notify; the upload counts as aborted"
                    )
                await self._require_client_connected()
            if IPreparedWriting.providedBy(writing):
                await writing.prepare()  # this may take long, and be cancelled
            # 3. Publish. A commit cannot be undone and its reply must be true, so ABOR and the end
            #    of the session have no effect from here.
            self.is_committing = True
            entry = await writing.commit()
            self._is_stored = True
            if writing.path != self._writing_path:
                self._writing_path, self._path = writing.path, str(writing.path)
            self.digest = context.upload_committed(self._user, writing, entry)
            connection.close_gracefully()
        except BaseException as error:
            self.is_committing = False
            connection.abort()
            await self._abandon(error)  # before the event, which reports how much arrived
            raise
        return f"Transfer complete, {self._stored_text(entry, moved)}"

    async def _abandon(self, error: BaseException) -> None:
        """Abandon the transaction; ``error`` stays the reason if the session ends meanwhile."""
        try:
            await self._writing.abandon()
        except CancelledError:
            raise error from None

    async def _require_client_connected(self) -> None:
        """Raise `TransferAborted` if the control connection has ended together with the data.

        The kernel of a killed client ends both, in any order, some milliseconds apart. So after an
        upload that took some time there is a pause between two checks, too short to be noticed
        after such an upload.
        """
        context = self._context
        took = context.services.clock.seconds() - self._started
        is_slow = took > SHORT_TRANSFER_SECONDS and self.moved < took * FAST_BYTES_PER_SECOND
        if is_slow and context.peer.is_there():
            await context.pause(
                LONG_PAUSE_SECONDS if took > LONG_TRANSFER_SECONDS else SHORT_PAUSE_SECONDS
            )
        if not context.peer.is_there():
            raise TransferAborted("the control connection ended")

    def _refused(self, answer: Reply, detail: str) -> None:
        verb, text = self.what.partition(" ")[0], answer.lines[-1]
        facts = (verb, self._path, answer.code, text, detail if detail != text else "")
        who = (self._number, self._refused_by)
        self._context.events.publish(UploadRefused, *facts, *who, user=self._user)

    def _stored_text(self, entry: Entry, moved: int) -> str:
        path = self._writing_path
        if self.mode is WriteMode.APPEND and entry.name != path.name:
            return (
                f"{bytes_text(moved)} appended; the file was renamed or moved meanwhile and is "
                f"{bytes_text(entry.size)} now."
            )
        if entry.size == moved:
            unit = "byte" if moved == 1 else "bytes"
            return f"{moved} {unit} stored in {self._path}."
        return f"{bytes_text(moved)} received, {self._path} is {bytes_text(entry.size)} now."

    def _failed(self, error: BaseException) -> tuple[Outcome, Reply]:
        connection = self.connection
        by_client = isinstance(error, TransferAborted) or self._context.is_live()  # not the session
        has_ended = self._has_ended or (connection is not None and connection.is_truncated)
        self._is_short = by_client and not has_ended
        self._refused_by = refused_by(error)
        outcome, answer = super()._failed(error)
        self._is_permanent = answer.code >= 500
        if isinstance(error, (NoSpace, QuotaExceeded)) and self.mode is not WriteMode.APPEND:
            answer = reply(answer.code, f"{answer.lines[0]} The bytes that arrived were discarded.")
        return outcome, answer

    async def _end(self) -> None:
        """Abandon an upload that was not published, then let other sessions upload to its name.

        Its client may resume what arrived.
        """
        active, context = self.active_upload, self._context
        try:
            if not self._is_stored:
                await self._writing.abandon()
                if active is not None and self.mode is not WriteMode.APPEND:
                    ended = {"is_short": self._is_short, "is_final": self._is_permanent}
                    await record_interruption(context, self._storage, active.key, **ended)
        finally:
            self.active_upload = None  # it refers to this transfer
            if active is not None:
                context.services.uploads.leave(active)


async def _too_short(writing: IWriting, moved: int, announced: int) -> UploadTooShort:
    """Take back what is already in the file, and return the error of a short upload."""
    arrived = f"{moved} of {announced} announced bytes arrived"
    retractable = IRetractableWriting(writing, None)
    if retractable is not None and not await retractable.retract():
        return UploadTooShort(
            f"{arrived}; they stay in the file, because another client has appended to it since."
        )
    return UploadTooShort(f"{arrived}; nothing was stored.")
