"""Data connections: how each is made, and its TLS.

EPSV comes first (RFC 2428 §3), PASV where that is not known; the host in a reply to PASV is not
looked at: data comes from where the commands go, and nobody is sent anywhere else by a server.
Connecting, handshake and command go on at the same time, for servers differ in what they wait for.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ftpservice.net.tls.client import ClientTLS
from ftpservice.net.tls.handshake import HandshakeError
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.stall_timeout import Wakeup
from ftpservice_client.errors import ClientError, NetworkError, Timeout
from ftpservice_client.link.tls import certificate_error, verify_pin
from ftpservice_client.settings import Settings

__all__ = ["ClientConnection", "PendingConnection"]


class ClientConnection(StreamConnection):
    """A connection that we use, and that knows how it came to its end."""

    problem: BaseException | None = None
    has_ended = False
    """Whether the server has ended its side."""

    def readConnectionLost(self) -> None:
        """Learn of the server's end."""
        self.has_ended = True
        super().readConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever reads or writes."""
        self.has_ended = True
        self.problem = reason.value
        super().connectionLost(reason)


class PendingConnection:
    """A data connection to come: ``ready`` when it stands and, if it is to be, is under TLS."""

    def __init__(self, reactor: Any, settings: Settings, tls: ClientTLS | None) -> None:
        self._reactor = reactor
        self._settings = settings
        self._tls = tls
        self._error: ClientError | None = None
        self._waiting: Deferred[None] | None = None
        self._is_ready = False
        self._begun = Wakeup(reactor)
        self.data = ClientConnection(reactor, settings.stall_timeout, self._made)
        self.data.when_lost = self._lost

    def _made(self, _data: StreamConnection) -> None:
        self._begun.wake_waiter()
        if self._tls is None:
            self._settle(None)

    def begin(self) -> Protocol:
        """Return our end of a connection that is being made."""
        return self.data if self._tls is None else _PlaceholderProtocol(self._put_on)

    def _put_on(self, transport: Any) -> None:
        assert self._tls is not None
        timeout = self._settings.timeout
        covered = self._tls.start_tls(transport, self.data, self._secured, timeout)
        self.data.makeConnection(covered)
        covered.doWrite()  # begin now, and not when the reactor comes by

    def _secured(self) -> None:
        transport: Any = self.data.transport
        try:
            verify_pin(self._settings.trust, transport.peer_certificate)
        except ClientError as error:
            self._settle(error)
        else:
            self._settle(None)

    def _lost(self, reason: str) -> None:
        problem = self.data.problem
        if isinstance(problem, HandshakeError):
            self._settle(certificate_error(problem))
        else:
            self._settle(NetworkError(f"the connection was lost: {reason}"))

    def _settle(self, error: ClientError | None) -> None:
        if not self._is_ready and self._error is None:
            self._is_ready, self._error = error is None, error
            self._begun.wake_waiter()
            self.data.when_lost = None
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                waiting.callback(None)

    async def wait_connected(self, seconds: float) -> bool:
        """Wait until it is connected, under TLS or not yet; tell whether it is in time."""
        while self.data.transport is None and self._error is None:
            if not await self._begun.wait(seconds):
                return False
        return self._error is None

    async def connection(self) -> ClientConnection:
        """Wait for it.

        Raises `CannotConnect`, `Timeout`, `CertificateNotTrusted`, `NetworkError`.
        """
        if not self._is_ready and self._error is None:
            waiting: Deferred[None] = Deferred()
            self._waiting = waiting
            seconds = self._settings.timeout
            late = Timeout(f"no connection in {seconds:g} seconds")
            call = self._reactor.callLater(seconds, self._settle, late) if seconds else None
            try:
                await waiting
            finally:
                self._waiting = None
                if call is not None and call.active():
                    call.cancel()
        if self._error is not None:
            raise self._error
        return self.data

    @property
    def has_traffic(self) -> bool:
        """Whether anything came or went."""
        return self.data.transport is not None and self.data.moved > 0

    def abort_if_idle(self, seconds: float) -> IDelayedCall:
        """Break it off when nothing has come over it until then."""

        def give_up() -> None:
            if not self.has_traffic:
                self.abort()

        delayed: IDelayedCall = self._reactor.callLater(seconds, give_up)
        return delayed

    def abort(self) -> None:
        """Break what there is of it; nobody waits for it any more."""
        self.stop()
        if self.data.transport is not None:
            self.data.abort()
        else:
            self._settle(NetworkError("the data connection was given up"))

    def close_gracefully(self) -> None:
        """End what there is of it in order: it turned out to be of no use."""
        self.stop()
        if self.data.transport is not None:
            self.data.close_gracefully()

    def stop(self) -> None:
        """Connect, or wait for a connection, no more."""


class _PlaceholderProtocol(Protocol):
    """Stands in for our end until TLS has begun."""

    def __init__(self, begin: Any) -> None:
        self._begin = begin

    def connectionMade(self) -> None:
        """Begin."""
        self._begin(self.transport)
