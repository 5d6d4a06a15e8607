"""One transfer over a data connection, from the data channel to the final reply.

Rules for every transfer:

- `TransferJob.run` ends what the command opened, however the transfer ends: complete, interrupted,
  refused or aborted.
- 226 is sent after the commit of an upload, or after the last byte of a download, and never for an
  incomplete transfer.
- One event is published at its start and one at its end.

An upload is committed only after the data connection ended in order, with at least as many bytes as
were announced, and while the control connection is still open: a client that is killed closes both
connections, and the end of its data must not be taken for the end of its file.
"""

from __future__ import annotations

from collections.abc import Awaitable
from types import CoroutineType
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ftpservice.concurrency.task import Task, drop_tracebacks
from ftpservice.data.channel import CannotOpenDataConnection, DataChannel
from ftpservice.data.file_transfer import SMALL_FILE_SIZE, rate_limited, receive_file, send_file
from ftpservice.events import (
    CommandFailed,
    CommandRefused,
    Outcome,
    TransferEnded,
    TransferStarted,
)
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.context import NextTransfer, SessionContext
from ftpservice.session.error_replies import (
    ReplyError,
    log,
    log_detail,
    reply_for,
    unexpected_error_text,
)
from ftpservice.session.transfer import Transfer
from ftpservice.storage.errors import NoSpace, QuotaExceeded
from ftpservice.storage.interfaces import IReading, IRetractableWriting, IWriting, WriteMode
from ftpservice.stream.connection import StreamConnection, TransferAborted
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply, reply

__all__ = ["DownloadJob", "TransferJob", "UploadJob"]

SHORT_TRANSFER_SECONDS, LONG_TRANSFER_SECONDS = 0.02, 0.2
SHORT_PAUSE_SECONDS, LONG_PAUSE_SECONDS = 0.004, 0.05
"""The pause before the control connection is checked, after uploads that took so long."""
FAST_BYTES_PER_SECOND = 100e6
"""After a faster upload there is no such pause."""

T = TypeVar("T")


class UploadTooShort(TransferAborted):
    """An upload ended in order, with fewer bytes than were announced; ``reason`` is its reply."""


class TransferJob(Transfer):
    """A transfer over ``channel``; raises `ReplyError` if there is none.

    ``path`` is empty for listings, which publish no transfer events.
    """

    digest = ""
    """``ALGORITHM:hex`` of an upload, when it is known."""
    is_append = False
    """Whether an upload adds its bytes to a file in place."""
    has_ended = False
    """Whether the client has ended its data connection, so that all bytes may have arrived."""

    def __init__(
        self,
        context: SessionContext,
        channel: DataChannel | None,
        what: str,
        path: str = "",
        *,
        upload: bool = False,
    ) -> None:
        if channel is None:
            raise ReplyError(codes.CANNOT_CONNECT, "Send PASV, EPSV, PORT or EPRT first.")
        super().__init__(what, upload)
        self.context = context
        self.channel = channel
        self.path = path
        self._user = context.account.name  # the login may end before the transfer does
        self._started = 0.0
        self._is_short = False

    async def move(self, connection: StreamConnection) -> str:
        """Transfer the bytes; return the text of the 226."""
        raise NotImplementedError

    async def discard(self) -> None:
        """Drop what was transferred: the transfer has failed."""

    async def close(self) -> None:
        """Close what the command opened; called once, at the end."""

    async def run(self) -> Reply:
        """Transfer over the data connection and return the final reply, whatever happens."""
        context = self.context
        self._started = context.services.seconds()
        try:
            if self.path:
                context.publish(TransferStarted, self.path, self.upload, user=self._user)
            try:
                self.connection = await self.channel.connection()
                text = await self.move(self.connection)
                ending, answer, detail = Outcome.COMPLETE, reply(codes.TRANSFER_COMPLETE, text), ""
            except (Exception, CancelledError) as error:  # noqa: BLE001 - every error has its reply
                ending, answer, detail = await self._fail(error)
            finally:
                self.abort()
            if self.path:
                seconds = context.services.seconds() - self._started
                about = (self.path, self.upload, ending, self.moved, seconds, detail, self.digest)
                context.publish(TransferEnded, *about, user=self._user)
            return answer
        finally:
            await self.close()

    def abort(self) -> None:
        """Close the data connection at once, unless it was ended in order."""
        if self.connection is not None:
            self.connection.abort()
        self.channel.close()

    async def _fail(self, error: BaseException) -> tuple[Outcome, Reply, str]:
        """Return how a failed transfer ended, its reply, and the detail for the log."""
        try:
            await self.discard()  # before the event, which says how much arrived
        except (Exception, CancelledError) as later:  # noqa: BLE001 - it has its reply, too
            error = later
        ending, answer = self._failed(error)
        detail = log_detail(error) or answer.lines[-1]
        if not self.path:  # a listing, which publishes no event of its end
            verb, _, path = self.what.partition(" ")
            about = (verb, path, answer.code, answer.lines[-1], detail)
            self.context.publish(CommandRefused, *about, user=self._user)
        drop_tracebacks(error)
        return ending, answer, detail

    def _failed(self, error: BaseException) -> tuple[Outcome, Reply]:
        # An error while the session is live is the client's; otherwise its session ended it.
        by_client = isinstance(error, TransferAborted) or self.context.is_live()
        connection = self.connection
        ended = self.has_ended or (connection is not None and connection.is_truncated)
        self._is_short = by_client and not ended
        if isinstance(error, CancelledError):
            return Outcome.CUT, reply(codes.TRANSFER_ABORTED, "Transfer aborted.")
        answer = reply_for(error)
        if isinstance(error, UploadTooShort):
            return Outcome.CUT, reply(codes.TRANSFER_ABORTED, error.reason)
        if answer is not None:
            if isinstance(error, (NoSpace, QuotaExceeded)) and not self.is_append:
                answer = reply(answer.code, f"{answer.lines[0]} What had arrived was dropped.")
            aborted = isinstance(error, (TransferAborted, CannotOpenDataConnection))
            return (Outcome.CUT if aborted else Outcome.REFUSED), answer
        log.failure("{what} failed", what=self.what)
        self.context.publish(CommandFailed, self.what, unexpected_error_text(error))
        return Outcome.REFUSED, reply(codes.LOCAL_ERROR, "Local error in processing.")


class DownloadJob(TransferJob):
    """Sends a file from ``marks.start`` to ``marks.end``."""

    def __init__(
        self,
        context: SessionContext,
        channel: DataChannel | None,
        path: str,
        reading: IReading,
        marks: NextTransfer,
    ) -> None:
        super().__init__(context, channel, f"RETR {path}", path)
        self._reading = reading
        self._marks = marks
        self._size: int = reading.entry.size
        self.preliminary = reply(codes.ABOUT_TO_OPEN, f"Sending {path} ({self._size} bytes).")

    async def move(self, connection: StreamConnection) -> str:
        """Send the file, and wait until the client has all of it."""
        context, marks = self.context, self._marks
        limits = context.rate_limiters(upload=False)
        stream = connection if limits is None else rate_limited(connection, limits)
        if self._size <= SMALL_FILE_SIZE:
            connection.gather()
        text = context.representation if context.parameters.ascii else None
        await send_file(self._reading, stream, marks.start, marks.end, text)
        await connection.finish()
        return "Transfer complete."

    async def close(self) -> None:
        """Close the file."""
        self._reading.close()


class UploadJob(TransferJob):
    """Receives a file and publishes it when it is complete.

    ``active_upload`` represents the upload to other sessions of the account, which may abort it.
    """

    def __init__(
        self,
        context: SessionContext,
        channel: DataChannel | None,
        verb: str,
        writing: IWriting,
        path: str,
    ) -> None:
        super().__init__(context, channel, f"{verb} {path}", path, upload=True)
        self._writing = writing
        self._is_stored = False
        self._announced: int | None = None
        self._active_upload: ActiveUpload | None = None

    def begin(
        self, preliminary: str, how: WriteMode, announced: int | None, active: ActiveUpload | None
    ) -> None:
        """Set what is known of the upload: its preliminary reply, mode and announced size (ALLO).

        From now on other sessions may abort it, also while it waits for its data connection.
        """
        self.preliminary = reply(codes.ABOUT_TO_OPEN, preliminary)
        self.is_append = how is WriteMode.APPEND
        self._announced = announced
        self._active_upload = active
        if active is not None:
            active.cut = self.abort

    async def move(self, connection: StreamConnection) -> str:
        """Receive the file and commit it; raises what says that it is not complete."""
        # 1. Receive to the end of the data connection.
        context, writing = self.context, self._writing
        if self._active_upload is not None:
            self._active_upload.connection = connection
        text = context.representation if context.parameters.ascii else None
        announced = None if text is not None else self._announced
        needs_close_notify = not connection.accepts_truncated_tls
        if announced is not None and not writing.offset:
            connection.accepts_truncated_tls = True
        limits = context.rate_limiters(upload=True)
        stream = connection if limits is None else rate_limited(connection, limits)
        moved = await receive_file(stream, writing, text)
        # 2. Is it complete? ALLO says so; otherwise only the way in which the connection ended.
        if announced is not None and moved < announced and moved != announced - writing.offset:
            raise await _too_short(writing, moved, announced)
        self.has_ended = True
        if announced is None or moved > announced:
            if needs_close_notify and connection.is_truncated:
                raise TransferAborted(
                    "TCP ended without TLS's close_notify; the upload counts as cut"
                )
            await self.require_client_connected()
        # 3. Publish it.
        entry = await _uncancelled(writing.commit())
        self._is_stored = True
        self.digest = context.upload_committed(self._user, writing, entry)
        connection.close_gracefully()
        return f"Transfer complete, {self._result_text(entry, moved)}"

    async def require_client_connected(self) -> None:
        """Raise `TransferAborted` if the control connection has ended together with the data.

        The kernel of a killed client ends both, in any order, some milliseconds apart. So after an
        upload that took some time there is a pause between two checks, too short to be noticed.
        """
        context = self.context
        took = context.services.seconds() - self._started
        if (
            took > SHORT_TRANSFER_SECONDS
            and self.moved < took * FAST_BYTES_PER_SECOND
            and context.peer.is_there()
        ):
            await context.pause(
                LONG_PAUSE_SECONDS if took > LONG_TRANSFER_SECONDS else SHORT_PAUSE_SECONDS
            )
        if not context.peer.is_there():
            raise TransferAborted("the control connection went away")

    async def discard(self) -> None:
        """Abort the data connection; keep what arrived as a partial upload, if that is possible."""
        if self.connection is not None:
            self.connection.abort()
        await self._writing.abandon()

    async def close(self) -> None:
        """End the transaction, and let other sessions upload to the name.

        What arrived of an upload that was not committed is offered to this client.
        """
        try:
            if not self._is_stored:
                await self._writing.abandon()
        finally:  # also where the session ends meanwhile
            active, self._active_upload = self._active_upload, None  # each refers to the other
            context = self.context
            if active is not None:
                if not self._is_stored and not self.is_append:
                    context.services.resume_offers.make(
                        active.key, context.peer, context.is_live, is_short=self._is_short
                    )
                context.services.uploads.leave(active)

    def _result_text(self, entry: Entry, moved: int) -> str:
        """Describe what a complete upload has made of its file."""
        if self.is_append and entry.name != self._writing.path.name:
            return (
                f"{moved} bytes appended; the file was renamed or moved meanwhile and is "
                f"{entry.size} bytes now."
            )
        if entry.size == moved:
            return f"{moved} bytes stored in {self.path}."
        return f"{moved} bytes received, {self.path} is {entry.size} bytes now."


async def _too_short(writing: IWriting, moved: int, announced: int) -> UploadTooShort:
    """Remove what was appended, and return the error of an upload that ended too early."""
    arrived = f"{moved} of {announced} announced bytes came"
    appended = IRetractableWriting(writing, None)
    if appended is not None and not await appended.retract():
        return UploadTooShort(
            f"{arrived}; they stay in the file, because another client has appended to it since."
        )
    return UploadTooShort(f"{arrived}; nothing was stored.")


async def _uncancelled(commit: Awaitable[T]) -> T:
    """Wait for a commit, cancelled or not: it cannot be undone, and its reply must be true."""
    task: Task[T] = Task(commit if type(commit) is CoroutineType else _awaited(commit))
    outcome: list[T | Failure] = []
    waiting: Deferred[None] = Deferred()

    def end(result: T | Failure) -> None:
        outcome.append(result)
        if not waiting.called:  # by its cancellation
            waiting.callback(None)

    task.done.addBoth(end)
    while not outcome:
        try:
            await waiting
        except CancelledError:
            waiting = Deferred()
    [result] = outcome
    if isinstance(result, Failure):
        result.raiseException()
    return result


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
