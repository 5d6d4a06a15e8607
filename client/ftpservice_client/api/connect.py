"""Connects clients to servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from ftpservice_client.api.call_timeout import with_timeout
from ftpservice_client.api.client import Client
from ftpservice_client.errors import NetworkError, Unsupported
from ftpservice_client.ftp.login import LoginSequence
from ftpservice_client.sessions.factory import SessionFactory
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.settings import Settings
from ftpservice_client.urls import Destination, parse_url

__all__ = ["PendingLogin", "connect", "connect_endpoint", "connect_pool", "connect_without_login"]


class PendingLogin:
    """A connection to an FTP server before the login; see `connect_without_login`."""

    def __init__(self, factory: SessionFactory, login: LoginSequence) -> None:
        self._session_factory = factory
        self._login = login

    @property
    def destination(self) -> Destination:
        """The server."""
        return self._session_factory.destination

    @property
    def welcome(self) -> tuple[str, ...]:
        """The lines of the server's greeting."""
        return self._login.welcome

    @property
    def is_secured(self) -> bool:
        """Whether the connection is encrypted."""
        return self._login.is_secured

    def log_in(
        self, user: str, password: str | None, *, timeout: float | None = None
    ) -> Deferred[Client]:
        """Log in and change to the directory of the destination; raises what `connect` does.

        If the server has closed the connection meanwhile, a new one is made.
        """
        factory = self._session_factory
        factory.destination = replace(factory.destination, user=user, password=password)
        opened = Deferred.fromCoroutine(_open_client(factory))
        return with_timeout(opened, timeout, factory.reactor)

    def close(self) -> None:
        """Close the connection, unless `log_in` was called."""
        if self._session_factory.is_awaiting_login(self._login):
            self._login.control.close(NetworkError("the client has quit"))


def connect_without_login(
    url: str | Destination,
    *,
    reactor: Any,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Deferred[PendingLogin]:
    """Connect to an FTP server, start TLS if the URL or the settings ask for it, and do not log in.

    `PendingLogin.log_in` logs in. Raises `BadURL`, `CannotConnect`, `CertificateNotTrusted`, and
    `Unsupported` for the simple protocol, which has no such state.
    """
    greeted = Deferred.fromCoroutine(_connect_without_login(url, reactor, _settings(settings)))
    return with_timeout(greeted, timeout, reactor)


def connect(
    url: str | Destination,
    *,
    reactor: Any,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Deferred[Client]:
    """Connect, log in and change to the directory of a URL (see `parse_url`).

    ``timeout`` (seconds) limits all of it, `Settings.timeout` each step. Cancelling closes the
    connection. Raises `BadURL`, `CannotConnect`, `AuthenticationFailed`, `CertificateNotTrusted`,
    `NotFound` and other `ClientError`s.
    """
    connected = Deferred.fromCoroutine(_connect(url, reactor, _settings(settings)))
    return with_timeout(connected, timeout, reactor)


def connect_endpoint(
    endpoint: IStreamClientEndpoint,
    destination: str | Destination,
    *,
    reactor: Any,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Deferred[Client]:
    """Connect through an endpoint of your own; the other parameters come from ``destination``.

    The host of the destination is the one that the certificate has to name. TLS requires an
    endpoint that makes Twisted's TCP connections. FTP data connections go to the host to which the
    endpoint connects.
    """
    settings = _settings(settings)
    connected = Deferred.fromCoroutine(_connect(destination, reactor, settings, endpoint))
    return with_timeout(connected, timeout, reactor)


def connect_pool(
    url: str | Destination,
    size: int,
    *,
    reactor: Any,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Deferred[Client]:
    """Return a client that runs up to ``size`` calls in parallel, each over its own connection.

    The first connection is made at once, the others on demand; one that the server has closed while
    it was idle is replaced. All have the same current directory. Calls do not run in order: wait
    for a call on which another depends.
    """
    connected = Deferred.fromCoroutine(_connect_pool(url, size, reactor, _settings(settings)))
    return with_timeout(connected, timeout, reactor)


def _settings(given: Settings | None) -> Settings:
    if given is not None and not isinstance(given, Settings):
        raise TypeError(f"settings is a Settings, not {given!r}")
    return given or Settings()


def _destination(url: str | Destination) -> Destination:
    return url if isinstance(url, Destination) else parse_url(url)


async def _connect_pool(
    url: str | Destination, size: int, reactor: Any, settings: Settings
) -> Client:
    destination = _destination(url)
    sessions = SessionPool(reactor, settings, SessionFactory(reactor, destination, settings), size)
    await sessions.open()
    return Client(sessions)


async def _connect(
    url: str | Destination,
    reactor: Any,
    settings: Settings,
    endpoint: IStreamClientEndpoint | None = None,
) -> Client:
    destination = _destination(url)
    if endpoint is not None and not IStreamClientEndpoint.providedBy(endpoint):
        raise TypeError(f"endpoint is an IStreamClientEndpoint, not {endpoint!r}")
    return await _open_client(SessionFactory(reactor, destination, settings, endpoint))


async def _open_client(factory: SessionFactory) -> Client:
    sessions = SessionQueue(factory.reactor, factory.settings, factory)
    await sessions.open()
    return Client(sessions)


async def _connect_without_login(
    url: str | Destination, reactor: Any, settings: Settings
) -> PendingLogin:
    destination = _destination(url)
    if destination.scheme.is_simple:
        raise Unsupported("the simple protocol cannot connect without a login")
    factory = SessionFactory(reactor, destination, settings)
    return PendingLogin(factory, await factory.connect_without_login())
