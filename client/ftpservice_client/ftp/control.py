"""The control connection (RFC 959 §2.2): sends commands and assigns each reply to its command.

A server replies in the order of the commands, so replies are assigned by counting. A command whose
caller has gone (the call was cancelled) is *abandoned*: its reply is still read and counted, and
nothing else is sent before it has arrived. If it does not arrive in time, the connection is closed,
because later replies could no longer be assigned. An unexpected reply closes it as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ftpservice.concurrency.timers import Deadline
from ftpservice.net.immediate_write import write_now
from ftpservice.net.tls.client import ClientTLS
from ftpservice.net.tls.handshake import HandshakeError
from ftpservice.stream.stall_timeout import Wakeup
from ftpservice.wire import codes
from ftpservice.wire.replies import Reply
from ftpservice.wire.units import seconds_text
from ftpservice_client.arguments import FORBIDDEN_CHARACTERS, checked_argument
from ftpservice_client.errors import (
    ClientError,
    NetworkError,
    ProtocolViolation,
    ServerBusy,
    Timeout,
)
from ftpservice_client.ftp.reply_errors import error_for_reply
from ftpservice_client.ftp.reply_reader import ReplyReader
from ftpservice_client.link.tls import certificate_error

__all__ = ["CommandExchange", "ControlConnection"]

ABANDONED_REPLY_SECONDS = 10.0
"""Seconds within which the reply to an abandoned command has to arrive."""
MAX_PRELIMINARY_REPLIES = 100
"""Preliminary replies to one command; servers may send several (restart markers)."""
IAC = b"\xff"


class CommandExchange(Wakeup):
    """One command and its replies: any number of preliminary ones (1xx), then the final one.

    The wakeup fires at each change; there is at most one waiter.
    """

    def __init__(self, command: str, clock: IReactorTime) -> None:
        self._clock = clock
        self.command = command
        """The verb, for messages."""
        self.preliminary: Reply | None = None
        """The first preliminary reply."""
        self.preliminary_count = 0
        self.final: Reply | None = None
        self.error: ClientError | None = None
        self.is_over = False
        """Whether there is a final reply or an error."""
        self.on_first_reply: Callable[[], object] | None = None
        """Called at the first reply of any kind, or when the connection is lost."""
        self.on_final_reply: Callable[[], object] | None = None
        """Called at the final reply, or when the connection is lost."""

    def fail(self, error: ClientError) -> None:
        """Record that no reply will arrive any more."""
        self.error = self.error or error
        self.is_over = True
        self.notify()

    def notify(self) -> None:
        """Call the callbacks that are due and wake the waiter."""
        on_first, self.on_first_reply = self.on_first_reply, None
        if on_first is not None:
            on_first()
        if self.is_over and self.on_final_reply is not None:
            on_final, self.on_final_reply = self.on_final_reply, None
            on_final()
        if self._waiting is not None:
            self.wake_waiter()

    async def wait_final(self, seconds: float) -> bool:
        """Wait for the final reply; return whether it (or an error) arrived within ``seconds``."""
        while not self.is_over:
            if not await self.wait(seconds):
                return False
        return True


class ControlConnection(Protocol):
    """One control connection; once it is lost, everything fails with the same error."""

    lost: ClientError | None = None
    """Why it cannot be used any more."""

    def __init__(self, clock: IReactorTime, timeout: float) -> None:
        self.timeout = timeout
        """Seconds to wait for a reply; 0: no limit."""
        self._clock = clock
        self._replies = ReplyReader()
        self._exchanges: deque[CommandExchange] = deque()
        self._abandoned: set[CommandExchange] = set()
        self._deadline = Deadline(clock, self._abandoned_reply_late)
        self._drained = Wakeup(clock)
        self._closed = Wakeup(clock)
        self._is_closed = False
        self._handshake: Deferred[None] | None = None
        self.when_lost: Callable[[ClientError], object] | None = None
        """Called once, with the error, when the connection is lost."""
        self.greeting = CommandExchange("the connection", clock)
        """The exchange of the server's greeting."""
        self._exchanges.append(self.greeting)

    def connectionMade(self) -> None:
        """Set the socket options."""
        transport: Any = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)

    async def drain_abandoned(self) -> None:
        """Wait for the replies to all abandoned commands; raises `NetworkError`."""
        while self._abandoned and self.lost is None:
            await self._drained.wait(0)
        if self.lost is not None:
            raise self.lost

    def send_commands(self, *commands: str) -> list[CommandExchange]:
        """Send commands in one segment; return the exchange of each.

        Raises `InvalidArgument`, and `NetworkError` if the connection is lost.
        """
        text = ""
        exchanges = []
        for command in commands:
            if not command or FORBIDDEN_CHARACTERS.search(command):
                checked_argument(command)
            text += f"{command}\r\n"
            exchanges.append(CommandExchange(command.partition(" ")[0].upper(), self._clock))
        if self.lost is not None:
            raise self.lost
        self._exchanges.extend(exchanges)
        if text:
            line = text.encode("utf-8", "surrogateescape")
            write_now(self.transport, line.replace(IAC, IAC + IAC))
        return exchanges

    async def ask(self, command: str) -> Reply:
        """Send a command and return its final reply, a refusal too.

        Raises `NetworkError`, `Timeout`.
        """
        (exchange,) = self.send_commands(command)
        return await self.reply_to(exchange)

    async def expect(self, command: str) -> Reply:
        """Send a command and return its reply; raises the error of a reply of 400 or more."""
        reply = await self.ask(command)
        if reply.code >= 400:
            raise error_for_reply(reply, command)
        return reply

    async def reply_to(self, exchange: CommandExchange, *, or_preliminary: bool = False) -> Reply:
        """Wait for the final reply or, with ``or_preliminary``, for the first reply.

        Raises `NetworkError`, `Timeout`. When cancelled it abandons the command.
        """
        while not exchange.is_over and not (or_preliminary and exchange.preliminary is not None):
            try:
                in_time = await exchange.wait(self.timeout)
            except CancelledError:
                self.abandon(exchange)
                raise
            if not in_time:
                text = f"no reply to {exchange.command} in {seconds_text(self.timeout)}"
                self.close(Timeout(text))
        if or_preliminary and exchange.preliminary is not None:
            return exchange.preliminary
        if exchange.final is None:
            raise exchange.error or NetworkError("the connection was lost")
        return exchange.final

    def abandon(self, *exchanges: CommandExchange) -> None:
        """Ignore the replies to these commands, which have to arrive soon."""
        open_ones = [exchange for exchange in exchanges if not exchange.is_over]
        if open_ones and self.lost is None:
            self._abandoned.update(open_ones)
            self._deadline.set(
                min(ABANDONED_REPLY_SECONDS, self.timeout or ABANDONED_REPLY_SECONDS)
            )

    async def start_tls(self, tls: ClientTLS) -> None:
        """Switch to TLS; raises `CertificateNotTrusted`, `NetworkError`."""
        if self._replies.pending or any(
            exchange is not self.greeting for exchange in self._exchanges
        ):
            self.close(ProtocolViolation("the server sent plaintext after its reply to AUTH TLS"))
        if self.lost is not None:
            raise self.lost
        self._handshake = Deferred(lambda _: self.close(NetworkError("cancelled")))
        self.transport = tls.start_tls(self.transport, self, self._handshake_done, self.timeout)
        await self._handshake

    def _handshake_done(self) -> None:
        handshake, self._handshake = self._handshake, None
        self.transport.resumeProducing()  # type: ignore[union-attr]  # every stream has it
        if handshake is not None:
            handshake.callback(None)

    def close(self, error: ClientError) -> None:
        """Abort the connection; everything fails with ``error``."""
        if self.lost is None:
            self._fail_all(error)
            transport: Any = self.transport
            if transport is not None:
                transport.abortConnection()

    def close_gracefully(self) -> None:
        """Close the connection after what was sent."""
        if self.lost is None:
            self._fail_all(NetworkError("the client has quit"))
            assert self.transport is not None
            self.transport.loseConnection()

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the connection is closed; abort it after ``seconds``."""
        transport: Any = self.transport
        if not self._is_closed and not await self._closed.wait(seconds):
            transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Assign all replies that have arrived, and only then notify their waiters."""
        if self.lost is not None:
            return
        answered: dict[CommandExchange, None] = {}
        try:
            for reply in self._replies.feed(data):
                if self.lost is None:
                    self._assign(reply, answered)
        except ProtocolViolation as error:
            self.close(error)
        for exchange in answered:
            exchange.notify()

    def _assign(self, reply: Reply, answered: dict[CommandExchange, None]) -> None:
        if self._exchanges:
            exchange = self._exchanges[0]
            answered[exchange] = None
            if reply.code >= codes.OK:
                self._exchanges.popleft()
                exchange.final, exchange.is_over = reply, True
                if self._abandoned:
                    self._discard_abandoned(exchange)
            else:
                exchange.preliminary = exchange.preliminary or reply
                exchange.preliminary_count += 1
                if exchange.preliminary_count > MAX_PRELIMINARY_REPLIES:
                    raise ProtocolViolation("the server sends preliminary replies without end")
        elif reply.code != codes.SERVICE_UNAVAILABLE:
            raise ProtocolViolation(f"the server sent an unexpected reply: {reply.code}")
        if reply.code == codes.SERVICE_UNAVAILABLE:  # 421 may come at any time (RFC 959 §5.4)
            self.close(ServerBusy(f"the server closed the session: {reply.lines[-1]}", reply))

    def _discard_abandoned(self, exchange: CommandExchange) -> None:
        self._abandoned.discard(exchange)
        if not self._abandoned:
            self._deadline.clear()
            self._drained.wake_waiter()

    def _abandoned_reply_late(self) -> None:
        self.close(Timeout("the server did not reply to a cancelled command"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fail all calls under way."""
        self._is_closed = True
        self._closed.wake_waiter()
        if self.lost is None:
            error = reason.value
            self._fail_all(
                certificate_error(error)
                if isinstance(error, HandshakeError)
                else NetworkError("the server closed the connection")
            )

    def _fail_all(self, error: ClientError) -> None:
        self.lost = error
        when_lost, self.when_lost = self.when_lost, None
        if when_lost is not None:
            when_lost(error)
        self._deadline.clear()
        self._abandoned.clear()
        exchanges, self._exchanges = list(self._exchanges), deque()
        for exchange in exchanges:
            exchange.fail(error)
        self._drained.wake_waiter()
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            handshake.errback(error)
