"""A data connection that we make to the client (PORT, EPRT)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError, UserError
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure

from ftpservice.data.channel import CannotConnect, Channel
from ftpservice.data.data_tls import Cover, in_clear
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.pending_connection import Arrival
from ftpservice.stream.connection import DataConnection
from ftpservice.wire.addresses import HostPort

__all__ = ["ActiveChannel"]

REASONS = {
    ConnectionRefusedError: "refused",
    TimeoutError: "no answer in time",
    UserError: "the channel is closed",
}


class Beginning(Protocol):
    """Stands in for our end until TLS has begun."""

    def __init__(self, begin: Callable[[Any], object]) -> None:
        self._begin = begin

    def connectionMade(self) -> None:
        """Begin."""
        self._begin(self.transport)


class Call(ClientFactory):
    """One attempt; ``answered`` fires when the connection stands, or fails with `CannotConnect`."""

    noisy = False

    def __init__(self, reactor: Any, settings: DataSettings, cover: Cover | None) -> None:
        self._reactor = reactor
        self._timeout: Any = settings.data_timeout or None  # Twisted's ``None`` is for ever
        self._connector: IConnector | None = None
        self._unwanted = False
        self.arrival = Arrival(reactor, settings, cover, self._stands)
        self.answered: Deferred[None] = Deferred(self._forsake)

    def make(self, target: HostPort, local: tuple[str, int] | None) -> None:
        """Begin."""
        self._connector = self._reactor.connectTCP(
            target.host, target.port, self, timeout=self._timeout, bindAddress=local
        )

    def give_up(self) -> None:
        """Stop connecting."""
        if self._connector is not None:
            self._connector.disconnect()

    def _forsake(self, _answered: Deferred[None]) -> None:
        self._unwanted = True
        self.give_up()

    def buildProtocol(self, _addr: IAddress | None) -> Protocol:
        """Return our end."""
        if self.arrival.cover is None:
            return self.arrival.protocol
        return Beginning(self._put_on)

    def _put_on(self, transport: Any) -> None:
        self.arrival.put_on(transport)
        self._stands()

    def _stands(self, _arrival: Arrival | None = None) -> None:
        """Let who waits go on; told again when TLS stands."""
        if not self.answered.called:
            self.answered.callback(None)

    def clientConnectionFailed(self, _connector: IConnector, reason: Failure) -> None:
        """Pass the reason on, unless nobody waits for it."""
        if not self._unwanted:
            kind = reason.check(*REASONS)
            text = REASONS[kind] if kind else reason.getErrorMessage()
            self.answered.errback(CannotConnect(text))


class ActiveChannel(Channel):
    """Connects when it is asked for the connection."""

    def __init__(
        self,
        reactor: Any,
        settings: DataSettings,
        target: HostPort,
        local: str | None,
        cover: Callable[[], Cover | None] = in_clear,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._target = target
        self._local = None if local is None else (local, 0)
        self._cover = cover
        self._call: Call | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether the connection is there: not before it is asked for."""
        return False

    async def connection(self) -> DataConnection:
        """Connect; raises `CannotConnect`."""
        if self._closed:
            raise CannotConnect("the channel is closed")
        self._call = call = Call(self._reactor, self._settings, self._cover())
        call.make(self._target, self._local)
        try:
            await call.answered
        finally:
            self._call = None
            self._closed = True
        return await call.arrival.connection()

    def close(self) -> None:
        """Stop connecting."""
        self._closed = True
        if self._call is not None:
            self._call.give_up()
