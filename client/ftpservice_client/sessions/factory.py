"""Makes sessions: connects to a destination or an endpoint, and logs in."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    connectProtocol,
)
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol

from ftpservice.concurrency.timers import Deadline
from ftpservice.net.tls.client import ClientTLS
from ftpservice.wire.units import seconds_text
from ftpservice_client.errors import CannotConnect, NetworkError
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.data import DataConnections
from ftpservice_client.ftp.login import LoginSequence
from ftpservice_client.ftp.server_quirks import ServerQuirks
from ftpservice_client.ftp.session import FTPSession
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.link.connection import PendingConnection
from ftpservice_client.link.tls import tls_context_for
from ftpservice_client.local.threads import thread_pool_of
from ftpservice_client.sessions.netrc import with_netrc
from ftpservice_client.settings import ExplicitTLS, Settings
from ftpservice_client.simple.connection import SimpleConnection
from ftpservice_client.simple.session import SimpleClientSession, log_in
from ftpservice_client.urls import Destination, Scheme

__all__ = ["SessionFactory", "connect_error_text"]


@dataclass
class SessionFactory:
    """Makes sessions with one destination."""

    reactor: Any
    destination: Destination
    settings: Settings
    endpoint: IStreamClientEndpoint | None = None
    """Where to connect instead of the destination's host and port."""

    def __post_init__(self) -> None:
        """Pass each warning on once, however many sessions are made."""
        if self.settings.warn is not None:
            self.settings = replace(self.settings, warn=_WarnOnce(self.settings.warn))

    async def __call__(self) -> ClientSession:
        """Connect and log in; raises what `connect` does."""
        await self._prepare()
        if self.destination.scheme.is_simple:
            return await self._simple()
        login, self._pending_login = self._pending_login, None
        if login is None or login.control.lost is not None:
            login = await self._begin()
        login.destination = self.destination
        try:
            return await self._finish(login)
        except BaseException:
            login.control.close(NetworkError("the connection is unusable"))
            raise

    async def connect_without_login(self) -> LoginSequence:
        """Connect and start TLS, but do not log in: the next session does. FTP only."""
        await self._prepare()
        self._pending_login = await self._begin()
        return self._pending_login

    def is_awaiting_login(self, login: LoginSequence) -> bool:
        """Return whether a control connection still waits for the login."""
        return self._pending_login is login

    async def _begin(self) -> LoginSequence:
        """Open a control connection; if optional TLS breaks it, another one without TLS."""
        try:
            return await self._begin_with(self._tls())
        except CannotConnect:
            raise
        except NetworkError:
            optional = self.settings.explicit_tls is ExplicitTLS.PREFER
            if self.destination.scheme is not Scheme.FTP or not optional:
                raise
        return await self._begin_with(None)

    async def _begin_with(self, tls: ClientTLS | None) -> LoginSequence:
        control = ControlConnection(self.reactor, self.settings.timeout)
        await self._connect(control)
        connections = DataConnections(self.reactor, control, self.settings, self.quirks)
        login = LoginSequence(control, connections, self.destination, self.settings, tls)
        try:
            await login.negotiate()
        except BaseException:
            control.close(NetworkError("the connection is unusable"))
            raise
        return login

    async def _prepare(self) -> None:
        """Read the files that are needed, once."""
        pool, settings = thread_pool_of(self.reactor), self.settings
        if settings.netrc is not None and self.destination.password is None:
            warnings: list[str] = []
            find = partial(with_netrc, self.destination, settings.netrc, warnings.append)
            self.destination = await pool.run(find)
            for line in warnings:
                settings.emit_warning(line)
        if self._may_use_tls and self._context is None:
            self._context = await pool.run(tls_context_for, settings.trust)

    @property
    def _may_use_tls(self) -> bool:
        scheme, explicit = self.destination.scheme, self.settings.explicit_tls
        requested = scheme is Scheme.FTP and explicit is not ExplicitTLS.NEVER
        return scheme.is_secured or requested

    _context: Any = None
    _pending_login: LoginSequence | None = None
    """A control connection that waits for the login."""
    quirks: ServerQuirks = field(default_factory=ServerQuirks)
    """Shared by the sessions."""

    def _tls(self) -> ClientTLS | None:
        return ClientTLS(self._context, self.destination.host) if self._context else None

    async def _connect(self, protocol: Protocol) -> None:
        seconds = self.settings.timeout
        connecting: Deferred[Any] = connectProtocol(self._endpoint(), protocol)
        deadline = Deadline(self.reactor, connecting.cancel)
        deadline.set(seconds)
        began = self.reactor.seconds()
        try:
            await connecting
        except (CancelledError, ConnectingCancelledError) as error:
            if not seconds or self.reactor.seconds() < began + seconds:
                raise CancelledError from error
            text = f"no answer in {seconds_text(seconds)}"
            raise CannotConnect(f"no connection to {self.destination}: {text}") from error
        except Exception as error:
            raise CannotConnect(
                f"no connection to {self.destination}: {connect_error_text(error)}"
            ) from error
        finally:
            deadline.clear()

    def _endpoint(self) -> IStreamClientEndpoint:
        if self.endpoint is not None:
            return self.endpoint
        host, port = self.destination.host, self.destination.port
        if ":" in host:
            return TCP6ClientEndpoint(self.reactor, host, port)
        if host.replace(".", "").isdigit():
            return TCP4ClientEndpoint(self.reactor, host, port)
        return HostnameEndpoint(self.reactor, host, port)

    async def _simple(self) -> SimpleClientSession:
        pending = PendingConnection(self.reactor, self.settings, self._tls())
        try:
            await self._connect(pending.build_protocol())
            data = await pending.connection()
            connection = SimpleConnection(data, self.reactor, self.settings.timeout)
            await log_in(connection, self.destination)
            session = SimpleClientSession(connection, self.settings.memory_limit)
            if self.destination.path:
                await session.change_directory(self.destination.path)
        except BaseException:
            pending.abort()
            raise
        return session

    async def _finish(self, login: LoginSequence) -> FTPSession:
        features = await login.log_in()
        session = FTPSession(
            self.reactor, login.control, login.connections, features, self.settings
        )
        await session.refresh_directory()
        if self.destination.path:
            await session.change_directory(self.destination.path)
        return session


class _WarnOnce:
    """Passes each line on once."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        self._warn = warn
        self._passed: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self._passed:
            self._passed.add(line)
            self._warn(line)


def connect_error_text(error: Exception) -> str:
    """Return the operating system's text for a failed connection, if there is one."""
    if isinstance(error, DNSLookupError):
        return "unknown host"
    if isinstance(error, ConnectError) and isinstance(error.osError, int):
        return os.strerror(error.osError)
    return str(error).rstrip(".") or type(error).__name__
