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
from ftpservice_client.errors import (
    CannotConnect,
    ClientError,
    NetworkError,
    ProtocolViolation,
    ServerRefused,
    Unsupported,
)
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.data_channel import ActiveDataChannel, PassiveDataChannel
from ftpservice_client.ftp.epsv_prefetch import EPSVPrefetch
from ftpservice_client.ftp.exchange import CommandExchange
from ftpservice_client.ftp.reply_errors import error_for_reply
from ftpservice_client.ftp.server_quirks import ServerQuirks
from ftpservice_client.link.connection import PendingConnection
from ftpservice_client.settings import Settings

__all__ = ["DataChannels"]

FIRST_EPSV_SECONDS = 5.0
"""Seconds in which the first port that a server names has to answer: else PASV names another."""


class DataChannels:
    """Prepares data connections for the commands of one control connection."""

    tls: ClientTLS | None = None
    """What data connections are secured with, after PROT P."""

    def __init__(
        self, reactor: Any, control: ControlConnection, settings: Settings, quirks: ServerQuirks
    ) -> None:
        self._reactor = reactor
        self._control = control
        self._settings = settings
        self.quirks = quirks
        self.prefetch = EPSVPrefetch(reactor)

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

    def request_port(self, *others: str) -> list[CommandExchange]:
        """Send commands that ask for nothing more, and what asks for a port to connect to.

        All in one piece, to save a way there and back; to be passed to `open_channel`.
        """
        known = self.prefetch.take()
        if known is not None:
            return [*self._control.begin(*others), known]
        asking = () if self._settings.active else ("EPSV" if self._extended else "PASV",)
        return self._control.begin(*others, *asking)

    def begin(self, command: str) -> CommandExchange:
        """Send a transfer command, and what asks for the next one's port if that is wise."""
        asks = self._extended and not self._settings.active and self.prefetch.is_worthwhile
        exchange, *asked = self._control.begin(command, *(("EPSV",) if asks else ()))
        self.prefetch.asked = asked[0] if asked else None
        return exchange

    async def open_channel(self, announced: list[CommandExchange]) -> PendingConnection:
        """Return a data connection that is being made; raises `ServerRefused`, `CannotConnect`."""
        if self._settings.active:
            return await self._listen()
        if self.prefetch.is_of(announced[-1]):
            return await self._known(announced[-1])
        if self.quirks.epsv:  # it has worked before
            try:
                return self._call(epsv_port(await self._control.reply_to(announced[-1])))
            except (ServerRefused, Unsupported, ProtocolViolation) as error:
                return await self._call_by_pasv(error)
        return await self._asked(announced[-1])

    async def _known(self, exchange: CommandExchange) -> PendingConnection:
        """Return one to a port that was asked for ahead, if it still is one; else to another."""
        reply = await self._control.reply_to(exchange)
        with suppress(ServerRefused, Unsupported, ProtocolViolation):
            call = self._call(epsv_port(reply))
            if await _wait_connected(call, self._settings.timeout):
                return call
            call.abort()
        return await self._asked(*self._control.begin("EPSV"))

    async def _asked(self, exchange: CommandExchange) -> PendingConnection:
        if not self._extended:
            return await self._by_pasv(exchange)
        reply = await self._answer_to_epsv(exchange)
        try:
            call = self._call(epsv_port(reply))
        except (ServerRefused, Unsupported, ProtocolViolation) as error:
            return await self._call_by_pasv(error)
        if self.quirks.epsv is None and not is_ipv6(self._peer):
            seconds = min(FIRST_EPSV_SECONDS, self._settings.timeout or FIRST_EPSV_SECONDS)
            if not await _wait_connected(call, seconds):
                return await self._retry_by_pasv(call)
            self.quirks.epsv = True
        return call

    async def _by_pasv(self, exchange: CommandExchange) -> PassiveDataChannel:
        try:
            return self._call(pasv_port(await self._control.reply_to(exchange)))
        except Unsupported:
            self.quirks.epsv = True
            return self._call(epsv_port(await self._control.ask("EPSV")))

    async def _answer_to_epsv(self, exchange: CommandExchange) -> Reply:
        """Return the reply; where there is none, the next session begins with PASV.

        There are firewalls that break a connection over which EPSV goes.
        """
        try:
            return await self._control.reply_to(exchange)
        except NetworkError:
            if self.quirks.epsv is None and not is_ipv6(self._peer):
                self.quirks.epsv = False
            raise

    async def _call_by_pasv(self, error: ClientError) -> PassiveDataChannel:
        """Return a connection by PASV, when EPSV came to this error."""
        if self._control.lost is not None:
            raise error
        if is_ipv6(self._peer):
            error.args = (f"{error} (this was EPSV; PASV cannot serve IPv6)",)
            raise error
        reply = await self._control.ask("PASV")
        try:
            port = pasv_port(reply)
        except (Unsupported, ProtocolViolation):
            raise error from None
        self.quirks.epsv = False
        return self._call(port)

    async def _retry_by_pasv(self, call: PassiveDataChannel) -> PassiveDataChannel:
        """Return a connection by PASV, where the port that EPSV named does not answer.

        Without PASV that port is all there is; perhaps the server says what is wrong.
        """
        try:
            second = await self._call_by_pasv(CannotConnect("the port for data does not answer"))
        except (ServerRefused, CannotConnect):
            self.quirks.epsv = True
            return call
        except BaseException:
            call.abort()
            raise
        call.abort()
        return second

    def _call(self, port: int) -> PassiveDataChannel:
        return PassiveDataChannel(self._reactor, self._settings, self.tls).make(self._peer, port)

    async def _listen(self) -> PendingConnection:
        own = self._own
        answer = ActiveDataChannel(self._reactor, self._settings, self.tls)
        port = answer.listen(own, self._peer)
        try:
            if self.quirks.eprt:
                reply = await self._control.ask(f"EPRT {format_eprt(own, port)}")
                self.quirks.eprt = reply.code < 400 or is_ipv6(own)
            if not self.quirks.eprt:
                reply = await self._control.ask(f"PORT {format_port(own, port)}")
            if reply.code >= 400:
                raise error_for_reply(reply, "PORT")
        except BaseException:
            answer.stop()
            raise
        return answer


async def _wait_connected(call: PassiveDataChannel, seconds: float) -> bool:
    try:
        return await call.wait_connected(seconds)
    except BaseException:
        call.abort()
        raise


def epsv_port(reply: Reply) -> int:
    """Return the port that a reply to EPSV names.

    Raises `ProtocolViolation`, and what a refusal means.
    """
    return _port_in(reply, "EPSV", parse_epsv_reply)


def pasv_port(reply: Reply) -> int:
    """Return the port that a reply to PASV names.

    Raises `ProtocolViolation`, and what a refusal means.
    """
    return _port_in(reply, "PASV", lambda text: parse_pasv_reply(text).port)


def _port_in(reply: Reply, command: str, parse: Callable[[str], int]) -> int:
    if reply.code >= 400:
        raise error_for_reply(reply, command)
    text = reply.lines[-1]
    try:
        return parse(text)
    except BadAddress as error:
        raise ProtocolViolation(f"the server names no port for data: {escaped(text)}") from error
