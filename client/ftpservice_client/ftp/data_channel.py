"""Data connections of FTP, passive and active."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IAddress, IConnector, IReactorFDSet
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python.failure import Failure

from ftpservice.net.accepted_tcp import AcceptedTransport
from ftpservice.wire.addresses import same_host
from ftpservice_client.errors import CannotConnect
from ftpservice_client.link.connection import PendingConnection
from ftpservice_client.link.tcp_connect import TCPConnectAttempt

__all__ = ["ActiveDataChannel", "PassiveDataChannel"]


class PassiveDataChannel(PendingConnection, ClientFactory):
    """A data connection that we make."""

    noisy = False
    _connector: IConnector | None = None
    _attempt: TCPConnectAttempt | None = None

    def make(self, host: str, port: int) -> PassiveDataChannel:
        """Begin."""
        if IReactorFDSet.providedBy(self._reactor):
            self._attempt = TCPConnectAttempt(self._reactor, self._joined, self._connect_failed)
            self._attempt.begin(host, port)
        else:
            seconds = self._settings.timeout or None
            self._connector = self._reactor.connectTCP(host, port, self, timeout=seconds)
        return self

    def _joined(self, own: socket.socket, place: tuple[Any, ...]) -> None:
        self._attempt = None
        protocol = self.begin()
        protocol.makeConnection(AcceptedTransport(own, protocol, place, self._reactor))

    def buildProtocol(self, _addr: IAddress | None) -> Protocol:
        """Return our end."""
        return self.begin()

    def clientConnectionFailed(self, _connector: IConnector, reason: Failure) -> None:
        """Tell who waits."""
        self._connect_failed(reason.getErrorMessage())

    def _connect_failed(self, reason: str) -> None:
        self._settle(CannotConnect(f"no data connection: {reason}"))

    def stop(self) -> None:
        """Connect no more."""
        if self._connector is not None and self.data.transport is None:
            self._connector.disconnect()
        if self._attempt is not None:
            self._attempt.stop()
        self._connector = self._attempt = None


class ActiveDataChannel(PendingConnection, Factory):
    """A data connection that the server makes to us; others that come are closed."""

    noisy = False
    _port: Any = None

    def listen(self, host: str, peer: str) -> int:
        """Listen at ``host`` for ``peer``; returns the port, raises `CannotConnect`."""
        self._peer = peer
        try:
            self._port = self._reactor.listenTCP(0, self, backlog=4, interface=host)
        except OSError as error:
            raise CannotConnect(f"cannot listen for data: {error}") from error
        return int(self._port.getHost().port)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return our end, for the server."""
        if self._port is None or not same_host(getattr(addr, "host", ""), self._peer):
            return None
        self.stop()
        return self.begin()

    def stop(self) -> None:
        """Listen no more."""
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()
