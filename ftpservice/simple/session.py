"""One session of the simple protocol, from the greeting to the last answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ftpservice.concurrency.task import Task, drop_tracebacks
from ftpservice.concurrency.timers import Deadline
from ftpservice.events import (
    CommandRefused,
    HandshakeFailed,
    Refused,
    SessionOpened,
    SessionStalled,
)
from ftpservice.net.socket_state import peer_has_closed
from ftpservice.session.context import SessionContext
from ftpservice.session.control_transport import control_addresses
from ftpservice.session.error_replies import log
from ftpservice.session.registry import SessionRegistry
from ftpservice.session.starttls import handshake_failed
from ftpservice.simple.commands import (
    SIMPLE_VERBS,
    UNKNOWN_VERB,
    SimpleInterpreter,
    discard_upload,
)
from ftpservice.simple.error_answers import AnswerError
from ftpservice.simple.line_stream import LineStream, LineTooLong
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.wire.simple import GREETING, ErrorCode, answer, error, parse_line

__all__ = ["SimpleServerSession"]

COMMANDS_PER_TURN = 50
"""Commands that are run in one step of the time budget."""
WRONG_PROTOCOL_TEXT = "this is the simple protocol of ftpservice"


def _log_unexpected(failure: Failure) -> None:
    if not failure.check(CancelledError, TransferAborted):
        log.failure("a session failed", failure)


class SimpleServerSession:
    """Runs the commands of one connection in order; `begin` is called when it is open."""

    def __init__(self, registry: SessionRegistry, secured: bool = False) -> None:
        self._registry = registry
        self._secured = secured
        self._is_registered = self._has_place = self._over = self._lost = False
        self._task: Task[None] | None = None
        self._busy = False
        self._commands_in_turn = 0
        self._finish_reason: str | None = None
        """Why the session ends after the command that runs; None if it does not."""

    def begin(self, connection: StreamConnection) -> None:
        """Greet the client, or refuse the session."""
        self._transport: Any = connection.transport
        ends = control_addresses(self._transport)
        self.context = context = self._registry.context(self, ends, "simple")
        self.connection = connection
        self.stream = LineStream(connection, self._before_wait)
        self._interpreter = SimpleInterpreter(context, self.stream)
        self._deadline = Deadline(context.services.clock, self._timed_out)
        connection.when_lost = self._connection_lost
        if self._secured:
            context.tls_state.begin(implies_prot_p=True)
        refused = self._registry.enter(context)
        if isinstance(refused, Deferred):
            refused.addCallback(self._begin_commands)
        else:
            self._begin_commands(refused)

    def _begin_commands(self, refused: str | None) -> None:
        """Run the commands, or refuse the session, once it is known whether it has a place."""
        context = self.context
        if self._over:  # it ended meanwhile
            if refused is None:
                self._registry.release_place(context)
            return
        if refused is not None:
            context.events.publish(Refused, refused)
            self._end_with(ErrorCode.BUSY, refused)
            return
        self._is_registered = self._has_place = True
        context.events.publish(SessionOpened, "simple")
        self._deadline.set(context.services.settings.login_timeout)
        task = self._task = Task(self._run())
        task.done.addErrback(_log_unexpected)
        if self._lost:  # the first read ended the handshake
            task.cancel()

    async def _run(self) -> None:
        try:
            await self.stream.send(answer(GREETING))
            try:
                await self._run_commands()
            except LineTooLong as problem:
                refusal = (ErrorCode.SYNTAX, str(problem))
                self.context.events.publish(CommandRefused, "", "", refusal[0].value, refusal[1])
                await self._send_last(*refusal)
            if self._finish_reason is not None:
                await self._send_last(ErrorCode.BUSY, self._finish_reason)
            await self._wait_for_uploads()
            await self.stream.flush()
        except TransferStalled as stall:
            self.context.events.publish(SessionStalled, str(stall))
            self._end_with(ErrorCode.TIMEOUT, "no progress for too long")
        except TransferAborted:
            self.connection.abort()
        finally:
            self._end()

    async def _run_commands(self) -> None:
        """Run the commands until the client or the service ends the session."""
        time_budget, clock = self.context.services.time_budget, self.context.services.clock
        while not self._over and (line := await self.stream.line()) is not None:
            self._busy = True
            # 1. Let other sessions run after a while.
            if time_budget.is_exhausted or self._commands_in_turn == COMMANDS_PER_TURN:
                self.stream.flush_soon(clock)
                await time_budget.turn(continued=self._commands_in_turn > 0)
                self._commands_in_turn = 0
            # 2. Run the command; earlier answers do not wait for a slow one.
            task: Task[None] = time_budget.run_timed(Task, self._run_command(line))
            if not task.ended:
                self.stream.flush_soon(clock)
            await task
            self._commands_in_turn += 1
            if self._finish_reason is not None:
                return

    async def _run_command(self, line: bytes) -> None:
        """Run a command; it is answered however it ends, unless the connection is lost."""
        interpreter = self._interpreter
        try:
            # 1. Parse the line; an upload that cannot be parsed may have bytes to discard.
            try:
                verb, argument = parse_line(line)
            except ValueError:
                self._check_protocol(line.partition(b" ")[0].decode("ascii", "replace").upper())
                await discard_upload(self.stream, line)
                raise
            if self.context.portal_login.account is None:
                self._check_protocol(verb)
            row = SIMPLE_VERBS.get(verb, UNKNOWN_VERB)
            # 2. Run it, after the uploads before it.
            if not row.is_upload:
                await interpreter.uploads.wait_until_done()
            await row.run(interpreter, argument)
        except (TransferAborted, TransferStalled):
            raise
        except Exception as problem:
            if isinstance(problem, CancelledError) and self._over:
                raise  # this session was cancelled; from a storage it is an error like any other
            await interpreter.uploads.wait_until_done()
            await self.stream.send(interpreter.refuse(problem, line))
            drop_tracebacks(problem)
        if interpreter.final_answer_sent:
            self._over = True

    def _check_protocol(self, verb: str) -> None:
        """Raise `AnswerError` if a client uses another protocol before its login."""
        if self.context.portal_login.account is None:
            if verb in SIMPLE_VERBS:
                self.context.foreign_detector.has_spoken_ftp = True
            elif self.context.foreign_detector.must_disconnect(verb):
                raise AnswerError(ErrorCode.SYNTAX, WRONG_PROTOCOL_TEXT, ends_session=True)

    async def _send_last(self, code: ErrorCode, reason: str) -> None:
        """Send the reason for the end after all other answers."""
        if not self._over:
            await self._wait_for_uploads()
            await self.stream.send(error(code, reason))
            self._over = True

    async def _wait_for_uploads(self) -> None:
        """Wait until all uploads have ended; earlier answers do not wait for them."""
        if self._interpreter.uploads.is_running:
            self.stream.flush_soon(self.context.services.clock)
            await self._interpreter.uploads.wait_until_done()

    async def _before_wait(self) -> bool:
        """Publish the uploads and start the idle timeout, before waiting for a line."""
        self._interpreter.uploads.publish_soon()
        self._busy = False
        self._commands_in_turn = 0
        if self.context.portal_login.account is not None:
            self._deadline.set(self.context.services.settings.idle_timeout)
        return self._finish_reason is None

    def _timed_out(self) -> None:
        """End an idle session; one without a login counts as idle whatever it does."""
        if self.is_working:
            self._deadline.set(self.context.services.settings.idle_timeout)
        else:
            self._end_with(ErrorCode.TIMEOUT, "idle for too long")
            if self._task is not None:
                self._task.cancel()

    @property
    def is_working(self) -> bool:
        """Whether a command runs after a login."""
        busy = self._busy or self._interpreter.uploads.is_running
        return busy and not self._over and self.context.portal_login.account is not None

    def client_is_connected(self) -> bool:
        """Return whether the client has not closed the connection, from the state of the socket."""
        return not self._lost and not peer_has_closed(self._transport)

    def finish_and_disconnect(self, reason: str) -> None:
        """Send ``reason`` and close, after the command that runs."""
        if not self.is_working:
            self.disconnect(reason)
            return
        self._finish_reason = reason
        if not self._busy:
            Task(self._finish_after_uploads()).done.addErrback(_log_unexpected)

    async def _finish_after_uploads(self) -> None:
        """End the session when its uploads have ended, if no other command has arrived."""
        await self._interpreter.uploads.wait_until_done()
        if not self._busy and self._finish_reason is not None:
            self._end_with(ErrorCode.BUSY, self._finish_reason)

    def disconnect(self, reason: str) -> None:
        """Send ``reason`` and close; while a command runs, abort the connection."""
        if self._busy or self._interpreter.uploads.is_running:
            self.connection.abort()
        else:
            self._end_with(ErrorCode.BUSY, reason)

    @property
    def is_busy(self) -> bool:
        """Whether a command runs, including one before the login."""
        return self._busy

    def yield_place(self, reason: str) -> None:
        """Release the session's place, send ``reason`` and close; before a login.

        A login in progress is cancelled: the session has no place any more.
        """
        self._has_place = False
        self.context.events.publish(Refused, reason)
        self._registry.release_place(self.context)
        self._end_with(ErrorCode.BUSY, reason)
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """Abort the connection."""
        self._transport.abortConnection()

    def _end_with(self, code: ErrorCode, reason: str) -> None:
        """Send ``reason`` and end the session."""
        if not self._over:
            self._over = True
            self.stream.append(error(code, reason))
            self.stream.try_flush()
            self._end()

    def _end(self) -> None:
        """Close the connection gracefully; what the client still sends is discarded."""
        self._over = True
        self._deadline.clear()
        self._interpreter.uploads.publish_now()
        self.connection.close_gracefully()

    def _connection_lost(self, reason: str) -> None:
        """Log out and leave the registry."""
        self._lost = self._over = True
        self._deadline.clear()
        self.stream.cancel_flush()
        context: SessionContext = self.context
        if self._task is not None:
            self._task.cancel()
        context.end_login()
        context.portal_login.end()
        if handshake_failed(self._transport):
            context.events.publish(HandshakeFailed, reason)
        if self._is_registered:
            context.events.close(reason)
        self._registry.leave(self, context, self._has_place)
