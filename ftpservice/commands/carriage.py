"""One transfer from the prepared channel to its final reply.

The rules that every transfer keeps:

- What it opened is ended here, however it ends: whole, cut, refused, aborted.
- An upload is committed only after the data connection ended in order, with the announced number
  of bytes, while the control connection still stands: a client that is killed closes both, and
  the end of its data must not be taken for the end of its file.
- 226 is said after the commit or after the last byte went out, and never after a cut.
- One event begins and one ends it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError

from ftpservice.data.channel import CannotConnect, Channel
from ftpservice.data.choose import paced, receive_file, send_file
from ftpservice.events import CommandFailed, Event, Outcome, TransferEnded, TransferStarted
from ftpservice.flow.connection import Cut, DataConnection
from ftpservice.session.context import Context, Marks
from ftpservice.session.log import log
from ftpservice.session.refusals import refusal
from ftpservice.session.transfer import Progress, Transfer
from ftpservice.storage.interfaces import IReading, IWriting
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply, reply

__all__ = ["Carriage", "download", "opening", "upload"]

Work = Callable[[DataConnection], Awaitable[str]]
"""Moves what is to be moved and returns the text of the 226."""


def opening(channel: Channel, what: str) -> Reply:
    """Return the preliminary reply: 125 when the data connection stands already, else 150."""
    if channel.connected:
        return reply(codes.ALREADY_OPEN, what)
    return reply(codes.ABOUT_TO_OPEN, what)


@dataclass
class Carriage:
    """A transfer under way; ``path`` is empty for listings, which make no events."""

    context: Context
    channel: Channel
    progress: Progress
    path: str = ""
    digest: str = ""
    """``ALGORITHM:hex`` of an upload, when it is known."""

    def __post_init__(self) -> None:
        """Remember whose transfer it is; the login may be over before the transfer is."""
        self._user = self.context.account.name

    async def carry(self, work: Work) -> Reply:
        """Do ``work`` over the data connection and return the final reply, whatever happens."""
        started = self.context.services.seconds()
        self._publish(TransferStarted)
        try:
            connection = await self.channel.connection()
            self.progress.connection = connection
            ending, answer, detail = Outcome.COMPLETE, reply(226, await work(connection)), ""
        except (Exception, CancelledError) as error:  # noqa: BLE001 - every ending has its reply
            ending, answer = self._failed(error)
            detail = f"{answer.lines[-1]} {error}".strip()
        finally:
            self._let_go()
        seconds = self.context.services.seconds() - started
        self._publish(TransferEnded, ending, self.progress.moved, seconds, detail, self.digest)
        return answer

    def learn(self, writing: IWriting, entry: Entry) -> None:
        """Learn what became of an upload that was committed."""
        self.digest = self.context.services.digests.stored(self._user, writing, entry)

    def _publish(self, kind: type[Event], *details: object) -> None:
        if self.path:
            about = (self.path, self.progress.upload, *details)
            self.context.publish(kind, *about, user=self._user)

    def _failed(self, error: BaseException) -> tuple[Outcome, Reply]:
        if isinstance(error, CancelledError):
            return Outcome.CUT, reply(codes.TRANSFER_CUT, "Transfer aborted.")
        answer = refusal(error)
        if answer is not None:
            cut = isinstance(error, (Cut, CannotConnect))
            return (Outcome.CUT if cut else Outcome.REFUSED), answer
        log.failure("{what} failed", what=self.progress.what)
        self.context.publish(CommandFailed, self.progress.what, repr(error))
        return Outcome.REFUSED, reply(codes.LOCAL_ERROR, "Local error in processing.")

    def _let_go(self) -> None:
        connection = self.progress.connection
        if connection is not None:
            connection.abort()
        self.channel.close()


def download(carriage: Carriage, reading: IReading, marks: Marks) -> Transfer:
    """Return the transfer that sends a file from ``marks.start`` to ``marks.end``."""
    representation = carriage.context.parameters.representation

    async def send(connection: DataConnection) -> str:
        stream = paced(connection, carriage.context.throttles(upload=False))
        await send_file(reading, stream, marks.start, marks.end, representation)
        await connection.finish()
        return "Transfer complete."

    async def carry() -> Reply:
        try:
            return await carriage.carry(send)
        finally:
            reading.close()

    size = reading.entry.size
    begin = opening(carriage.channel, f"Sending {carriage.path} ({size} bytes).")
    return Transfer(begin, carriage.progress, carry)


def upload(carriage: Carriage, writing: IWriting, marks: Marks, begin: str) -> Transfer:
    """Return the transfer that receives a file and publishes it when it is whole."""
    representation = carriage.context.parameters.representation
    announced = None if representation.ascii else marks.announced

    async def receive(connection: DataConnection) -> str:
        stream = paced(connection, carriage.context.throttles(upload=True))
        moved = await receive_file(stream, writing, representation)
        if announced is not None and moved not in (announced, announced - writing.offset):
            raise Cut(f"{moved} bytes came, {announced} were announced")
        if not carriage.context.peer.is_there():
            raise Cut("the control connection went away")
        carriage.learn(writing, await writing.commit())
        connection.dismiss()
        return f"Transfer complete, {moved} bytes stored in {writing.path}."

    async def carry() -> Reply:
        try:
            return await carriage.carry(receive)
        finally:
            await writing.abandon()

    return Transfer(opening(carriage.channel, begin), carriage.progress, carry)
