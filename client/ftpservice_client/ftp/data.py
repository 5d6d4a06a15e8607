"""Which data connection a transfer gets: EPSV, PASV, EPRT or PORT, whatever the server knows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

from ftpservice.net.tls.client import ClientTLS
from ftpservice.wire.addresses import (
    BadAddress,
    format_eprt,
    format_port,
    is_ipv6,
    parse_epsv_reply,
    parse_pasv_reply,
)
from ftpservice.wire.replies import Reply, escaped
from ftpservice_client.errors import CannotConnect, ClientError, Cut, Garbled, Refused, Unsupported
from ftpservice_client.ftp.control import Control
from ftpservice_client.ftp.data_channel import Answer, Call
from ftpservice_client.ftp.epsv_prefetch import Ahead
from ftpservice_client.ftp.exchange import Exchange
from ftpservice_client.ftp.reply_errors import refusal
from ftpservice_client.ftp.server_quirks import Quirks
from ftpservice_client.link.connection import Meeting
from ftpservice_client.settings import Settings

__all__ = ["DataCalls"]

FIRST_PATIENCE = 5.0
"""Seconds in which the first port that a server names has to answer: else PASV names another."""


class DataCalls:
    """Prepares data connections for the commands of one control connection."""

    tls: ClientTLS | None = None
    """What data connections are secured with, after PROT P."""

    def __init__(self, reactor: Any, control: Control, settings: Settings, quirks: Quirks) -> None:
        self._reactor = reactor
        self._control = control
        self._settings = settings
        self.quirks = quirks
        self.ahead = Ahead(reactor)

    @property
    def _extended(self) -> bool:
        """Whether EPSV is what asks for a port."""
        return self.quirks.epsv is not False

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
        with suppress(Refused, Unsupported, Garbled):
            call = self._call(epsv_port(reply))
            if await _stands(call, self._settings.timeout):
                return call
            call.abort()
        return await self._asked(*self._control.begin("EPSV"))

    async def _asked(self, exchange: Exchange) -> Meeting:
        if not self._extended:
            return await self._by_pasv(exchange)
        reply = await self._answer_to_epsv(exchange)
        try:
            call = self._call(epsv_port(reply))
        except (Refused, Unsupported, Garbled) as error:
            return await self._call_by_pasv(error)
        if self.quirks.epsv is None and not is_ipv6(self._peer):
            seconds = min(FIRST_PATIENCE, self._settings.timeout or FIRST_PATIENCE)
            if not await _stands(call, seconds):
                return await self._second(call)
            self.quirks.epsv = True
        return call

    async def _by_pasv(self, exchange: Exchange) -> Call:
        try:
            return self._call(pasv_port(await self._control.reply_to(exchange)))
        except Unsupported:
            self.quirks.epsv = True
            return self._call(epsv_port(await self._control.ask("EPSV")))

    async def _answer_to_epsv(self, exchange: Exchange) -> Reply:
        """Return the reply; where there is none, the next session begins with PASV.

        There are firewalls that break a connection over which EPSV goes.
        """
        try:
            return await self._control.reply_to(exchange)
        except Cut:
            if self.quirks.epsv is None and not is_ipv6(self._peer):
                self.quirks.epsv = False
            raise

    async def _call_by_pasv(self, error: ClientError) -> Call:
        """Return a connection by PASV, when EPSV came to this error."""
        if self._control.lost is not None:
            raise error
        if is_ipv6(self._peer):
            error.args = (f"{error} (this was EPSV; PASV cannot serve IPv6)",)
            raise error
        reply = await self._control.ask("PASV")
        try:
            port = pasv_port(reply)
        except (Unsupported, Garbled):
            raise error from None
        self.quirks.epsv = False
        return self._call(port)

    async def _second(self, call: Call) -> Call:
        """Return a connection by PASV, where the port that EPSV named does not answer.

        Without PASV that port is all there is; perhaps the server says what is wrong.
        """
        try:
            second = await self._call_by_pasv(CannotConnect("the port for data does not answer"))
        except (Refused, CannotConnect):
            self.quirks.epsv = True
            return call
        except BaseException:
            call.abort()
            raise
        call.abort()
        return second

    def _call(self, port: int) -> Call:
        return Call(self._reactor, self._settings, self.tls).make(self._peer, port)

    async def _listen(self) -> Meeting:
        own = self._own
        answer = Answer(self._reactor, self._settings, self.tls)
        port = answer.listen(own, self._peer)
        try:
            if self.quirks.eprt:
                reply = await self._control.ask(f"EPRT {format_eprt(own, port)}")
                self.quirks.eprt = reply.code < 400 or is_ipv6(own)
            if not self.quirks.eprt:
                reply = await self._control.ask(f"PORT {format_port(own, port)}")
            if reply.code >= 400:
                raise refusal(reply, "PORT")
        except BaseException:
            answer.stop()
            raise
        return answer


async def _stands(call: Call, seconds: float) -> bool:
    try:
        return await call.stands(seconds)
    except BaseException:
        call.abort()
        raise


def epsv_port(reply: Reply) -> int:
    """Return the port that a reply to EPSV names; raises `Garbled`, and what a refusal means."""
    return _port_in(reply, "EPSV", parse_epsv_reply)


def pasv_port(reply: Reply) -> int:
    """Return the port that a reply to PASV names; raises `Garbled`, and what a refusal means."""
    return _port_in(reply, "PASV", lambda text: parse_pasv_reply(text).port)


def _port_in(reply: Reply, command: str, parse: Callable[[str], int]) -> int:
    if reply.code >= 400:
        raise refusal(reply, command)
    text = reply.lines[-1]
    try:
        return parse(text)
    except BadAddress as error:
        raise Garbled(f"the server names no port for data: {escaped(text)}") from error
