"""Which data connection a transfer gets: EPSV, PASV, EPRT or PORT, whatever the server knows."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ftpservice.tls.client import ClientTLS
from ftpservice.wire import codes
from ftpservice.wire.addresses import (
    BadAddress,
    format_eprt,
    format_port,
    is_ipv6,
    parse_epsv_reply,
    parse_pasv_reply,
)
from ftpservice.wire.replies import Reply
from ftpservice_client.ahead import Ahead
from ftpservice_client.calling import Answer, Call, Meeting
from ftpservice_client.control import Control
from ftpservice_client.errors import Garbled
from ftpservice_client.exchange import Exchange
from ftpservice_client.refusals import NOT_IMPLEMENTED, refusal
from ftpservice_client.settings import Settings

__all__ = ["DataCalls"]

TRY_PASV = NOT_IMPLEMENTED | {codes.BAD_FAMILY, codes.BAD_ARGUMENT, codes.CANNOT_CONNECT}


class DataCalls:
    """Prepares data connections for the commands of one control connection."""

    tls: ClientTLS | None = None
    """What data connections are secured with, after PROT P."""

    def __init__(self, reactor: Any, control: Control, settings: Settings) -> None:
        self._reactor = reactor
        self._control = control
        self._settings = settings
        self._extended = True
        self.ahead = Ahead(reactor)

    @property
    def _own(self) -> str:
        """Our host, as the control connection has it."""
        transport: Any = self._control.transport
        return str(transport.getHost().host)

    @cached_property
    def _peer(self) -> str:
        """The server's."""
        transport: Any = self._control.transport
        return str(transport.getPeer().host)

    def announce(self, *others: str) -> list[Exchange]:
        """Send commands that ask for nothing more, and what asks for a port to connect to.

        All in one piece, to save a way there and back; to be passed to `meeting`.
        """
        known = self.ahead.take()
        if known is not None:
            return [*self._control.begin(*others), known]
        asking = () if self._settings.active else ("EPSV" if self._extended else "PASV",)
        return self._control.begin(*others, *asking)

    def begin(self, command: str) -> Exchange:
        """Send a transfer command, and what asks for the next one's port if that is wise."""
        asks = self._extended and not self._settings.active and self.ahead.is_wise
        exchange, *asked = self._control.begin(command, *(("EPSV",) if asks else ()))
        self.ahead.asked = asked[0] if asked else None
        return exchange

    async def meeting(self, announced: list[Exchange]) -> Meeting:
        """Return a data connection that is being made; raises `Refused`, `CannotConnect`."""
        if self._settings.active:
            return await self._listen()
        if self.ahead.is_of(announced[-1]):
            return await self._known(announced[-1])
        return await self._asked(announced[-1])

    async def _known(self, exchange: Exchange) -> Meeting:
        """Return one to a port that was asked for ahead, if it still is one; else to another."""
        reply = await self._control.reply_to(exchange)
        if reply.code < 400:
            call = self._call(reply)
            try:
                if await call.stands():
                    return call
            except BaseException:
                call.abort()
                raise
            call.abort()
        return await self._asked(*self._control.begin("EPSV"))

    async def _asked(self, exchange: Exchange) -> Meeting:
        reply = await self._control.reply_to(exchange)
        if self._extended and reply.code in TRY_PASV and not is_ipv6(self._peer):
            reply = await self._control.ask("PASV")
            self._extended = reply.code >= 400
            if self._extended:
                raise refusal(reply, "PASV")
        if reply.code >= 400:
            raise refusal(reply, exchange.command)
        return self._call(reply)

    def _call(self, reply: Reply) -> Call:
        call = Call(self._reactor, self._settings, self.tls)
        return call.make(self._peer, self._port_in(reply))

    def _port_in(self, reply: Reply) -> int:
        text = reply.lines[-1]
        try:
            return parse_epsv_reply(text) if self._extended else parse_pasv_reply(text).port
        except BadAddress as error:
            problem = Garbled(f"the server names no port for data: {text!r}")
            self._control.close(problem)
            raise problem from error

    async def _listen(self) -> Meeting:
        own = self._own
        answer = Answer(self._reactor, self._settings, self.tls)
        port = answer.listen(own, self._peer)
        try:
            if self._extended:
                reply = await self._control.ask(f"EPRT {format_eprt(own, port)}")
                self._extended = reply.code not in TRY_PASV or is_ipv6(own)
            if not self._extended:
                reply = await self._control.ask(f"PORT {format_port(own, port)}")
            if reply.code >= 400:
                raise refusal(reply, "PORT")
        except BaseException:
            answer.stop()
            raise
        return answer
