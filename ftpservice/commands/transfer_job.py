"""One transfer from the prepared channel to its final reply.

The rules that every transfer keeps:

- What it opened is ended here, however it ends: whole, cut, refused, aborted.
- An upload is committed only after the data connection ended in order, with no fewer bytes than
  were announced, while the control connection still stands: a client that is killed closes both,
  and the end of its data must not be taken for the end of its file.
- 226 is said after the commit or after the last byte went out, and never after a cut.
- One event begins and one ends it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ftpservice.concurrency.task import Task, drop_tracebacks
from ftpservice.data.channel import CannotOpenDataConnection, DataChannel
from ftpservice.data.file_transfer import SMALL_FILE_SIZE, rate_limited, receive_file, send_file
from ftpservice.events import (
    CommandFailed,
    CommandRefused,
    Event,
    Outcome,
    TransferEnded,
    TransferStarted,
)
from ftpservice.session.active_uploads import ActiveUpload
from ftpservice.session.context import NextTransfer, SessionContext
from ftpservice.session.error_replies import log, log_detail, reply_for, unexpected_error_text
from ftpservice.session.transfer import PendingTransfer, TransferProgress
from ftpservice.storage.errors import NoSpace, QuotaExceeded
from ftpservice.storage.interfaces import IReading, IRetractableWriting, IWriting, WriteMode
from ftpservice.stream.connection import StreamConnection, TransferAborted
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply, reply

__all__ = ["TransferJob", "download_transfer", "upload_transfer"]

SHORT_TRANSFER_SECONDS, LONG_TRANSFER_SECONDS = 0.02, 0.2
SHORT_PAUSE_SECONDS, LONG_PAUSE_SECONDS = 0.004, 0.05
"""Seconds."""
FAST_BYTES_PER_SECOND = 100e6
"""Bytes a second, and more, of uploads that nothing is waited for after."""

T = TypeVar("T")

Work = Callable[[StreamConnection], Awaitable[str]]
"""Moves what is to be moved and returns the text of the 226."""


class UploadTooShort(TransferAborted):
    """An upload ended in order, with fewer bytes than were announced; ``reason`` is its reply."""


@dataclass
class TransferJob:
    """A transfer under way; ``path`` is empty for listings, which make no events."""

    context: SessionContext
    channel: DataChannel
    progress: TransferProgress
    path: str = ""
    digest: str = ""
    """``ALGORITHM:hex`` of an upload, when it is known."""
    active_upload: ActiveUpload | None = None
    """Who the upload is to other sessions."""
    how: WriteMode = WriteMode.REPLACE
    """What an upload does to its name."""

    def __post_init__(self) -> None:
        """Remember whose transfer it is; the login may be over before the transfer is."""
        self._user = self.context.account.name
        self._started = 0.0
        self._is_stored = self._is_short = False
        self.has_ended = False
        """Whether the client has ended its data connection, so that all may be here."""

    async def run(self, work: Work) -> Reply:
        """Do ``work`` over the data connection and return the final reply, whatever happens."""
        self._started = self.context.services.seconds()
        self._publish(TransferStarted)
        try:
            connection = await self.channel.connection()
            self.progress.connection = connection
            if self.active_upload is not None:
                self.active_upload.connection = connection
            text = await work(connection)
            ending, answer, detail = Outcome.COMPLETE, reply(codes.TRANSFER_COMPLETE, text), ""
        except (Exception, CancelledError) as error:  # noqa: BLE001 - every ending has its reply
            ending, answer = self._failed(error)
            detail = log_detail(error) or answer.lines[-1]
            if not self.path:  # a listing, which has no event of its end
                self._tell_refused(answer, detail)
            drop_tracebacks(error)
        finally:
            self._let_go()
        seconds = self.context.services.seconds() - self._started
        self._publish(TransferEnded, ending, self.progress.moved, seconds, detail, self.digest)
        return answer

    def register_upload(self) -> None:
        """Let other sessions cut the upload while it waits for its data connection, too."""
        if self.active_upload is not None:
            self.active_upload.cut = self._let_go

    def release_upload(self) -> None:
        """Let other sessions upload to the name; the transaction is over.

        What arrived of an upload that was not committed is offered to this client.
        """
        living, context = self.active_upload, self.context
        if living is None:
            return
        if not self._is_stored and self.how is not WriteMode.APPEND:
            offers, short = context.services.resume_offers, self._is_short
            offers.make(living.key, context.peer, context.is_live, is_short=short)
        context.services.uploads.leave(living)

    def learn(self, writing: IWriting, entry: Entry) -> None:
        """Learn what became of an upload that was committed."""
        self._is_stored = True
        self.digest = self.context.upload_committed(self._user, writing, entry)

    def _publish(self, kind: type[Event], *details: object) -> None:
        if self.path:
            about = (self.path, self.progress.upload, *details)
            self.context.publish(kind, *about, user=self._user)

    def _tell_refused(self, answer: Reply, detail: str) -> None:
        verb, _, path = self.progress.what.partition(" ")
        told = (verb, path, answer.code, answer.lines[-1], detail)
        self.context.publish(CommandRefused, *told, user=self._user)

    async def require_client_connected(self) -> None:
        """Raise `TransferAborted` if the control connection has ended together with the data.

        The kernel of such a client ends both, in any order, some milliseconds apart. So after an
        upload that took its time a moment passes between two looks: it is not noticed there.
        """
        context = self.context
        took = context.services.seconds() - self._started
        is_slow = (
            took > SHORT_TRANSFER_SECONDS and self.progress.moved < took * FAST_BYTES_PER_SECOND
        )
        if is_slow and context.peer.is_there():
            await context.pause(
                LONG_PAUSE_SECONDS if took > LONG_TRANSFER_SECONDS else SHORT_PAUSE_SECONDS
            )
        if not context.peer.is_there():
            raise TransferAborted("the control connection went away")

    def _failed(self, error: BaseException) -> tuple[Outcome, Reply]:
        by_client = (
            isinstance(error, TransferAborted) or self.context.is_live()
        )  # else its session ended it
        connection = self.progress.connection
        ended = self.has_ended or (connection is not None and connection.is_truncated)
        self._is_short = by_client and not ended
        if isinstance(error, CancelledError):
            return Outcome.CUT, reply(codes.TRANSFER_ABORTED, "Transfer aborted.")
        answer = reply_for(error)
        if isinstance(error, UploadTooShort):
            return Outcome.CUT, reply(codes.TRANSFER_ABORTED, error.reason)
        if answer is not None:
            if isinstance(error, (NoSpace, QuotaExceeded)) and self.how is not WriteMode.APPEND:
                answer = reply(answer.code, f"{answer.lines[0]} What had arrived was dropped.")
            cut = isinstance(error, (TransferAborted, CannotOpenDataConnection))
            return (Outcome.CUT if cut else Outcome.REFUSED), answer
        log.failure("{what} failed", what=self.progress.what)
        self.context.publish(CommandFailed, self.progress.what, unexpected_error_text(error))
        return Outcome.REFUSED, reply(codes.LOCAL_ERROR, "Local error in processing.")

    def _let_go(self) -> None:
        connection = self.progress.connection
        if connection is not None:
            connection.abort()
        self.channel.close()


def download_transfer(
    carriage: TransferJob, reading: IReading, marks: NextTransfer
) -> PendingTransfer:
    """Return the transfer that sends a file from ``marks.start`` to ``marks.end``."""
    representation = carriage.context.representation

    async def send(connection: StreamConnection) -> str:
        stream = rate_limited(connection, carriage.context.rate_limiters(upload=False))
        if reading.entry.size <= SMALL_FILE_SIZE:
            connection.gather()
        await send_file(reading, stream, marks.start, marks.end, representation)
        await connection.finish()
        return "Transfer complete."

    async def carry() -> Reply:
        try:
            return await carriage.run(send)
        finally:
            reading.close()

    size = reading.entry.size
    begin = reply(codes.ABOUT_TO_OPEN, f"Sending {carriage.path} ({size} bytes).")
    return PendingTransfer(begin, carriage.progress, carry)


def upload_transfer(
    carriage: TransferJob, writing: IWriting, marks: NextTransfer, begin: str
) -> PendingTransfer:
    """Return the transfer that receives a file and publishes it when it is whole."""

    async def receive(connection: StreamConnection) -> str:
        try:
            return await _publish(carriage, connection, writing, marks)
        except BaseException:
            connection.abort()
            await writing.abandon()  # before the event, which tells how much arrived
            raise

    async def carry() -> Reply:
        try:
            return await carriage.run(receive)
        finally:
            try:
                await writing.abandon()
            finally:  # also where the session ends while the upload is abandoned
                carriage.release_upload()

    carriage.register_upload()
    return PendingTransfer(reply(codes.ABOUT_TO_OPEN, begin), carriage.progress, carry)


async def _publish(
    carriage: TransferJob, connection: StreamConnection, writing: IWriting, marks: NextTransfer
) -> str:
    """Receive a file and publish it; raises what says that it is not whole."""
    representation = carriage.context.representation
    announced = None if representation.ascii else marks.announced
    needs_end = not connection.accepts_truncated_tls
    connection.accepts_truncated_tls |= announced is not None and not writing.offset
    stream = rate_limited(connection, carriage.context.rate_limiters(upload=True))
    moved = await receive_file(stream, writing, representation)
    if announced is not None and moved < announced and moved != announced - writing.offset:
        raise await _short(writing, moved, announced)
    carriage.has_ended = True
    if announced is None or moved > announced:  # its end is not known from its size
        if needs_end and connection.is_truncated:
            raise TransferAborted("TCP ended without TLS's close_notify; the upload counts as cut")
        await carriage.require_client_connected()
    entry = await _to_its_end(writing.commit())
    carriage.learn(writing, entry)
    connection.close_gracefully()
    return f"Transfer complete, {_what_came(carriage, writing, entry, moved)}"


def _what_came(carriage: TransferJob, writing: IWriting, entry: Entry, moved: int) -> str:
    """Tell what a complete upload has made of its file."""
    if carriage.how is WriteMode.APPEND and entry.name != writing.path.name:
        return (
            f"{moved} bytes appended; the file was renamed or moved meanwhile and is "
            f"{entry.size} bytes now."
        )
    if entry.size == moved:
        return f"{moved} bytes stored in {writing.path}."
    return f"{moved} bytes received, {writing.path} is {entry.size} bytes now."


async def _short(writing: IWriting, moved: int, announced: int) -> UploadTooShort:
    """Take back what is already in the file, and return what to say of an upload cut short."""
    came = f"{moved} of {announced} announced bytes came"
    appended = IRetractableWriting(writing, None)
    if appended is not None and not await appended.retract():
        return UploadTooShort(
            f"{came}; they stay in the file, because another client has appended to it since."
        )
    return UploadTooShort(f"{came}; nothing was stored.")


async def _to_its_end(commit: Awaitable[T]) -> T:
    """Wait for a commit, cancelled or not: it cannot be undone, and its reply must be true."""

    async def work() -> T:
        return await commit

    outcome: list[T | Failure] = []
    waiting: Deferred[None] = Deferred()

    def end(result: T | Failure) -> None:
        outcome.append(result)
        if not waiting.called:
            waiting.callback(None)

    Task(work()).done.addBoth(end)
    while not outcome:
        with suppress(CancelledError):
            await waiting
        if not outcome:
            waiting = Deferred()
    [result] = outcome
    if isinstance(result, Failure):
        result.raiseException()
    return result
