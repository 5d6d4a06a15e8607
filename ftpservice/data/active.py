"""A data connection that we make to the client (PORT, EPRT)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError, UserError
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.python.failure import Failure

from ftpservice.data.channel import CLOSED_TEXT, CannotOpenDataConnection, DataChannel
from ftpservice.data.data_tls import PLAINTEXT_DATA, DataProtection
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.pending_connection import PendingDataConnection
from ftpservice.stream.connection import StreamConnection
from ftpservice.wire.addresses import HostPort

__all__ = ["ActiveChannel"]

CONNECT_ERROR_TEXTS = {
    ConnectionRefusedError: "refused",
    TimeoutError: "no answer in time",
    UserError: CLOSED_TEXT,
}


class ActiveConnect(ClientFactory):
    """One attempt to connect; ``pending`` is the TLS of the connection, if it is to have any.

    ``connected`` fires when TCP is connected, or fails with `CannotOpenDataConnection`.
    """

    noisy = False

    def __init__(
        self, reactor: Any, settings: DataSettings, pending: PendingDataConnection | None
    ) -> None:
        self._reactor = reactor
        self._timeout: Any = settings.data_timeout or None  # ``None`` is no timeout in Twisted
        self._connector: IConnector | None = None
        self._cancelled = False
        self._pending = pending
        self.stream = (
            StreamConnection(reactor, settings.stall_timeout, self._tcp_connected)
            if pending is None
            else pending.stream
        )
        self.connected: Deferred[None] = Deferred(self._cancel)

    def make(self, target: HostPort, local: tuple[str, int] | None) -> None:
        """Begin."""
        self._connector = self._reactor.connectTCP(
            target.host, target.port, self, timeout=self._timeout, bindAddress=local
        )

    def give_up(self) -> None:
        """Stop connecting."""
        if self._connector is not None:
            self._connector.disconnect()

    def _cancel(self, _connected: Deferred[None]) -> None:
        self._cancelled = True
        self.give_up()

    def buildProtocol(self, _addr: IAddress | None) -> Protocol:
        """Return the protocol of our end."""
        pending = self._pending
        return self.stream if pending is None else pending.protocol_for(self._start_tls)

    def _start_tls(self, transport: Any) -> None:
        assert self._pending is not None
        self._pending.start_tls(transport)
        self._tcp_connected()

    def _tcp_connected(self, _connection: StreamConnection | None = None) -> None:
        if not self.connected.called:
            self.connected.callback(None)

    def clientConnectionFailed(self, _connector: IConnector, reason: Failure) -> None:
        """Fail ``connected``, unless that was cancelled."""
        if not self._cancelled:
            kind = reason.check(*CONNECT_ERROR_TEXTS)
            text = CONNECT_ERROR_TEXTS[kind] if kind else reason.getErrorMessage()
            self.connected.errback(CannotOpenDataConnection(text))


class ActiveChannel(DataChannel):
    """Connects when the transfer asks for the connection."""

    def __init__(
        self,
        reactor: Any,
        settings: DataSettings,
        target: HostPort,
        local: str | None,
        protection: DataProtection = PLAINTEXT_DATA,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._target = target
        self._local = None if local is None else (local, 0)
        self._protection = protection
        self._attempt: ActiveConnect | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether the connection is there: never before `connection`."""
        return False

    async def connection(self) -> StreamConnection:
        """Connect; raises `CannotOpenDataConnection`."""
        if self._closed:
            raise CannotOpenDataConnection(CLOSED_TEXT)
        data_tls = self._protection.next_data_tls()
        pending = (
            None
            if data_tls is None
            else PendingDataConnection(self._reactor, self._settings, data_tls)
        )
        self._attempt = attempt = ActiveConnect(self._reactor, self._settings, pending)
        attempt.make(self._target, self._local)
        try:
            await attempt.connected
        finally:
            self._attempt = None
            self._closed = True
        return attempt.stream if pending is None else await pending.connection()

    def close(self) -> None:
        """Stop connecting."""
        self._closed = True
        if self._attempt is not None:
            self._attempt.give_up()
