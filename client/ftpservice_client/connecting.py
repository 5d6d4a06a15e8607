"""How a client is made."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from ftpservice_client.carriage import Carriage
from ftpservice_client.client import Client
from ftpservice_client.dialing import Dial
from ftpservice_client.limiting import limited
from ftpservice_client.line import Line
from ftpservice_client.pool import Lines
from ftpservice_client.settings import Settings
from ftpservice_client.urls import Destination, parse_url

__all__ = ["connect", "connect_endpoint", "connect_pool"]


def connect(
    url: str | Destination,
    *,
    reactor: Any,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> Deferred[Client]:
    """Connect, log in and go to the path of a URL (see `parse_url`).

    Raises `BadURL`, `CannotConnect`, `LoginFailed`, `Untrusted`, `NotFound`, and what else a
    `ClientError` can be. Who cancels it closes what there is of the connection; so does
    ``timeout``, in seconds for all of it, where `Settings.timeout` is for each step.
    """
    connected = Deferred.fromCoroutine(_connect(url, reactor, settings or Settings()))
    return limited(connected, timeout, reactor)


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
    return limited(connected, timeout, reactor)


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
    return limited(connected, timeout, reactor)


async def _connect_pool(
    url: str | Destination, size: int, reactor: Any, settings: Settings
) -> Client:
    destination = parse_url(url) if isinstance(url, str) else url
    lines = Lines(reactor, settings, Dial(reactor, destination, settings), size)
    await lines.open()
    return Client(lines, Carriage(lines))


async def _connect(
    url: str | Destination,
    reactor: Any,
    settings: Settings,
    endpoint: IStreamClientEndpoint | None = None,
) -> Client:
    destination = parse_url(url) if isinstance(url, str) else url
    line = Line(reactor, settings, Dial(reactor, destination, settings, endpoint))
    await line.open()
    return Client(line, Carriage(line))
