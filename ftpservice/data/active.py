"""A data connection that we make to the client (PORT, EPRT)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError, UserError
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from ftpservice.data.channel import CannotConnect, Channel
from ftpservice.data.policy import DataSettings
from ftpservice.flow.connection import DataConnection
from ftpservice.wire.addresses import HostPort

__all__ = ["ActiveChannel"]

REASONS = {
    ConnectionRefusedError: "refused",
    TimeoutError: "no answer in time",
    UserError: "the channel is closed",
}


class Call(ClientFactory):
    """One attempt; ``answered`` fires with the connection, or fails with `CannotConnect`."""

    noisy = False

    def __init__(self, reactor: Any, settings: DataSettings) -> None:
        self._reactor = reactor
        self._settings = settings
        self._connector: IConnector | None = None
        self._unwanted = False
        self.answered: Deferred[DataConnection] = Deferred(self._forsake)

    def make(self, target: HostPort, local: tuple[str, int] | None) -> None:
        """Begin."""
        timeout: Any = self._settings.data_timeout or None  # Twisted's ``None`` is for ever
        self._connector = self._reactor.connectTCP(
            target.host, target.port, self, timeout=timeout, bindAddress=local
        )

    def give_up(self) -> None:
        """Stop connecting."""
        if self._connector is not None:
            self._connector.disconnect()

    def _forsake(self, _answered: Deferred[DataConnection]) -> None:
        self._unwanted = True
        self.give_up()

    def buildProtocol(self, _addr: IAddress | None) -> DataConnection:
        """Return our end."""
        made = self.answered.callback
        return DataConnection(self._reactor, self._settings.stall_timeout, made)

    def clientConnectionFailed(self, _connector: IConnector, reason: Failure) -> None:
        """Pass the reason on, unless nobody waits for it."""
        if not self._unwanted:
            kind = reason.check(*REASONS)
            text = REASONS[kind] if kind else reason.getErrorMessage()
            self.answered.errback(CannotConnect(text))


class ActiveChannel(Channel):
    """Connects when it is asked for the connection."""

    def __init__(
        self, reactor: Any, settings: DataSettings, target: HostPort, local: str | None
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._target = target
        self._local = None if local is None else (local, 0)
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
        self._call = call = Call(self._reactor, self._settings)
        call.make(self._target, self._local)
        try:
            return await call.answered
        finally:
            self._call = None
            self._closed = True

    def close(self) -> None:
        """Stop connecting."""
        self._closed = True
        if self._call is not None:
            self._call.give_up()
