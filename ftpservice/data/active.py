"""A data connection that we make to the client (PORT, EPRT)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError, UserError
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure

from ftpservice.data.channel import CannotOpenDataConnection, DataChannel
from ftpservice.data.data_tls import DataTLSContext, no_tls
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.pending_connection import PendingDataConnection
from ftpservice.stream.connection import StreamConnection
from ftpservice.wire.addresses import HostPort

__all__ = ["ActiveChannel"]

CONNECT_ERROR_TEXTS = {
    ConnectionRefusedError: "refused",
    TimeoutError: "no answer in time",
    UserError: "the channel is closed",
}


class PreTLSProtocol(Protocol):
    """Stands in for our end until TLS has begun."""

    def __init__(self, begin: Callable[[Any], object]) -> None:
        self._begin = begin

    def connectionMade(self) -> None:
        """Begin."""
        self._begin(self.transport)


class ActiveConnect(ClientFactory):
    """One attempt.

    ``answered`` fires when the connection stands, or fails with `CannotOpenDataConnection`.
    """

    noisy = False

    def __init__(self, reactor: Any, settings: DataSettings, cover: DataTLSContext | None) -> None:
        self._reactor = reactor
        self._timeout: Any = settings.data_timeout or None  # Twisted's ``None`` is for ever
        self._connector: IConnector | None = None
        self._unwanted = False
        self.pending_connection = PendingDataConnection(reactor, settings, cover, self._stands)
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
        if self.pending_connection.data_tls is None:
            return self.pending_connection.protocol
        return PreTLSProtocol(self._put_on)

    def _put_on(self, transport: Any) -> None:
        self.pending_connection.start_tls(transport)
        self._stands()

    def _stands(self, _arrival: PendingDataConnection | None = None) -> None:
        """Let who waits go on; told again when TLS stands."""
        if not self.answered.called:
            self.answered.callback(None)

    def clientConnectionFailed(self, _connector: IConnector, reason: Failure) -> None:
        """Pass the reason on, unless nobody waits for it."""
        if not self._unwanted:
            kind = reason.check(*CONNECT_ERROR_TEXTS)
            text = CONNECT_ERROR_TEXTS[kind] if kind else reason.getErrorMessage()
            self.answered.errback(CannotOpenDataConnection(text))


class ActiveChannel(DataChannel):
    """Connects when it is asked for the connection."""

    def __init__(
        self,
        reactor: Any,
        settings: DataSettings,
        target: HostPort,
        local: str | None,
        cover: Callable[[], DataTLSContext | None] = no_tls,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._target = target
        self._local = None if local is None else (local, 0)
        self._cover = cover
        self._call: ActiveConnect | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether the connection is there: not before it is asked for."""
        return False

    async def connection(self) -> StreamConnection:
        """Connect; raises `CannotOpenDataConnection`."""
        if self._closed:
            raise CannotOpenDataConnection("the channel is closed")
        self._call = call = ActiveConnect(self._reactor, self._settings, self._cover())
        call.make(self._target, self._local)
        try:
            await call.answered
        finally:
            self._call = None
            self._closed = True
        return await call.pending_connection.connection()

    def close(self) -> None:
        """Stop connecting."""
        self._closed = True
        if self._call is not None:
            self._call.give_up()
