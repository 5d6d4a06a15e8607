"""The protocol interpreter (server-PI, RFC 959 §2.2): commands in, replies out, without sockets.

- Commands are carried out one after the other, in the order in which they arrive.
- During a transfer, verbs whose row is marked ``allowed_during_transfer`` act at once: ABOR aborts
  the transfer (426, then its own 226), STAT and NOOP are answered if no command waits before them,
  QUIT is answered and the session ends when the transfer has ended (RFC 959 §4.1.1). All other
  commands wait.
- A reply of 221 or 421 is the last one, except for that of a transfer in progress.
- `finish_and_disconnect` lets the command in progress end and then sends 421; commands that wait,
  or arrive afterwards, get no other reply, but ABOR still aborts the transfer.
- Commands that arrived before AUTH or CCC was carried out are dropped (STARTTLS injection).
- Every command gets one final reply, however it ends; an unexpected error is logged, published and
  answered with 451.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from ftpservice.commands.table import VERB_TABLE
from ftpservice.concurrency.task import Task, drop_tracebacks
from ftpservice.control.dispatch import run_command, shown_verb
from ftpservice.control.refusal_events import publish_refused
from ftpservice.control.reply_writer import ReplyWriter
from ftpservice.events import CommandFailed
from ftpservice.session.context import SessionContext
from ftpservice.session.error_replies import log, reply_for, unexpected_error_text
from ftpservice.session.tls_policy import TLSSwitch
from ftpservice.session.transfer import Transfer
from ftpservice.session.verb_table import Verb
from ftpservice.wire import codes
from ftpservice.wire.commands import Command
from ftpservice.wire.replies import Reply, reply

__all__ = ["ProtocolInterpreter"]

CLOSING_CODES = (codes.GOODBYE, codes.SERVICE_UNAVAILABLE)
TLS_SWITCH_VERBS = ("AUTH", "CCC")
ABORTED = reply(codes.TRANSFER_ABORTED, "Aborted.")
COMMANDS_PER_TURN = 50
"""Commands of a session that are carried out in one step, if their time does not end before."""


class ProtocolInterpreter:
    """Carries out the commands of one session.

    ``idle`` is called when no command is in progress or waits, ``switch`` after AUTH (True) and CCC
    (False) are answered.
    """

    def __init__(
        self,
        context: SessionContext,
        outgoing: ReplyWriter,
        idle: Callable[[], None],
        switch: Callable[[bool], None],
    ) -> None:
        self.context = context
        self.final_reply_sent = False
        """Whether 221 or 421 was sent; no further command is carried out."""
        self._outgoing = outgoing
        self._idle = idle
        self._switch = switch
        self.queue: list[Command | Reply] = []  # few; an empty deque takes 760 bytes
        """Commands that wait, and replies to lines that were no command."""
        self.current: Task[None] | None = None
        """The command in progress, if it waits for something."""
        self._transfer: Task[Reply] | None = None
        self._aborted = False
        self._retiring = False
        self._ended = False
        self._time_budget = context.services.time_budget
        self._yields = False
        """Whether the commands that wait continue in a later turn of the reactor."""

    @property
    def busy(self) -> bool:
        """Whether a command is in progress or waits."""
        return self.current is not None or bool(self.queue)

    @property
    def is_unidentified_client(self) -> bool:
        """Whether the client is not logged in and has not sent a known verb so far."""
        return (
            self.context.portal_login.account is None
            and not self.context.foreign_detector.has_spoken_ftp
        )

    def receive(self, commands: Iterable[Command | Reply]) -> None:
        """Queue commands, and replies to lines that were no command, and carry them out."""
        for command in commands:
            if self.final_reply_sent:
                return
            is_done = self._transfer is not None and self._has_acted_on(command)
            if not is_done and not self._retiring:
                self.queue.append(command)
        if self.current is None and not self._yields:
            self.advance()

    def _has_acted_on(self, command: Command | Reply) -> bool:
        """Act at once on a command that is allowed during a transfer; return whether it is done."""
        if isinstance(command, Reply):
            return False
        row = VERB_TABLE.rows.get(command.verb)
        return row is not None and row.allowed_during_transfer and self._act_at_once(row, command)

    def _act_at_once(self, row: Verb, command: Command) -> bool:
        """Act on a command, unless that changes the order of replies; return whether it is done."""
        if row.name == "ABOR":
            if self._next_of(*TLS_SWITCH_VERBS) is None:
                self.abort()
            return False
        if self.queue or self._outgoing.is_full:
            return False
        if row.name == "STAT" and command.argument is not None:
            return False
        Task(self._perform(command)).done.addErrback(self._unexpected)
        return True

    def _next_of(self, *verbs: str) -> str | None:
        """Return the first of these verbs that waits."""
        waiting = (one.verb for one in self.queue if isinstance(one, Command))
        return next((verb for verb in waiting if verb in verbs), None)

    def abort(self) -> None:
        """Abort the transfer in progress; it still gives its reply.

        An upload that is being published completes: a commit cannot be undone.
        """
        if self._transfer is not None and not self._aborted:
            self._aborted = True
            running = self.context.running
            if running is None or not running.is_committing:
                self._transfer.cancel()

    def finish_and_disconnect(self, last: Reply) -> None:
        """Let the command in progress end, then send ``last``; drop the commands that wait."""
        if not self.final_reply_sent and not self._retiring:
            self._retiring = True
            self.queue.clear()
            self.queue.append(last)
            if self.current is None:
                self.advance()

    def end(self) -> None:
        """Cancel everything and log out: the connection has ended."""
        if self._ended:
            return
        self._ended = self.final_reply_sent = True
        self.queue.clear()
        if self._transfer is not None:
            self.abort()
        elif self.current is not None:
            self.current.cancel()
        self.context.end_login()
        self.context.portal_login.end()

    def advance(self) -> None:
        """Carry out the commands that wait, until one takes time or the client must read first."""
        done = 0
        while self.queue and self.current is None and not self._outgoing.is_full:
            if done == COMMANDS_PER_TURN or (done and self._time_budget.step_is_over):
                self._yields = True
                self._time_budget.continue_later(self._resume)
                return
            done += 1
            command = self.queue.pop(0)
            if isinstance(command, Reply):
                self._send(command)
                continue
            task = Task(self._perform(command))
            if not task.has_returned:
                self._wait_for(task)
        if (
            self.current is None
            and not self.queue
            and (self.final_reply_sent or not self._outgoing.is_holding_replies)
        ):
            self._idle()

    def _resume(self) -> None:
        """Continue with the commands that wait, in a turn of their own."""
        self._yields = False
        if not self._ended:
            self._outgoing.is_holding_replies = True
            self.advance()
            self._outgoing.flush()
            if not self.busy:
                self._idle()

    def _wait_for(self, current: Task[None]) -> None:
        """Continue with the waiting commands after ``current``, which has not returned."""
        current.done.addErrback(self._unexpected)
        if not current.ended:
            self.current = current
            current.done.addCallback(self._done)

    def _done(self, _none: None) -> None:
        self.current = None
        if self.queue:
            self.resume()
        else:
            self._idle()

    def resume(self) -> None:
        """Carry out the commands that wait, when there is time for it."""
        self._time_budget.take(self._resume, continued=True)

    def _unexpected(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            log.failure("a session failed", failure)

    def _send(self, answer: Reply) -> None:
        if self._ended:
            return
        if answer.code in CLOSING_CODES:
            self.final_reply_sent = True
            self.queue.clear()
        self._outgoing.write(answer)

    async def _perform(self, command: Command) -> None:
        """Carry out a command to its final reply."""
        try:
            outcome = await run_command(self.context, command)
        except Exception as error:
            if isinstance(error, CancelledError) and self._ended:
                raise  # by `end`; if a storage raises it by itself, the command has failed
            outcome = self._refused(command, error)
            drop_tracebacks(error)
        else:
            if isinstance(outcome, Reply) and outcome.code >= 400:
                publish_refused(self.context, command, outcome)
        if isinstance(outcome, Reply):
            self._send(outcome)
        elif isinstance(outcome, TLSSwitch):
            self._answer_and_switch(outcome)
        else:
            await self._run_transfer(command, outcome)

    async def _run_transfer(self, command: Command, transfer: Transfer) -> None:
        """Run a transfer between its preliminary and its final reply."""
        if transfer.preliminary is not None:
            self._send(transfer.preliminary)
            if self.context.tls_state.data:
                self._outgoing.flush()  # the client prepares its handshake meanwhile
        self._aborted = False
        self.context.running = transfer
        self._transfer = Task(transfer.run())
        if self.queue and self._next_of("ABOR", *TLS_SWITCH_VERBS) == "ABOR":
            self.abort()  # it arrived while the transfer was being prepared
        try:
            answer = await self._transfer
        except CancelledError as error:
            is_ours = self._aborted or self._ended
            answer = ABORTED if is_ours else self._refused(command, error)
        except Exception as error:  # noqa: BLE001 - whatever fails, the session continues
            answer = self._refused(command, error)
        finally:
            self._transfer = self.context.running = None
        self._send(answer)

    def _answer_and_switch(self, switch: TLSSwitch) -> None:
        """Answer AUTH or CCC and drop the commands that wait: they arrived before the change."""
        self.queue.clear()
        self._send(switch.reply)
        if not self._ended:
            self._switch(switch.secure)

    def _refused(self, command: Command, error: Exception) -> Reply:
        """Return the reply to a command that failed, and publish the failure."""
        answer = reply_for(error)
        if answer is not None:
            publish_refused(self.context, command, answer, error)
            return answer
        log.failure("{verb} failed", verb=shown_verb(command.verb))
        self.context.events.publish(
            CommandFailed, shown_verb(command.verb), unexpected_error_text(error)
        )
        return reply(codes.LOCAL_ERROR, "Local error in processing.")
