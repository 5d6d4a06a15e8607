"""One session of the simple protocol, from the greeting to the last answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from ftpservice.concurrency.task import Task, dealt_with
from ftpservice.concurrency.timers import Deadline
from ftpservice.events import CommandRefused, HandshakeFailed, Refused, SessionClosed, SessionOpened
from ftpservice.net.socket_state import has_ended
from ftpservice.session.context import Context
from ftpservice.session.control_transport import ends_of
from ftpservice.session.error_replies import log
from ftpservice.session.registry import Lobby
from ftpservice.session.starttls import has_failed
from ftpservice.simple import error_answers
from ftpservice.simple.commands import TABLE, Conversation, uploaded_anyway
from ftpservice.simple.line_stream import LineTooLong, Stream
from ftpservice.stream.connection import DataConnection
from ftpservice.stream.errors import Cut, Stalled
from ftpservice.wire.simple import GREETING, BadLine, Code, answer, error, parse_line

__all__ = ["SimpleSession"]

TURN = 50
"""Commands that are carried out in one step, if its time does not end before."""


NOT_OURS = "this is the simple protocol of ftpservice"


class SimpleSession:
    """Carries out the commands of one connection, in order; `begin` is called when it stands."""

    def __init__(self, lobby: Lobby, secured: bool = False) -> None:
        self._lobby = lobby
        self._secured = secured
        self._entered = self._has_place = self._over = self._lost = False
        self._busy = False
        self._in_a_row = 0
        """Commands since others had their turn."""
        self._retiring: str | None = None

    def begin(self, connection: DataConnection) -> None:
        """Greet the client, or turn it away."""
        self._transport: Any = connection.transport
        self.context = context = self._lobby.context(self, ends_of(self._transport))
        settings, clock = context.services.settings, context.services.clock
        self.connection = connection
        self.stream = Stream(connection, self._waits)
        self._conversation = Conversation(context, self.stream)
        self._deadline = Deadline(clock, self._timed_out)
        connection.when_lost = self._left
        if self._secured:
            context.protection.begin(private=True)
        refused = self._lobby.enter(context)
        if refused is not None:
            context.publish(Refused, refused)
            self._part(Code.BUSY, refused)
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
                await self._last(Code.BUSY, self._retiring)
            await self._settle()
            await self.stream.flush()
        except Stalled:
            self._part(Code.TIMEOUT, "nothing moved for too long")
        except Cut:
            self.connection.abort()
        finally:
            self._end()

    async def _converse(self) -> None:
        """Carry out line after line, until the client ends, or we do."""
        turns = self.context.services.turns
        while not self._over and (line := await self._line()) is not None:
            self._busy = True
            if turns.is_used_up or self._in_a_row == TURN:
                self.stream.flush_soon(self.context.services.clock)
                await turns.turn(continued=self._in_a_row > 0)
                self._in_a_row = 0
            task = turns.timed(self._begun, line)
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
            too_long = (Code.SYNTAX, str(problem))
            self.context.publish(CommandRefused, "", "", too_long[0].value, too_long[1])
            await self._last(*too_long)
            return None

    async def _obey(self, line: bytes) -> None:
        """Carry out a line; however it ends it has its answer, or ends the session."""
        try:
            await self._carried_out(line)
        except (Cut, Stalled):
            raise
        except Exception as problem:
            if isinstance(problem, CancelledError) and self._over:
                raise  # by us; a storage that raises it by itself failed like any other
            await self._conversation.uploads.settle()
            await self.stream.say(self._conversation.refused(problem, line))
            dealt_with(problem)
        if self._conversation.last_words_said:
            self._over = True

    async def _carried_out(self, line: bytes) -> None:
        try:
            verb, argument = parse_line(line)
        except ValueError:
            self._introduce(line.partition(b" ")[0].decode("ascii", "replace").upper())
            await uploaded_anyway(self.stream, line)
            raise
        self._introduce(verb)
        command = TABLE.get(verb)
        if command is None:
            raise BadLine("unknown verb; HELP lists those there are")
        if not command.is_upload:
            await self._conversation.uploads.settle()
        await command.run(self._conversation, argument)

    def _introduce(self, verb: str) -> None:
        """Raise `refusals.Refused` where a client that is not logged in speaks something else."""
        if self.context.identity.account is None:
            if verb in TABLE:
                self.context.introduction.is_made = True
            elif self.context.introduction.is_over(verb):
                raise error_answers.Refused(Code.SYNTAX, NOT_OURS, parting=True)

    async def _last(self, code: Code, reason: str) -> None:
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
        if self.context.identity.account is not None:
            self._deadline.set(self.context.services.settings.idle_timeout)
        return self._retiring is None

    def _timed_out(self) -> None:
        """End an idle session; one without a login is idle whatever it does."""
        if self.is_working:
            self._deadline.set(self.context.services.settings.idle_timeout)
        else:
            self._part(Code.TIMEOUT, "idle for too long")
            self._task.cancel()

    @property
    def is_working(self) -> bool:
        """Whether a user's command is being carried out."""
        busy = self._busy or self._conversation.uploads.running
        return busy and not self._over and self.context.identity.account is not None

    def client_is_there(self) -> bool:
        """Ask whether the client still holds its end."""
        return not self._lost and not has_ended(self._transport)

    def retire(self, reason: str) -> None:
        """Say that it is over and close, after the command in progress if there is one."""
        if not self.is_working:
            self.part(reason)
            return
        self._retiring = reason
        if not self._busy:
            Task(self._retire()).done.addErrback(self._unexpected)

    async def _retire(self) -> None:
        """Go when the uploads are over, if nothing else has come until then."""
        await self._conversation.uploads.settle()
        if not self._busy and self._retiring is not None:
            self._part(Code.BUSY, self._retiring)

    def part(self, reason: str) -> None:
        """Say that it is over and close; in the middle of a command, only close."""
        if self._busy or self._conversation.uploads.running:
            self.connection.abort()
        else:
            self._part(Code.BUSY, reason)

    @property
    def is_busy(self) -> bool:
        """Whether any command is being carried out, a login too."""
        return self._busy

    def give_way(self, reason: str) -> None:
        """Give up the place and say that it is over, before a login."""
        self._has_place = False
        self.context.publish(Refused, reason)
        self._lobby.give_up_place(self.context)
        self.part(reason)

    def cut(self) -> None:
        """Break the connection."""
        self._transport.abortConnection()

    def _part(self, code: Code, reason: str) -> None:
        """Say why, and end the session."""
        if not self._over:
            self._over = True
            self.stream.put(error(code, reason))
            self.stream.offer()
            self._end()

    def _end(self) -> None:
        """End our side; what the client still sends is dropped."""
        self._over = True
        self._deadline.clear()
        self._conversation.uploads.send_at_once()
        self.connection.dismiss()

    def _left(self, reason: str) -> None:
        """Log out: the connection is gone."""
        self._lost = self._over = True
        self._deadline.clear()
        self.stream.stop()
        context: Context = self.context
        if self._entered:
            self._task.cancel()
        context.forget_login()
        context.identity.end()
        if has_failed(self._transport):
            context.publish(HandshakeFailed, reason)
        if self._entered:
            context.publish(SessionClosed, reason)
        self._lobby.leave(self, context, self._has_place)

    def _unexpected(self, failure: Failure) -> None:
        if not failure.check(CancelledError, Cut):
            log.failure("a session failed", failure)
