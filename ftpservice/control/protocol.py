"""The control connection: bytes to commands, replies to bytes, TLS, timeouts, closing."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.concurrency.timers import Deadline
from ftpservice.control.interpreter import ProtocolInterpreter
from ftpservice.control.reply_writer import ReplyWriter
from ftpservice.events import CommandRefused, HandshakeFailed, Refused, SessionOpened
from ftpservice.net.accepted_tcp import AcceptedControlTransport
from ftpservice.net.immediate_write import half_close_now
from ftpservice.net.socket_state import peer_has_closed
from ftpservice.session.control_transport import control_addresses, set_socket_options
from ftpservice.session.registry import SessionRegistry
from ftpservice.session.starttls import (
    call_when_sent,
    handshake_failed,
    negotiated_tls,
    start_server_tls,
    stop_tls,
)
from ftpservice.wire import codes
from ftpservice.wire.commands import Command, parse_command
from ftpservice.wire.foreign_protocols import TLS_HANDSHAKE
from ftpservice.wire.lines import LineReader
from ftpservice.wire.replies import Reply, reply

__all__ = ["ControlProtocol"]

MAX_LONG_LINES = 3
"""Lines that are too long; the last of them closes the connection."""
MAX_QUEUED_COMMANDS = 100
"""Commands that wait; with more the control connection is not read."""
READ_SIZE = 4 * 1024
"""Bytes per ``recv``, which takes memory for all of them and then splits it: what is kept longer
than a command would leave holes of this size."""
MAX_UNREAD_BYTES = 64 * 1024
"""With more bytes that wait for their turn, no more are received."""
PARSE_SIZE = 512
"""Bytes of input that are parsed in one step: a hundred short commands, or part of a long one."""
LINGER_SECONDS = 3.0
"""Time for the peer to close after the last reply; then the connection is aborted."""


@implementer(IHalfCloseableProtocol)
class ControlProtocol(Protocol):
    """One session of FTP (RFC 959), from the greeting to the last reply.

    Half-close: the last reply is followed by a FIN, and the socket stays open until the client
    closes. After a close, bytes that the client still sends would make the kernel answer with an
    RST, and the reply could be lost.
    """

    transport: Any
    """A stream transport that is also a push producer, as those of all reactors are."""
    interpreter: ProtocolInterpreter

    def __init__(self, registry: SessionRegistry, implicit: bool = False) -> None:
        self._registry = registry
        self._implicit = implicit
        self._lines = LineReader()
        self._long_lines = 0
        self._input_ended = self._closing = self._entered = self._switching = False
        self._held = False
        self._is_waiting = False
        """Whether it is not known yet if there is a place for the session."""
        self._is_first = True
        """Whether no byte has arrived so far."""
        self._unparsed = b""
        """Bytes that wait for their turn."""

    def connectionMade(self) -> None:
        """Greet the client, or refuse the session with 421."""
        set_socket_options(self.transport)
        self.transport.bufferSize = READ_SIZE
        self.context = context = self._registry.context(self, control_addresses(self.transport))
        self._settings = context.services.settings
        self._time_budget = context.services.time_budget
        self._deadline = Deadline(context.services.clock, self._timed_out)
        self.outgoing = ReplyWriter(context, self.transport)
        self.interpreter = ProtocolInterpreter(context, self.outgoing, self._idle, self._switch)
        self.outgoing.drained = self.interpreter.resume
        if self._implicit:
            context.tls_state.begin(implies_prot_p=True)
            self._switch(secure=True)
        refused = self._registry.enter(context)
        if isinstance(refused, Deferred):
            self._is_waiting = True
            refused.addCallback(self._greet)
        else:
            self._greet(refused)

    def _greet(self, refused: str | None) -> None:
        """Greet the client, or refuse the session, once it is known whether it has a place."""
        context, was_waiting = self.context, self._is_waiting
        self._is_waiting = False
        if self._closing:
            if refused is None:
                self._registry.release_place(context)
            return
        if refused is not None:
            context.events.publish(Refused, refused)
            self.interpreter.receive([reply(codes.SERVICE_UNAVAILABLE, refused)])
            return
        self._entered = True
        context.events.publish(SessionOpened)
        self._deadline.set(self._settings.login_timeout)
        self.outgoing.write(reply(codes.READY, *self._settings.welcome.splitlines() or [""]))
        if was_waiting:
            self._proceed()

    def client_is_connected(self) -> bool:
        """Return whether the client holds its end of the control connection; asks the kernel.

        A client that sent QUIT may end its side before its transfer ends.
        """
        if self.interpreter.final_reply_sent:
            return True
        return not self._input_ended and not peer_has_closed(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Parse what the client sent, now or in a later turn."""
        if self._switching or self._closing:
            return
        waits = bool(self._unparsed)
        self._unparsed += data
        if not waits:
            interpreter = self.interpreter
            is_busy = interpreter.current is not None or bool(interpreter.queue)
            self._time_budget.take(self._parse_input, is_busy)
        elif len(self._unparsed) > MAX_UNREAD_BYTES and not self._held:
            self._stop_receiving()

    def _parse_input(self) -> None:
        data = self._unparsed
        if not data or self._is_waiting:
            return
        if self._is_first and self._is_tls_handshake(data):
            self.disconnect("TLS on this port begins with AUTH TLS.")
            return
        data, self._unparsed = data[:PARSE_SIZE], data[PARSE_SIZE:]
        outgoing, telnet = self.outgoing, self._lines.telnet
        outgoing.is_holding_replies = True
        lines = self._lines.feed(data)
        if lines:  # half a line is no command, and does not reset the idle timeout
            commands: list[Command | Reply] = []
            for line in lines:
                commands.append(
                    parse_command(line) if isinstance(line, bytes) else self._refuse_long_line()
                )
            self.interpreter.receive(commands)
        outgoing.flush(telnet.take_telnet_replies() if telnet.answers else b"")
        if self._closing or self._switching:
            return
        if lines and self.context.portal_login.account is not None:
            self._deadline.set(self._settings.idle_timeout)
        if self._unparsed or self._held or self._input_ended or self.interpreter.queue:
            self._proceed()

    def _is_tls_handshake(self, data: bytes) -> bool:
        """Return whether the first bytes of a plaintext session begin a TLS handshake."""
        self._is_first = False
        return data.startswith(TLS_HANDSHAKE)

    def _proceed(self) -> None:
        """Parse more of what has arrived, receive more, or close: whatever is next."""
        if self._is_waiting:
            return
        if len(self.interpreter.queue) > MAX_QUEUED_COMMANDS:
            self._stop_receiving()
        elif self._unparsed:
            self._time_budget.continue_later(self._parse_input)
        elif self._input_ended:
            if not self.interpreter.busy:
                self._close()
        elif self._held:
            self._resume_receiving()

    def _stop_receiving(self) -> None:
        """Receive nothing for now."""
        self._held = True
        self.transport.pauseProducing()

    def _resume_receiving(self) -> None:
        self._held = False
        self.transport.resumeProducing()

    def _refuse_long_line(self) -> Reply:
        """Return the reply to a line that is too long; the last one ends the session."""
        self._long_lines += 1
        answer = reply(codes.UNKNOWN_VERB, "Line too long.")
        if self._long_lines >= MAX_LONG_LINES or self.interpreter.is_unidentified_client:
            answer = reply(codes.SERVICE_UNAVAILABLE, "Too many lines that are too long.")
        self.context.events.publish(CommandRefused, "", "", answer.code, answer.lines[-1])
        return answer

    def _idle(self) -> None:
        """No command is in progress or waits: receive more, or close."""
        if self.interpreter.final_reply_sent:
            self._close()
        elif not self._switching and not self.outgoing.is_holding_replies:
            if self.context.portal_login.account is not None:
                self._deadline.set(self._settings.idle_timeout)
            self._proceed()

    def _switch(self, secure: bool) -> None:
        """Start or end TLS once the reply is sent; drop what arrives before that."""
        self._switching = True
        self._unparsed = b""
        self._lines.clear()
        if self.context.portal_login.account is None:
            self._deadline.set(self._settings.login_timeout)
        self._stop_receiving()
        self.outgoing.end()
        call_when_sent(self.transport, self._start_tls if secure else self._end_tls)

    def _start_tls(self) -> None:
        tls, timeout = self.context.services.tls, self._settings.tls.handshake_timeout
        assert tls is not None
        self._use_transport(start_server_tls(self.transport, tls, timeout, self._secured))

    def _secured(self) -> None:
        self.context.tls_state.handshake_done(*negotiated_tls(self.transport))

    def _end_tls(self) -> None:
        stop_tls(self.transport).addCallbacks(self._use_transport, lambda _lost: None)

    def _use_transport(self, transport: Any) -> None:
        self.transport = transport
        self._switching = False
        if self._closing:
            transport.loseConnection()
        else:
            self.outgoing.switch_transport(transport)
            self._idle()

    def _timed_out(self) -> None:
        if self.context.running is not None:
            self._deadline.set(self._settings.idle_timeout)
            return
        self.disconnect("Timeout.")

    @property
    def is_working(self) -> bool:
        """Whether a command of a logged-in user is in progress."""
        context, interpreter = self.context, self.interpreter
        if self._closing or context.portal_login.account is None:
            return False
        return interpreter.busy and not (self.outgoing.is_full and context.running is None)

    def finish_and_disconnect(self, reason: str) -> None:
        """Send 421 and close, after the command in progress if there is one."""
        if self.is_working:
            self.interpreter.finish_and_disconnect(reply(codes.SERVICE_UNAVAILABLE, reason))
        else:
            self.disconnect(reason)

    def disconnect(self, reason: str) -> None:
        """Send 421 and close; a transfer in progress is aborted."""
        if not self.interpreter.final_reply_sent:
            self.outgoing.write(reply(codes.SERVICE_UNAVAILABLE, reason))
        self.interpreter.end()
        self._close()

    @property
    def is_busy(self) -> bool:
        """Whether any command is in progress, also before a login."""
        return self.interpreter.busy

    def yield_place(self, reason: str) -> None:
        """Send 421 and close, before a login, because another session needs the place."""
        self._entered = False
        self.context.events.publish(Refused, reason)
        self._registry.release_place(self.context)
        self.disconnect(reason)
        self.context.events.close(reason)

    def abort(self) -> None:
        """Abort the connection."""
        self.interpreter.end()
        self.transport.abortConnection()

    def _close(self) -> None:
        """Half-close; abort the connection if the client does not close soon."""
        if self._closing:
            return
        self._closing = True
        self._unparsed = b""
        self.outgoing.end()
        self._deadline.clear()
        transport = self.transport
        if self._input_ended or not ITCPTransport.providedBy(transport):
            transport.loseConnection()
            return
        self._resume_receiving()
        if isinstance(transport, AcceptedControlTransport):
            half_close_now(transport)
        else:
            transport.loseWriteConnection()
        self._deadline = Deadline(self.context.services.clock, transport.abortConnection)
        self._deadline.set(LINGER_SECONDS)

    def readConnectionLost(self) -> None:
        """Carry out what was received before the client's half-close, but abort an upload.

        A client that is killed ends its control and its data connection alike, and the end of
        the data must not be taken for the end of the file.
        """
        self._parse_input()  # bytes that arrived before the end and still wait
        self._input_ended = True
        running = self.context.running
        if running is not None and running.upload and not self.interpreter.final_reply_sent:
            self.interpreter.abort()
        if self._closing:
            transport = self.transport
            is_plain = isinstance(transport, AcceptedControlTransport)
            if not (is_plain and transport.close_after_peer()):
                transport.loseConnection()
        elif not self._unparsed and not self.interpreter.busy:
            self._close()

    def writeConnectionLost(self) -> None:
        """Do nothing: our half-close was sent."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Cancel everything and log out."""
        self._input_ended = self._closing = True
        self._unparsed = b""
        self._deadline.clear()
        self.interpreter.end()
        if handshake_failed(self.transport):
            self.context.events.publish(HandshakeFailed, reason.getErrorMessage())
        if self._entered:
            self.context.events.close(reason.getErrorMessage())
        self._registry.leave(self, self.context, self._entered)
