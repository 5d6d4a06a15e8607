"""The factory of simple sessions, which share accounts, limits and shutdown with FTP sessions."""

from __future__ import annotations

from typing import Protocol as Shape

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory

from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.registry import SessionRegistry
from ftpservice.session.services import Services
from ftpservice.session.starttls import negotiated_tls, start_server_tls
from ftpservice.simple.session import SimpleServerSession
from ftpservice.stream.connection import StreamConnection

__all__ = ["SimpleFactory"]


class ServicesFactory(SessionRegistry, Shape):
    """The FTP factory whose accounts, storage and limits the sessions share."""

    tls: ServerTLS | None

    def services(self) -> Services:
        """Return what all sessions share."""

    def doStart(self) -> None:
        """Count a port of the sessions."""

    def doStop(self) -> None:
        """Stop to count a port."""


class SimpleTLSStarter(Protocol):
    """Starts TLS on a connection and replaces itself with a session."""

    def __init__(self, sessions: ServicesFactory) -> None:
        self._sessions = sessions

    def connectionMade(self) -> None:
        """Start TLS, and the session over it."""
        services = self._sessions.services()
        tls, timeout = services.tls, services.settings.tls.handshake_timeout
        assert tls is not None
        session = SimpleServerSession(self._sessions, secured=True)
        connection = _connection(services, session)

        def secured() -> None:
            session.context.tls_state.handshake_done(*negotiated_tls(connection.transport))

        transport = start_server_tls(self.transport, tls, timeout, secured)
        transport.protocol = connection
        connection.makeConnection(transport)


def _connection(services: Services, session: SimpleServerSession) -> StreamConnection:
    clock: IReactorTime = services.clock
    connection = StreamConnection(clock, services.settings.data.stall_timeout, session.begin)
    connection.accepts_truncated_tls = True  # UPLD announces the size
    return connection


class SimpleFactory(ServerFactory):
    """Builds simple sessions that belong to ``sessions``; ``secured`` for TLS from the first byte.

    Raises `ValueError` for ``secured`` if ``sessions`` has no certificates.
    """

    noisy = False

    def __init__(self, sessions: ServicesFactory, secured: bool = False) -> None:
        if secured and sessions.tls is None:
            raise ValueError("TLS needs certificates: set `tls` of the FTP factory first")
        self._sessions = sessions
        self._secured = secured

    def buildProtocol(self, _addr: IAddress | None) -> Protocol:
        """Return the protocol of a session."""
        if self._secured:
            return SimpleTLSStarter(self._sessions)
        return _connection(self._sessions.services(), SimpleServerSession(self._sessions))

    def doStart(self) -> None:
        """Count this port for ``sessions``."""
        self._sessions.doStart()

    def doStop(self) -> None:
        """Stop to count this port."""
        self._sessions.doStop()
