"""Chooses the data connection of a transfer: EPSV, PASV, EPRT or PORT.

*Prefetch.* Where one transfer follows another, EPSV for the next one is sent right after the
transfer command of this one. Its reply arrives with the end of this transfer, which saves the next
one a round trip. This is done with servers of our own kind only: others reply out of order, or take
any command during a transfer for ABOR.
"""

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
from ftpservice_client.ftp.control import CommandExchange, ControlConnection
from ftpservice_client.ftp.reply_errors import error_for_reply
from ftpservice_client.ftp.server_quirks import ServerQuirks
from ftpservice_client.link.connection import (
    ActiveConnection,
    PassiveConnection,
    PendingConnection,
)
from ftpservice_client.settings import Settings

__all__ = ["DataConnections"]

FIRST_EPSV_SECONDS = 5.0
"""Seconds within which the first port named by EPSV has to answer; then PASV is tried."""
FOLLOW_UP_SECONDS = 0.1
"""Seconds between two transfers up to which the second one follows the first."""
PORT_VALID_SECONDS = 2.0
"""Seconds after the end of a transfer during which a prefetched port is used."""


class DataConnections:
    """Makes the data connections for the transfers of one control connection."""

    tls: ClientTLS | None = None
    """TLS for data connections, after PROT P."""
    is_ftpservice = False
    """Whether the server queues commands that arrive during a transfer, and takes data that arrives
    before the transfer command."""
    _prefetched: CommandExchange | None = None
    """EPSV that was sent after the last transfer command."""
    _known: CommandExchange | None = None
    """The prefetched EPSV that the current transfer uses."""
    _ended: float | None = None
    """When the last transfer ended."""
    _is_follow_up = False

    def __init__(
        self, reactor: Any, control: ControlConnection, settings: Settings, quirks: ServerQuirks
    ) -> None:
        self._reactor = reactor
        self._control = control
        self._settings = settings
        self.quirks = quirks

    @property
    def _own_host(self) -> str:
        transport: Any = self._control.transport
        return str(transport.getHost().host)

    @cached_property
    def _peer_host(self) -> str:
        transport: Any = self._control.transport
        return str(transport.getPeer().host)

    def request_port(self, *commands: str) -> list[CommandExchange]:
        """Send ``commands`` and EPSV or PASV in one segment, to save a round trip.

        Begins a transfer; the exchanges are for `open`, which reads the last one.
        """
        prefetched, self._prefetched = self._prefetched, None
        ended = self._ended
        idle = PORT_VALID_SECONDS if ended is None else self._reactor.seconds() - ended
        self._is_follow_up = idle < FOLLOW_UP_SECONDS
        if prefetched is not None and (prefetched.error or idle >= PORT_VALID_SECONDS):
            prefetched = None
        self._known = prefetched
        if prefetched is not None:
            return [*self._control.send_commands(*commands), prefetched]
        if self._settings.active:
            return self._control.send_commands(*commands)
        verb = "PASV" if self.quirks.epsv is False else "EPSV"
        return self._control.send_commands(*commands, verb)

    def send_transfer_command(self, command: str) -> CommandExchange:
        """Send a transfer command, and EPSV for the next transfer if one is likely to follow."""
        if (
            self._is_follow_up
            and self.is_ftpservice
            and not self._settings.active
            and self.quirks.epsv is not False
        ):
            exchange, self._prefetched = self._control.send_commands(command, "EPSV")
        else:
            (exchange,) = self._control.send_commands(command)
            self._prefetched = None
        return exchange

    @property
    def has_prefetched(self) -> bool:
        """Whether EPSV was sent after the last transfer command."""
        return self._prefetched is not None

    def transfer_ended(self) -> None:
        """Record the successful end of a transfer."""
        self._ended = self._reactor.seconds()

    async def open(self, requested: list[CommandExchange]) -> PendingConnection:
        """Return a data connection that is being made; raises `ServerRefused`, `CannotConnect`."""
        if self._settings.active:
            return await self._listen()
        exchange = requested[-1]
        if exchange is self._known:
            return await self._by_prefetched(exchange)
        if self.quirks.epsv is False:
            return await self._by_pasv(exchange)
        try:
            reply = await self._control.reply_to(exchange)
        except NetworkError:
            # Some firewalls break a connection that carries EPSV: PASV for the next session.
            if self.quirks.epsv is None and not is_ipv6(self._peer_host):
                self.quirks.epsv = False
            raise
        try:
            pending = self._connect(epsv_port(reply))
        except (ServerRefused, Unsupported, ProtocolViolation) as error:
            return await self._pasv_after(error)
        if self.quirks.epsv is None:
            return await self._first_by_epsv(pending)
        return pending

    async def _by_prefetched(self, exchange: CommandExchange) -> PendingConnection:
        """Return a connection to the prefetched port or, if it is not open, to a new one."""
        reply = await self._control.reply_to(exchange)
        with suppress(ServerRefused, Unsupported, ProtocolViolation):
            pending = self._connect(epsv_port(reply))
            if await _wait_connected(pending, self._settings.timeout):
                return pending
            pending.abort()
        return await self.open(self._control.send_commands("EPSV"))

    async def _first_by_epsv(self, pending: PassiveConnection) -> PassiveConnection:
        """Return the first connection by EPSV, or one by PASV if that port does not answer."""
        if is_ipv6(self._peer_host):
            return pending
        seconds = min(FIRST_EPSV_SECONDS, self._settings.timeout or FIRST_EPSV_SECONDS)
        if await _wait_connected(pending, seconds):
            self.quirks.epsv = True
            return pending
        error = CannotConnect("the data port named by EPSV does not answer")
        try:
            second = await self._pasv_after(error)
        except (ServerRefused, CannotConnect):
            # Without PASV this port is all there is; the reply may say what is wrong.
            self.quirks.epsv = True
            return pending
        except BaseException:
            pending.abort()
            raise
        pending.abort()
        return second

    async def _by_pasv(self, exchange: CommandExchange) -> PassiveConnection:
        try:
            return self._connect(pasv_port(await self._control.reply_to(exchange)))
        except Unsupported:
            self.quirks.epsv = True
            return self._connect(epsv_port(await self._control.ask("EPSV")))

    async def _pasv_after(self, error: ClientError) -> PassiveConnection:
        """Return a connection by PASV after EPSV failed with ``error``."""
        if self._control.lost is not None:
            raise error
        if is_ipv6(self._peer_host):
            error.args = (f"{error} (reply to EPSV; PASV does not support IPv6)",)
            raise error
        reply = await self._control.ask("PASV")
        try:
            port = pasv_port(reply)
        except (Unsupported, ProtocolViolation):
            raise error from None
        self.quirks.epsv = False
        return self._connect(port)

    def _connect(self, port: int) -> PassiveConnection:
        pending = PassiveConnection(self._reactor, self._settings, self.tls)
        return pending.connect(self._peer_host, port)

    async def _listen(self) -> PendingConnection:
        own = self._own_host
        pending = ActiveConnection(self._reactor, self._settings, self.tls)
        port = pending.listen(own, self._peer_host)
        try:
            if self.quirks.eprt:
                reply = await self._control.ask(f"EPRT {format_eprt(own, port)}")
                self.quirks.eprt = reply.code < 400 or is_ipv6(own)
            if not self.quirks.eprt:
                reply = await self._control.ask(f"PORT {format_port(own, port)}")
            if reply.code >= 400:
                raise error_for_reply(reply, "PORT")
        except BaseException:
            pending.stop()
            raise
        return pending


async def _wait_connected(pending: PassiveConnection, seconds: float) -> bool:
    try:
        return await pending.wait_connected(seconds)
    except BaseException:
        pending.abort()
        raise


def epsv_port(reply: Reply) -> int:
    """Return the port in a reply to EPSV.

    Raises `ProtocolViolation`, and the error of a refusal.
    """
    return _port_in(reply, "EPSV", parse_epsv_reply)


def pasv_port(reply: Reply) -> int:
    """Return the port in a reply to PASV.

    Raises `ProtocolViolation`, and the error of a refusal.
    """
    return _port_in(reply, "PASV", lambda text: parse_pasv_reply(text).port)


def _port_in(reply: Reply, command: str, parse: Callable[[str], int]) -> int:
    if reply.code >= 400:
        raise error_for_reply(reply, command)
    text = reply.lines[-1]
    try:
        return parse(text)
    except BadAddress as error:
        raise ProtocolViolation(
            f"the reply to {command} names no data port: {escaped(text)}"
        ) from error
