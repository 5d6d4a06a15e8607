"""The control connection: sends commands, hands each the replies that are its own.

Servers answer in order, so replies find their commands by counting; and a command that nobody
waits for any more (its call was cancelled) still gets its reply, or the count would be wrong
for ever. Until it has come nothing else is sent; if it doesn't come in time the connection is
closed. The same goes for a server that answers what was not asked.
"""

from __future__ import annotations

from collections import deque
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
from ftpservice_client.arguments import checked_argument
from ftpservice_client.errors import (
    ClientError,
    NetworkError,
    ProtocolViolation,
    ServerBusy,
    Timeout,
)
from ftpservice_client.ftp.exchange import CommandExchange
from ftpservice_client.ftp.reply_errors import error_for_reply
from ftpservice_client.ftp.reply_reader import ReplyReader
from ftpservice_client.link.tls import certificate_error

__all__ = ["ControlConnection"]

ABANDONED_REPLY_SECONDS = 10.0
"""Seconds, at most, in which a command that nobody waits for has to be answered."""
IAC = b"\xff"


class ControlConnection(Protocol):
    """One connection; everything fails with the same error once it is lost."""

    lost: ClientError | None = None
    """Why it is of no more use."""

    def __init__(self, clock: IReactorTime, timeout: float) -> None:
        self.timeout = timeout
        self._clock = clock
        self._replies = ReplyReader()
        self._exchanges: deque[CommandExchange] = deque()
        self._abandoned: set[CommandExchange] = set()
        self._deadline = Deadline(clock, self._not_answered)
        self._settled = Wakeup(clock)
        self._closed = Wakeup(clock)
        self._is_gone = False
        self._secured: Deferred[None] | None = None
        self.greeting = self._expect("the connection")
        """What the server says first."""

    def connectionMade(self) -> None:
        """Begin."""
        transport: Any = self.transport
        if ITCPTransport.providedBy(transport):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)

    def _expect(self, command: str) -> CommandExchange:
        exchange = CommandExchange(command, self._clock)
        if self.lost is not None:
            exchange.fail(self.lost)
        else:
            self._exchanges.append(exchange)
        return exchange

    async def settle(self) -> None:
        """Wait until every command that nobody waits for has its reply; raises `NetworkError`."""
        while self._abandoned and self.lost is None:
            await self._settled.wait(0)
        if self.lost is not None:
            raise self.lost

    def begin(self, *commands: str) -> list[CommandExchange]:
        """Send commands in one piece.

        Raises `InvalidArgument`, and `NetworkError` if the connection is lost.
        """
        text = ""
        for command in commands:
            text += checked_argument(command) + "\r\n"
        if self.lost is not None:
            raise self.lost
        exchanges = []
        for command in commands:
            exchanges.append(self._expect(command.partition(" ")[0].upper()))
        if text:
            octets = text.encode("utf-8", "surrogateescape")
            write_now(self.transport, octets.replace(IAC, IAC + IAC))
        return exchanges

    async def ask(self, command: str) -> Reply:
        """Send a command and return its last reply, whatever it is.

        Raises `NetworkError`, `Timeout`.
        """
        (exchange,) = self.begin(command)
        return await self.reply_to(exchange)

    async def expect(self, command: str) -> Reply:
        """Send a command and return a reply below 400; raises what a refusal means."""
        reply = await self.ask(command)
        if reply.code >= 400:
            raise error_for_reply(reply, command)
        return reply

    async def reply_to(self, exchange: CommandExchange, *, opened: bool = False) -> Reply:
        """Wait for the last reply or, ``opened``, the first; raises `NetworkError`, `Timeout`.

        When it is cancelled the reply is waited for by nobody, and so are those behind it.
        """
        try:
            while not exchange.is_over and not (opened and exchange.opened is not None):
                if not await exchange.replied.wait(self.timeout):
                    text = f"no answer to {exchange.command} in {self.timeout:g} seconds"
                    self.close(Timeout(text))
        except CancelledError:
            self.abandon(exchange)
            raise
        if opened and exchange.opened is not None:
            return exchange.opened
        if exchange.last is None:
            raise exchange.error or NetworkError("the connection is lost")
        return exchange.last

    def abandon(self, *exchanges: CommandExchange) -> None:
        """Let replies be nobody's; they have to come soon."""
        open_ones = [exchange for exchange in exchanges if not exchange.is_over]
        if open_ones and self.lost is None:
            self._abandoned.update(open_ones)
            self._deadline.set(
                min(ABANDONED_REPLY_SECONDS, self.timeout or ABANDONED_REPLY_SECONDS)
            )

    async def secure(self, tls: ClientTLS) -> None:
        """Go on under TLS; raises `CertificateNotTrusted`, `NetworkError`."""
        if self._replies.pending or any(one is not self.greeting for one in self._exchanges):
            self.close(ProtocolViolation("the server sent more in clear when TLS was to begin"))
        if self.lost is not None:
            raise self.lost
        self._secured = Deferred(lambda _: self.close(NetworkError("cancelled")))
        self.transport = tls.start_tls(self.transport, self, self._handshake_done, self.timeout)
        await self._secured

    def _handshake_done(self) -> None:
        secured, self._secured = self._secured, None
        self.transport.resumeProducing()  # type: ignore[union-attr]  # every stream has it
        if secured is not None:
            secured.callback(None)

    def close(self, error: ClientError) -> None:
        """Break the connection; everything fails with ``error``."""
        if self.lost is None:
            self._give_up(error)
            transport: Any = self.transport
            if transport is not None:
                transport.abortConnection()

    def end(self) -> None:
        """Close in order: nothing more is to be sent."""
        if self.lost is None:
            self._give_up(NetworkError("the client has quit"))
            assert self.transport is not None
            self.transport.loseConnection()

    def _give_up(self, error: ClientError) -> None:
        self.lost = error
        self._deadline.clear()
        self._abandoned.clear()
        exchanges, self._exchanges = list(self._exchanges), deque()
        for exchange in exchanges:
            exchange.fail(error)
        self._settled.wake_waiter()
        secured, self._secured = self._secured, None
        if secured is not None:
            secured.errback(error)

    def _not_answered(self) -> None:
        self.close(Timeout("the server did not answer a command that was cancelled"))

    def dataReceived(self, data: bytes) -> None:
        """Hand out replies, all that have come, before anybody is told of one."""
        if self.lost is not None:
            return
        heard: dict[CommandExchange, None] = {}
        try:
            for reply in self._replies.feed(data):
                if self.lost is None:
                    self._take(reply, heard)
        except ProtocolViolation as error:
            self.close(error)
        for exchange in heard:
            exchange.tell()

    def _take(self, reply: Reply, heard: dict[CommandExchange, None]) -> None:
        if not self._exchanges:
            if reply.code == codes.SERVICE_UNAVAILABLE:
                self.close(ServerBusy(f"the server closed the session: {reply.lines[-1]}", reply))
                return
            raise ProtocolViolation(f"the server answered what was not asked: {reply.code}")
        exchange = self._exchanges[0]
        had_abandoned = bool(self._abandoned)
        if reply.code >= codes.OK:
            self._exchanges.popleft()
            self._abandoned.discard(exchange)
        exchange.take(reply)
        heard[exchange] = None
        if reply.code == codes.SERVICE_UNAVAILABLE:
            self.close(ServerBusy(f"the server closed the session: {reply.lines[-1]}", reply))
        elif had_abandoned and not self._abandoned:
            self._deadline.clear()
            self._settled.wake_waiter()

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the connection is closed; it is broken when that takes too long."""
        transport: Any = self.transport
        if not self._is_gone and not await self._closed.wait(seconds):
            transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fail whatever is under way."""
        self._is_gone = True
        self._closed.wake_waiter()
        error = reason.value
        if isinstance(error, HandshakeError):
            self._give_up_once(certificate_error(error))
        else:
            self._give_up_once(NetworkError("the server closed the connection"))

    def _give_up_once(self, error: ClientError) -> None:
        if self.lost is None:
            self._give_up(error)
