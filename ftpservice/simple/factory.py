"""Makes sessions of the simple protocol, counted and told to end with all others."""

from __future__ import annotations

from typing import Protocol as Shape

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory

from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.context import Services
from ftpservice.session.registry import SessionRegistry
from ftpservice.session.starttls import negotiated_tls, start_server_tls
from ftpservice.simple.session import SimpleServerSession
from ftpservice.stream.connection import StreamConnection

__all__ = ["SimpleFactory"]


class ServicesFactory(SessionRegistry, Shape):
    """The factory whose accounts, files and limits these sessions share."""

    tls: ServerTLS | None

    def services(self) -> Services:
        """Return what the sessions share."""

    def doStart(self) -> None:
        """Count a port among those of the sessions."""

    def doStop(self) -> None:
        """Count it no more."""


class SimpleTLSStarter(Protocol):
    """Puts TLS on a connection and hands it over; what is said waits for the handshake."""

    def __init__(self, sessions: ServicesFactory) -> None:
        self._sessions = sessions

    def connectionMade(self) -> None:
        """Begin TLS and the session on top of it."""
        services = self._sessions.services()
        tls, timeout = services.tls, services.settings.tls.handshake_timeout
        assert tls is not None
        session = SimpleServerSession(self._sessions, secured=True)
        connection = _connection(services, session)

        def secured() -> None:
            session.context.tls_state.learn(*negotiated_tls(connection.transport))

        transport = start_server_tls(self.transport, tls, timeout, secured)
        transport.protocol = connection
        connection.makeConnection(transport)


def _connection(services: Services, session: SimpleServerSession) -> StreamConnection:
    clock: IReactorTime = services.clock
    connection = StreamConnection(clock, services.settings.data.stall_timeout, session.begin)
    connection.accepts_truncated_tls = True  # who uploads has said how much is to come
    return connection


class SimpleFactory(ServerFactory):
    """Sessions of ``sessions`` that speak the simple protocol, ``secured`` from the first byte.

    Raises `ValueError` if there is to be TLS and ``sessions`` has none.
    """

    noisy = False

    def __init__(self, sessions: ServicesFactory, secured: bool = False) -> None:
        if secured and sessions.tls is None:
            raise ValueError("these sessions have no certificates to begin TLS with")
        self._sessions = sessions
        self._secured = secured

    def buildProtocol(self, _addr: IAddress | None) -> Protocol:
        """Make a session."""
        if self._secured:
            return SimpleTLSStarter(self._sessions)
        return _connection(self._sessions.services(), SimpleServerSession(self._sessions))

    def doStart(self) -> None:
        """Count this port among those of the sessions."""
        self._sessions.doStart()

    def doStop(self) -> None:
        """Count it no more."""
        self._sessions.doStop()
