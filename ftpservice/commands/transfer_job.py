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

from ftpservice.concurrency.task import Task, dealt_with
from ftpservice.data.channel import CannotConnect, Channel
from ftpservice.data.file_transfer import SMALL, paced, receive_file, send_file
from ftpservice.events import (
    CommandFailed,
    CommandRefused,
    Event,
    Outcome,
    TransferEnded,
    TransferStarted,
)
from ftpservice.session.active_uploads import LivingUpload
from ftpservice.session.context import Context, Marks
from ftpservice.session.error_replies import described, log, refusal, said
from ftpservice.session.transfer import Progress, Transfer
from ftpservice.storage.errors import NoSpace, QuotaExceeded
from ftpservice.storage.interfaces import How, IReading, IRetracts, IWriting
from ftpservice.stream.connection import Cut, DataConnection
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply, reply

__all__ = ["Carriage", "download", "upload"]

BRIEF, LONG = 0.02, 0.2
MOMENT, LONG_MOMENT = 0.004, 0.05
"""Seconds."""
FAST_RATE = 100e6
"""Bytes a second, and more, of uploads that nothing is waited for after."""

T = TypeVar("T")

Work = Callable[[DataConnection], Awaitable[str]]
"""Moves what is to be moved and returns the text of the 226."""


class Short(Cut):
    """An upload ended in order, with fewer bytes than were announced; ``reason`` is its reply."""


@dataclass
class Carriage:
    """A transfer under way; ``path`` is empty for listings, which make no events."""

    context: Context
    channel: Channel
    progress: Progress
    path: str = ""
    digest: str = ""
    """``ALGORITHM:hex`` of an upload, when it is known."""
    living: LivingUpload | None = None
    """Who the upload is to other sessions."""
    how: How = How.REPLACE
    """What an upload does to its name."""

    def __post_init__(self) -> None:
        """Remember whose transfer it is; the login may be over before the transfer is."""
        self._user = self.context.account.name
        self._started = 0.0
        self._is_stored = self._is_short = False
        self.has_ended = False
        """Whether the client has ended its data connection, so that all may be here."""

    async def carry(self, work: Work) -> Reply:
        """Do ``work`` over the data connection and return the final reply, whatever happens."""
        self._started = self.context.services.seconds()
        self._publish(TransferStarted)
        try:
            connection = await self.channel.connection()
            self.progress.connection = connection
            if self.living is not None:
                self.living.connection = connection
            text = await work(connection)
            ending, answer, detail = Outcome.COMPLETE, reply(codes.TRANSFER_COMPLETE, text), ""
        except (Exception, CancelledError) as error:  # noqa: BLE001 - every ending has its reply
            ending, answer = self._failed(error)
            detail = said(error) or answer.lines[-1]
            if not self.path:  # a listing, which has no event of its end
                self._tell_refused(answer, detail)
            dealt_with(error)
        finally:
            self._let_go()
        seconds = self.context.services.seconds() - self._started
        self._publish(TransferEnded, ending, self.progress.moved, seconds, detail, self.digest)
        return answer

    def begin_living(self) -> None:
        """Let other sessions cut the upload while it waits for its data connection, too."""
        if self.living is not None:
            self.living.cut = self._let_go

    def end_living(self) -> None:
        """Let other sessions upload to the name; the transaction is over.

        What arrived of an upload that was not committed is offered to this client.
        """
        living, context = self.living, self.context
        if living is None:
            return
        if not self._is_stored and self.how is not How.APPEND:
            offers, short = context.services.offers, self._is_short
            offers.make(living.key, context.peer, context.is_live, is_short=short)
        context.services.uploads.leave(living)

    def learn(self, writing: IWriting, entry: Entry) -> None:
        """Learn what became of an upload that was committed."""
        self._is_stored = True
        self.digest = self.context.stored(self._user, writing, entry)

    def _publish(self, kind: type[Event], *details: object) -> None:
        if self.path:
            about = (self.path, self.progress.upload, *details)
            self.context.publish(kind, *about, user=self._user)

    def _tell_refused(self, answer: Reply, detail: str) -> None:
        verb, _, path = self.progress.what.partition(" ")
        told = (verb, path, answer.code, answer.lines[-1], detail)
        self.context.publish(CommandRefused, *told, user=self._user)

    async def see_that_the_client_stays(self) -> None:
        """Raise `Cut` if the control connection ends with the data, as a killed client's does.

        The kernel of such a client ends both, in any order, some milliseconds apart. So after an
        upload that took its time a moment passes between two looks: it is not noticed there.
        """
        context = self.context
        took = context.services.seconds() - self._started
        is_slow = took > BRIEF and self.progress.moved < took * FAST_RATE
        if is_slow and context.peer.is_there():
            await context.pause(LONG_MOMENT if took > LONG else MOMENT)
        if not context.peer.is_there():
            raise Cut("the control connection went away")

    def _failed(self, error: BaseException) -> tuple[Outcome, Reply]:
        by_client = isinstance(error, Cut) or self.context.is_live()  # else its session ended it
        connection = self.progress.connection
        ended = self.has_ended or (connection is not None and connection.is_truncated)
        self._is_short = by_client and not ended
        if isinstance(error, CancelledError):
            return Outcome.CUT, reply(codes.TRANSFER_CUT, "Transfer aborted.")
        answer = refusal(error)
        if isinstance(error, Short):
            return Outcome.CUT, reply(codes.TRANSFER_CUT, error.reason)
        if answer is not None:
            if isinstance(error, (NoSpace, QuotaExceeded)) and self.how is not How.APPEND:
                answer = reply(answer.code, f"{answer.lines[0]} What had arrived was dropped.")
            cut = isinstance(error, (Cut, CannotConnect))
            return (Outcome.CUT if cut else Outcome.REFUSED), answer
        log.failure("{what} failed", what=self.progress.what)
        self.context.publish(CommandFailed, self.progress.what, described(error))
        return Outcome.REFUSED, reply(codes.LOCAL_ERROR, "Local error in processing.")

    def _let_go(self) -> None:
        connection = self.progress.connection
        if connection is not None:
            connection.abort()
        self.channel.close()


def download(carriage: Carriage, reading: IReading, marks: Marks) -> Transfer:
    """Return the transfer that sends a file from ``marks.start`` to ``marks.end``."""
    representation = carriage.context.representation

    async def send(connection: DataConnection) -> str:
        stream = paced(connection, carriage.context.throttles(upload=False))
        if reading.entry.size <= SMALL:
            connection.gather()
        await send_file(reading, stream, marks.start, marks.end, representation)
        await connection.finish()
        return "Transfer complete."

    async def carry() -> Reply:
        try:
            return await carriage.carry(send)
        finally:
            reading.close()

    size = reading.entry.size
    begin = reply(codes.ABOUT_TO_OPEN, f"Sending {carriage.path} ({size} bytes).")
    return Transfer(begin, carriage.progress, carry)


def upload(carriage: Carriage, writing: IWriting, marks: Marks, begin: str) -> Transfer:
    """Return the transfer that receives a file and publishes it when it is whole."""

    async def receive(connection: DataConnection) -> str:
        try:
            return await _publish(carriage, connection, writing, marks)
        except BaseException:
            connection.abort()
            await writing.abandon()  # before the event, which tells how much arrived
            raise

    async def carry() -> Reply:
        try:
            return await carriage.carry(receive)
        finally:
            try:
                await writing.abandon()
            finally:  # also where the session ends while the upload is abandoned
                carriage.end_living()

    carriage.begin_living()
    return Transfer(reply(codes.ABOUT_TO_OPEN, begin), carriage.progress, carry)


async def _publish(
    carriage: Carriage, connection: DataConnection, writing: IWriting, marks: Marks
) -> str:
    """Receive a file and publish it; raises what says that it is not whole."""
    representation = carriage.context.representation
    announced = None if representation.ascii else marks.announced
    needs_end = not connection.bears_truncation
    connection.bears_truncation |= announced is not None and not writing.offset
    stream = paced(connection, carriage.context.throttles(upload=True))
    moved = await receive_file(stream, writing, representation)
    if announced is not None and moved < announced and moved != announced - writing.offset:
        raise await _short(writing, moved, announced)
    carriage.has_ended = True
    if announced is None or moved > announced:  # its end is not known from its size
        if needs_end and connection.is_truncated:
            raise Cut("TCP ended without TLS's close_notify; the upload counts as cut")
        await carriage.see_that_the_client_stays()
    entry = await _to_its_end(writing.commit())
    carriage.learn(writing, entry)
    connection.dismiss()
    return f"Transfer complete, {_what_came(carriage, writing, entry, moved)}"


def _what_came(carriage: Carriage, writing: IWriting, entry: Entry, moved: int) -> str:
    """Tell what a complete upload has made of its file."""
    if carriage.how is How.APPEND and entry.name != writing.path.name:
        return (
            f"{moved} bytes appended; the file was renamed or moved meanwhile and is "
            f"{entry.size} bytes now."
        )
    if entry.size == moved:
        return f"{moved} bytes stored in {writing.path}."
    return f"{moved} bytes received, {writing.path} is {entry.size} bytes now."


async def _short(writing: IWriting, moved: int, announced: int) -> Short:
    """Take back what is already in the file, and return what to say of an upload cut short."""
    came = f"{moved} of {announced} announced bytes came"
    appended = IRetracts(writing, None)
    if appended is not None and not await appended.retract():
        return Short(
            f"{came}; they stay in the file, because another client has appended to it since."
        )
    return Short(f"{came}; nothing was stored.")


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
