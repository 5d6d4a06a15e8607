"""The control connection: bytes to commands, replies to bytes, timeouts; all else is elsewhere."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.concurrency.timers import Deadline
from ftpservice.control.interpreter import ProtocolInterpreter
from ftpservice.control.limits import MAX_LONG_LINES, MAX_QUEUED_COMMANDS
from ftpservice.control.reply_writer import ReplyWriter
from ftpservice.events import CommandRefused, HandshakeFailed, Refused, SessionClosed, SessionOpened
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
from ftpservice.wire.commands import parse_command
from ftpservice.wire.foreign_protocols import begins_tls
from ftpservice.wire.lines import LineReader
from ftpservice.wire.replies import Reply, reply

__all__ = ["ControlProtocol"]

MAX_UNREAD_BYTES = 64 * 1024
"""Bytes that wait for their turn before no more are received."""
PARSE_SIZE = 512
"""Bytes of input that are read in one step: a hundred short commands, or a part of a long one."""
LINGER_SECONDS = 3.0
"""Seconds that the peer has to take the last reply before the connection is cut."""


@implementer(IHalfCloseableProtocol)
class ControlProtocol(Protocol):
    """One session of FTP (RFC 959), from the greeting to the last reply.

    The last reply is followed by a FIN, not by a close: what the client still sends would make
    the kernel answer with an RST, and the reply would be lost on its way.
    """

    transport: Any
    """A stream transport that is a producer too, as those of all reactors are."""

    def __init__(self, lobby: SessionRegistry, implicit: bool = False) -> None:
        self._lobby = lobby
        self._implicit = implicit
        self._lines = LineReader()
        self._long_lines = 0
        self._input_ended = self._closing = self._entered = self._switching = False
        self._held = False
        self._is_first = True
        """Whether nothing has arrived so far."""
        self._arrived = b""
        """What waits for its turn."""

    def connectionMade(self) -> None:
        """Greet the client, or turn it away."""
        set_socket_options(self.transport)
        self._context = context = self._lobby.context(self, control_addresses(self.transport))
        self._settings = context.services.settings
        self._turns = context.services.turns
        self._deadline = Deadline(context.services.clock, self._timed_out)
        self._outgoing = ReplyWriter(self.transport, self._drained)
        self._conversation = ProtocolInterpreter(context, self._outgoing, self._idle, self._switch)
        if self._implicit:
            context.tls_state.begin(private=True)
            self._switch(secure=True)
        refused = self._lobby.enter(context)
        if refused is not None:
            context.publish(Refused, refused)
            self._conversation.receive([reply(codes.SERVICE_UNAVAILABLE, refused)])
            return
        self._entered = True
        context.publish(SessionOpened)
        self._deadline.set(self._settings.login_timeout)
        self._outgoing.say(reply(codes.READY, *self._settings.welcome.splitlines() or [""]))

    def client_is_connected(self) -> bool:
        """Ask whether the client still holds its end of the control connection.

        One that said QUIT may end its side before its transfer ends.
        """
        if self._conversation.final_reply_sent:
            return True
        return not self._input_ended and not peer_has_closed(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """Take what the client sent, now or when others had their turn."""
        if self._switching or self._closing:
            return
        waits = bool(self._arrived)
        self._arrived += data
        if not waits:
            conversation = self._conversation
            is_busy = conversation.current is not None or bool(conversation.queue)
            self._turns.take(self._take_in, is_busy)
        elif len(self._arrived) > MAX_UNREAD_BYTES and not self._held:
            self._hold()

    def _take_in(self) -> None:
        data = self._arrived
        if not data:
            return
        if self._is_first and self._is_tls_handshake(data):
            self.disconnect("TLS on this port begins with AUTH TLS.")
            return
        if len(data) > PARSE_SIZE:
            data, self._arrived = data[:PARSE_SIZE], data[PARSE_SIZE:]
        else:
            self._arrived = b""
        outgoing, telnet = self._outgoing, self._lines.telnet
        outgoing.is_holding_replies = True
        lines = self._lines.feed(data)
        if lines:  # half a line is no command, and does not end idleness
            self._conversation.receive(
                parse_command(line) if isinstance(line, bytes) else self._too_long()
                for line in lines
            )
        outgoing.flush(telnet.take_telnet_replies() if telnet.answers else b"")
        if self._closing or self._switching:
            return
        if lines and self._context.portal_login.account is not None:
            self._deadline.set(self._settings.idle_timeout)
        if self._arrived or self._held or self._input_ended or self._conversation.queue:
            self._proceed()

    def _is_tls_handshake(self, data: bytes) -> bool:
        """Tell whether the first bytes of a plaintext session are a TLS handshake."""
        self._is_first = False
        return begins_tls(data)

    def _proceed(self) -> None:
        """Read more of what has arrived, receive more, or part: whatever is next."""
        if len(self._conversation.queue) > MAX_QUEUED_COMMANDS:
            self._hold()
        elif self._arrived:
            self._turns.continue_later(self._take_in)
        elif self._input_ended:
            if not self._conversation.busy:
                self._hang_up()
        elif self._held:
            self._let_flow()

    def _hold(self) -> None:
        """Receive no more for now."""
        self._held = True
        self.transport.pauseProducing()

    def _let_flow(self) -> None:
        self._held = False
        self.transport.resumeProducing()

    def _too_long(self) -> Reply:
        """Refuse a line, and the session with the last one that it puts up with."""
        self._long_lines += 1
        answer = reply(codes.UNKNOWN_VERB, "Line too long.")
        if self._long_lines >= MAX_LONG_LINES or self._conversation.is_unidentified_client:
            answer = reply(codes.SERVICE_UNAVAILABLE, "Too many lines that are too long.")
        self._context.publish(CommandRefused, "", "", answer.code, answer.lines[-1])
        return answer

    def _drained(self) -> None:
        self._conversation.resume()

    def _idle(self) -> None:
        """Nothing is left to do: wait for more, or part."""
        if self._conversation.final_reply_sent:
            self._hang_up()
        elif not self._switching and not self._outgoing.is_holding_replies:
            if self._context.portal_login.account is not None:
                self._deadline.set(self._settings.idle_timeout)
            self._proceed()

    def _switch(self, secure: bool) -> None:
        """Go under TLS, or leave it, when the reply is sent; what has come till then is nothing."""
        self._switching = True
        self._arrived = b""
        self._lines.clear()
        if self._context.portal_login.account is None:
            self._deadline.set(self._settings.login_timeout)
        self._hold()
        self._outgoing.end()
        call_when_sent(self.transport, self._secure if secure else self._clear)

    def _secure(self) -> None:
        tls, timeout = self._context.services.tls, self._settings.tls.handshake_timeout
        assert tls is not None
        self._switched(start_server_tls(self.transport, tls, timeout, self._secured))

    def _secured(self) -> None:
        self._context.tls_state.learn(*negotiated_tls(self.transport))

    def _clear(self) -> None:
        stop_tls(self.transport).addCallbacks(self._switched, lambda _lost: None)

    def _switched(self, transport: Any) -> None:
        self.transport = transport
        self._switching = False
        if self._closing:
            transport.loseConnection()
        else:
            self._outgoing.move(transport)
            self._idle()

    def _timed_out(self) -> None:
        if self._context.running is not None:
            self._deadline.set(self._settings.idle_timeout)
            return
        self.disconnect("Timeout.")

    @property
    def is_working(self) -> bool:
        """Whether a user's command is being carried out."""
        context, conversation = self._context, self._conversation
        if self._closing or context.portal_login.account is None:
            return False
        return conversation.busy and not (self._outgoing.is_full and context.running is None)

    def finish_and_disconnect(self, reason: str) -> None:
        """Say 421 and close, after the transfer in progress if there is one."""
        if self.is_working:
            self._conversation.finish_and_disconnect(reply(codes.SERVICE_UNAVAILABLE, reason))
        else:
            self.disconnect(reason)

    def disconnect(self, reason: str) -> None:
        """Say 421 and close; a transfer in progress is cut."""
        if not self._conversation.final_reply_sent:
            self._outgoing.say(reply(codes.SERVICE_UNAVAILABLE, reason))
        self._conversation.end()
        self._hang_up()

    @property
    def is_busy(self) -> bool:
        """Whether any command is being carried out, a login too."""
        return self._conversation.busy

    def yield_place(self, reason: str) -> None:
        """Give up the place and say that it is over, before a login."""
        self._entered = False
        self._context.publish(Refused, reason)
        self._context.publish(SessionClosed, reason)
        self._lobby.release_place(self._context)
        self.disconnect(reason)

    def cut(self) -> None:
        """Break the connection."""
        self._conversation.end()
        self.transport.abortConnection()

    def _hang_up(self) -> None:
        """End our side; the connection is cut when the peer does not end its own soon."""
        if self._closing:
            return
        self._closing = True
        self._arrived = b""
        self._outgoing.end()
        self._deadline.clear()
        transport = self.transport
        if self._input_ended or not ITCPTransport.providedBy(transport):
            transport.loseConnection()
            return
        self._let_flow()
        self.transport.loseWriteConnection()
        self._deadline = Deadline(self._context.services.clock, transport.abortConnection)
        self._deadline.set(LINGER_SECONDS)

    def readConnectionLost(self) -> None:
        """The client sends no more; what it asked for is still done, but for an upload.

        A client that is killed ends its control and its data connection alike, and the end of
        the data must not pass for the end of the file.
        """
        self._take_in()  # what came before the end, and still waits
        self._input_ended = True
        running = self._context.running
        if running is not None and running.upload and not self._conversation.final_reply_sent:
            self._conversation.abort()
        if self._closing:
            self.transport.loseConnection()
        elif not self._arrived and not self._conversation.busy:
            self._hang_up()

    def writeConnectionLost(self) -> None:
        """We have ended our side; nothing to do."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop everything and log out."""
        self._input_ended = True
        self._arrived = b""
        self._deadline.clear()
        self._conversation.end()
        if handshake_failed(self.transport):
            self._context.publish(HandshakeFailed, reason.getErrorMessage())
        if self._entered:
            self._context.publish(SessionClosed, reason.getErrorMessage())
        self._lobby.leave(self, self._context, self._entered)
