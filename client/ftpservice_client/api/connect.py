"""How a client is made."""

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
from ftpservice_client.transfers.jobs import FileTransfers
from ftpservice_client.urls import Destination, parse_url

__all__ = ["PendingLogin", "connect", "connect_endpoint", "connect_pool", "connect_without_login"]


class PendingLogin:
    """A connection to an FTP server before the login.

    See `connect_without_login`.
    """

    def __init__(self, dial: SessionFactory, login: LoginSequence) -> None:
        self._session_factory = dial
        self._login = login

    @property
    def destination(self) -> Destination:
        """Where it leads."""
        return self._session_factory.destination

    @property
    def welcome(self) -> tuple[str, ...]:
        """The lines of the server's greeting, as they came."""
        return self._login.welcome

    @property
    def is_secured(self) -> bool:
        """Whether it is under TLS."""
        return self._login.secured

    def log_in(
        self, user: str, password: str | None, *, timeout: float | None = None
    ) -> Deferred[Client]:
        """Log in and go to the path of the destination; raises what `connect` does.

        If the server has closed the connection meanwhile, another one is made.
        """
        dial = self._session_factory
        dial.destination = replace(dial.destination, user=user, password=password)
        opened = Deferred.fromCoroutine(_open_client(dial))
        return with_timeout(opened, timeout, dial.reactor)

    def close(self) -> None:
        """Break the connection, unless it was logged in on."""
        if self._session_factory.is_awaiting_login(self._login):
            self._login.control.close(NetworkError("the client has quit"))


def connect_without_login(
    url: str | Destination,
    *,
    reactor: Any,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Deferred[PendingLogin]:
    """Connect to an FTP server and receive its greeting, under TLS where that is wanted.

    `PendingLogin.log_in` then logs in. Raises `BadURL`, `CannotConnect`,
    `CertificateNotTrusted`, and `Unsupported` for the simple protocol, whose servers say nothing
    before the login.
    """
    greeted = Deferred.fromCoroutine(_connect_without_login(url, reactor, settings or Settings()))
    return with_timeout(greeted, timeout, reactor)


def connect(
    url: str | Destination,
    *,
    reactor: Any,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Deferred[Client]:
    """Connect, log in and go to the path of a URL (see `parse_url`).

    Raises `BadURL`, `CannotConnect`, `LoginFailed`, `CertificateNotTrusted`, `NotFound`, and what
    else a `ClientError` can be. Who cancels it closes what there is of the connection; so does
    ``timeout``, in seconds for all of it, where `Settings.timeout` is for each step.
    """
    connected = Deferred.fromCoroutine(_connect(url, reactor, settings or Settings()))
    return with_timeout(connected, timeout, reactor)


def connect_endpoint(
    endpoint: IStreamClientEndpoint,
    destination: str | Destination,
    *,
    reactor: Any,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Deferred[Client]:
    """Do the same over an endpoint of your own; ``destination`` says all but where that is.

    Its host is the one that a certificate has to name. TLS needs an endpoint that makes TCP
    connections of Twisted's. Data connections of FTP go to the host that the endpoint connects to.
    """
    settings = settings or Settings()
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
    """Return a client whose calls are carried out over up to ``size`` connections at a time.

    They are made when they are wanted, the first one at once, and again when the server has closed
    one that was idle; all have one directory. Calls are not carried out in order: wait for one that
    another depends on.
    """
    connected = Deferred.fromCoroutine(_connect_pool(url, size, reactor, settings or Settings()))
    return with_timeout(connected, timeout, reactor)


async def _connect_pool(
    url: str | Destination, size: int, reactor: Any, settings: Settings
) -> Client:
    destination = parse_url(url) if isinstance(url, str) else url
    lines = SessionPool(reactor, settings, SessionFactory(reactor, destination, settings), size)
    await lines.open()
    return Client(lines, FileTransfers(lines))


async def _connect(
    url: str | Destination,
    reactor: Any,
    settings: Settings,
    endpoint: IStreamClientEndpoint | None = None,
) -> Client:
    destination = parse_url(url) if isinstance(url, str) else url
    return await _open_client(SessionFactory(reactor, destination, settings, endpoint))


async def _open_client(dial: SessionFactory) -> Client:
    line = SessionQueue(dial.reactor, dial.settings, dial)
    await line.open()
    return Client(line, FileTransfers(line))


async def _connect_without_login(
    url: str | Destination, reactor: Any, settings: Settings
) -> PendingLogin:
    destination = parse_url(url) if isinstance(url, str) else url
    if destination.scheme.is_simple:
        raise Unsupported("servers of the simple protocol greet nobody before the login")
    dial = SessionFactory(reactor, destination, settings)
    return PendingLogin(dial, await dial.connect_without_login())
