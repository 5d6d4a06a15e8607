"""One session of the simple protocol, from the greeting to the last answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from ftpservice.concurrency.task import Task, drop_tracebacks
from ftpservice.concurrency.timers import Deadline
from ftpservice.events import CommandRefused, HandshakeFailed, Refused, SessionClosed, SessionOpened
from ftpservice.net.socket_state import peer_has_closed
from ftpservice.session.context import SessionContext
from ftpservice.session.control_transport import control_addresses
from ftpservice.session.error_replies import log
from ftpservice.session.registry import SessionRegistry
from ftpservice.session.starttls import handshake_failed
from ftpservice.simple import error_answers
from ftpservice.simple.commands import SIMPLE_VERBS, SimpleInterpreter, discard_upload
from ftpservice.simple.line_stream import LineStream, LineTooLong
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.wire.simple import GREETING, ErrorCode, MalformedCommand, answer, error, parse_line

__all__ = ["SimpleServerSession"]

COMMANDS_PER_TURN = 50
"""Commands that are carried out in one step, if its time does not end before."""


WRONG_PROTOCOL_TEXT = "this is the simple protocol of ftpservice"


class SimpleServerSession:
    """Carries out the commands of one connection, in order; `begin` is called when it stands."""

    def __init__(self, lobby: SessionRegistry, secured: bool = False) -> None:
        self._lobby = lobby
        self._secured = secured
        self._entered = self._has_place = self._over = self._lost = False
        self._busy = False
        self._in_a_row = 0
        """Commands since others had their turn."""
        self._retiring: str | None = None

    def begin(self, connection: StreamConnection) -> None:
        """Greet the client, or turn it away."""
        self._transport: Any = connection.transport
        self.context = context = self._lobby.context(self, control_addresses(self._transport))
        settings, clock = context.services.settings, context.services.clock
        self.connection = connection
        self.stream = LineStream(connection, self._waits)
        self._conversation = SimpleInterpreter(context, self.stream)
        self._deadline = Deadline(clock, self._timed_out)
        connection.when_lost = self._left
        if self._secured:
            context.tls_state.begin(private=True)
        refused = self._lobby.enter(context)
        if refused is not None:
            context.publish(Refused, refused)
            self._part(ErrorCode.BUSY, refused)
            return
        self._entered = self._has_place = True
        context.publish(SessionOpened, "simple")
        self._deadline.set(settings.login_timeout)
        self._task = Task(self._run())
        self._task.done.addErrback(self._unexpected)

    async def _run(self) -> None:
        try:
            await self.stream.say(answer(GREETING))
            await self._converse()
            if self._retiring is not None:
                await self._last(ErrorCode.BUSY, self._retiring)
            await self._settle()
            await self.stream.flush()
        except TransferStalled:
            self._part(ErrorCode.TIMEOUT, "nothing moved for too long")
        except TransferAborted:
            self.connection.abort()
        finally:
            self._end()

    async def _converse(self) -> None:
        """Carry out line after line, until the client ends, or we do."""
        turns = self.context.services.turns
        while not self._over and (line := await self._line()) is not None:
            self._busy = True
            if turns.is_exhausted or self._in_a_row == COMMANDS_PER_TURN:
                self.stream.flush_soon(self.context.services.clock)
                await turns.turn(continued=self._in_a_row > 0)
                self._in_a_row = 0
            task = turns.run_timed(self._begun, line)
            if not task.ended:
                self.stream.flush_soon(self.context.services.clock)
            await task
            self._in_a_row += 1
            if self._retiring is not None:
                return

    def _begun(self, line: bytes) -> Task[None]:
        return Task(self._obey(line))

    async def _line(self) -> bytes | None:
        try:
            return await self.stream.line()
        except LineTooLong as problem:
            too_long = (ErrorCode.SYNTAX, str(problem))
            self.context.publish(CommandRefused, "", "", too_long[0].value, too_long[1])
            await self._last(*too_long)
            return None

    async def _obey(self, line: bytes) -> None:
        """Carry out a line; however it ends it has its answer, or ends the session."""
        try:
            await self._carried_out(line)
        except (TransferAborted, TransferStalled):
            raise
        except Exception as problem:
            if isinstance(problem, CancelledError) and self._over:
                raise  # by us; a storage that raises it by itself failed like any other
            await self._conversation.uploads.settle()
            await self.stream.say(self._conversation.refused(problem, line))
            drop_tracebacks(problem)
        if self._conversation.final_reply_sent:
            self._over = True

    async def _carried_out(self, line: bytes) -> None:
        try:
            verb, argument = parse_line(line)
        except ValueError:
            self._introduce(line.partition(b" ")[0].decode("ascii", "replace").upper())
            await discard_upload(self.stream, line)
            raise
        self._introduce(verb)
        command = SIMPLE_VERBS.get(verb)
        if command is None:
            raise MalformedCommand("unknown verb; HELP lists those there are")
        if not command.is_upload:
            await self._conversation.uploads.settle()
        await command.run(self._conversation, argument)

    def _introduce(self, verb: str) -> None:
        """Raise `refusals.Refused` where a client that is not logged in speaks something else."""
        if self.context.portal_login.account is None:
            if verb in SIMPLE_VERBS:
                self.context.foreign_detector.has_spoken_ftp = True
            elif self.context.foreign_detector.is_over(verb):
                raise error_answers.AnswerError(ErrorCode.SYNTAX, WRONG_PROTOCOL_TEXT, parting=True)

    async def _last(self, code: ErrorCode, reason: str) -> None:
        """Say why it is over, behind all other answers."""
        if not self._over:
            await self._settle()
            await self.stream.say(error(code, reason))
            self._over = True

    async def _settle(self) -> None:
        """Wait until all uploads are over; what there is to say before that is said."""
        if self._conversation.uploads.running:
            self.stream.flush_soon(self.context.services.clock)
            await self._conversation.uploads.settle()

    async def _waits(self) -> bool:
        """A line is to be waited for, but not for ever; the uploads before it go on meanwhile."""
        self._conversation.uploads.send()
        self._busy = False
        self._in_a_row = 0
        if self.context.portal_login.account is not None:
            self._deadline.set(self.context.services.settings.idle_timeout)
        return self._retiring is None

    def _timed_out(self) -> None:
        """End an idle session; one without a login is idle whatever it does."""
        if self.is_working:
            self._deadline.set(self.context.services.settings.idle_timeout)
        else:
            self._part(ErrorCode.TIMEOUT, "idle for too long")
            self._task.cancel()

    @property
    def is_working(self) -> bool:
        """Whether a user's command is being carried out."""
        busy = self._busy or self._conversation.uploads.running
        return busy and not self._over and self.context.portal_login.account is not None

    def client_is_connected(self) -> bool:
        """Ask whether the client still holds its end."""
        return not self._lost and not peer_has_closed(self._transport)

    def finish_and_disconnect(self, reason: str) -> None:
        """Say that it is over and close, after the command in progress if there is one."""
        if not self.is_working:
            self.disconnect(reason)
            return
        self._retiring = reason
        if not self._busy:
            Task(self._retire()).done.addErrback(self._unexpected)

    async def _retire(self) -> None:
        """Go when the uploads are over, if nothing else has come until then."""
        await self._conversation.uploads.settle()
        if not self._busy and self._retiring is not None:
            self._part(ErrorCode.BUSY, self._retiring)

    def disconnect(self, reason: str) -> None:
        """Say that it is over and close; in the middle of a command, only close."""
        if self._busy or self._conversation.uploads.running:
            self.connection.abort()
        else:
            self._part(ErrorCode.BUSY, reason)

    @property
    def is_busy(self) -> bool:
        """Whether any command is being carried out, a login too."""
        return self._busy

    def yield_place(self, reason: str) -> None:
        """Give up the place and say that it is over, before a login."""
        self._has_place = False
        self.context.publish(Refused, reason)
        self._lobby.release_place(self.context)
        self.disconnect(reason)

    def cut(self) -> None:
        """Break the connection."""
        self._transport.abortConnection()

    def _part(self, code: ErrorCode, reason: str) -> None:
        """Say why, and end the session."""
        if not self._over:
            self._over = True
            self.stream.put(error(code, reason))
            self.stream.try_send()
            self._end()

    def _end(self) -> None:
        """End our side; what the client still sends is dropped."""
        self._over = True
        self._deadline.clear()
        self._conversation.uploads.publish_now()
        self.connection.close_gracefully()

    def _left(self, reason: str) -> None:
        """Log out: the connection is gone."""
        self._lost = self._over = True
        self._deadline.clear()
        self.stream.stop()
        context: SessionContext = self.context
        if self._entered:
            self._task.cancel()
        context.forget_login()
        context.portal_login.end()
        if handshake_failed(self._transport):
            context.publish(HandshakeFailed, reason)
        if self._entered:
            context.publish(SessionClosed, reason)
        self._lobby.leave(self, context, self._has_place)

    def _unexpected(self, failure: Failure) -> None:
        if not failure.check(CancelledError, TransferAborted):
            log.failure("a session failed", failure)
