"""Twisted's `FTPFactory` with our sessions: same attributes, same portal, other protocol."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.protocols import ftp
from twisted.python.failure import Failure

from ftpservice.accounts.login_attempts import LoginAttempts
from ftpservice.accounts.portal_checkers import with_text_names
from ftpservice.concurrency.batched_checks import BatchedChecks
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.control.protocol import ControlProtocol
from ftpservice.data.connector import ControlAddresses, DataConnector
from ftpservice.data.masquerade import MasqueradeAddresses
from ftpservice.data.passive_ports import PassivePorts
from ftpservice.events import Event, EventStream
from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.context import (
    EventSink,
    Services,
    SessionContext,
    SessionPeer,
    TransferParameters,
)
from ftpservice.session.error_replies import log
from ftpservice.session.registry import ManagedSession
from ftpservice.session.resume_offers import ResumeOffers
from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.settings import SessionSettings
from ftpservice.session.upload_digests import UploadDigests
from ftpservice.stream.rate_limit import SharedRateLimiters

__all__ = ["FTPFactory"]

DISPLACED_TEXT = "Not logged in, and all sessions are in use; connect again."
COMMAND_SECONDS_PER_TURN = 0.005
"""Seconds of commands, of all sessions, until the reactor comes by again."""


def _log_failure(error: Exception, event: Event) -> None:
    log.failure("a subscriber failed at {event}", Failure(error), event=type(event).__name__)


def _digests(reactor: Any, algorithm: str) -> UploadDigests:
    return UploadDigests(
        algorithm, BlockingPool(reactor, "digest", threads=4) if algorithm else None
    )


class FTPFactory(ftp.FTPFactory):
    """Makes FTP sessions over whatever accounts and files the portal's realm hands out.

    The realm may hand out our `IAccount` or Twisted's `IFTPShell`. Twisted's attributes
    (``allowAnonymous``, ``userAnonymous``, ``timeOut``, ``welcomeMessage``, ``passivePortRange``,
    ``connectionLimit``) mean what they mean there and may be set until the first connection; they
    begin as ``settings`` says. Unlike there, ``allowAnonymous`` is False unless asked for.
    """

    tls: ServerTLS | None = None
    """What to secure connections with; set it before the first one."""
    connector = DataConnector
    """What prepares the data connections of a session; another one where there are no sockets."""
    allowAnonymous = False
    noisy = False
    """No lines of Twisted's that show the representation of a factory."""
    timeOut = 300
    welcomeMessage = "ftpservice ready"

    def __init__(
        self,
        portal: Portal,
        reactor: Any,
        settings: SessionSettings | None = None,
        attempts: LoginAttempts | None = None,
        event_sink: EventSink | None = None,
    ) -> None:
        super().__init__(portal, self.userAnonymous)
        self.reactor = reactor
        self.event_sink = event_sink or EventSink(EventStream(_log_failure))
        self._settings = settings or SessionSettings()
        if settings is not None:
            self._adopt(settings)
        self._attempts = attempts or LoginAttempts(reactor)
        self._numbers: Iterator[int] = itertools.count(1)
        self._roster = SessionLimits()
        self._services: Services | None = None
        self._retired: str | None = None
        self._listens = False
        self.instances: list[ManagedSession] = []
        self._guests: dict[int, ManagedSession] = {}

    def _adopt(self, settings: SessionSettings) -> None:
        self.allowAnonymous = settings.anonymous
        self.timeOut = settings.idle_timeout  # type: ignore[assignment]  # seconds, whole or not
        self.welcomeMessage = settings.welcome
        self.connectionLimit = settings.max_sessions or None  # type: ignore[assignment]  # untyped there
        ports = settings.data.passive_ports
        self.passivePortRange = range(ports[0], ports[1] + 1) if ports is not None else range(1)

    def apply(self, settings: SessionSettings) -> None:
        """Have sessions that begin from now on go by other settings."""
        self._settings = settings
        self._adopt(settings)
        if self._services is None:
            return
        before, now = self._services.settings.data, self._in_force()
        self._services = replace(self._services, settings=now)
        if before.passive_ports != now.data.passive_ports:
            self._ports = PassivePorts(now.data)
        if before.passive_addresses != now.data.passive_addresses:
            self._masquerade = MasqueradeAddresses(self.reactor, now.data.passive_addresses)

    def _in_force(self) -> SessionSettings:
        """Return the settings as the attributes have it now."""
        ports = list(self.passivePortRange)
        passive = (min(ports), max(ports)) if any(ports) else None
        return replace(
            self._settings,
            anonymous=self.allowAnonymous,
            idle_timeout=self.timeOut or 0,
            welcome=self.welcomeMessage,
            max_sessions=self.connectionLimit or 0,
            data=replace(self._settings.data, passive_ports=passive),
        )

    def services(self) -> Services:
        """Return what the sessions share; made at the first connection."""
        if self._services is None:
            settings = self._in_force()
            self._services = Services(
                with_text_names(self.portal),
                self.reactor,
                time.time,
                settings,
                self.event_sink,
                self._attempts,
                self._roster,
                SharedRateLimiters(self.reactor),
                _digests(self.reactor, settings.upload_digest),
                TimeBudget(self.reactor, self.reactor.seconds, COMMAND_SECONDS_PER_TURN),
                ResumeOffers(self.reactor.seconds),
                user_anonymous=self.userAnonymous,
                tls=self.tls,
            )
            self._ports = PassivePorts(settings.data)
            self._masquerade = MasqueradeAddresses(self.reactor, settings.data.passive_addresses)
        return self._services

    def buildProtocol(self, _addr: IAddress | None) -> ControlProtocol:
        """Make a session; whether there is a place for it is said to the client."""
        return self.session()

    def session(self, implicit: bool = False) -> ControlProtocol:
        """Make a session; ``implicit``: TLS comes first, and there is no AUTH."""
        protocol = ControlProtocol(self, implicit)
        protocol.factory = self
        return protocol

    def context(self, guest: ManagedSession, ends: ControlAddresses) -> SessionContext:
        """Make the memory of a new session."""
        services = self.services()
        settings = services.settings
        self.instances.append(guest)
        self.connectionCount += 1
        peer = SessionPeer(next(self._numbers), ends.peer, guest.client_is_connected)
        self._guests[peer.session] = guest
        connector = self.connector(self.reactor, settings.data, self._ports, self._masquerade, ends)
        return SessionContext(
            services,
            peer,
            connector,
            parameters=TransferParameters(ascii=settings.ascii, umask=settings.umask),
        )

    def enter(self, context: SessionContext) -> str | None:
        """Count a session; a text says why there is no place for it."""
        settings, address = context.services.settings, context.peer.limit_key
        if self._retired is not None:
            return self._retired
        if not self._roster.take("address", address, settings.max_sessions_per_address):
            return "Too many sessions from your address."
        if not self._roster.take("all", "", settings.max_sessions):
            if not self._displace():
                self._roster.release("address", address)
                return "Too many sessions; try again later."
            self._roster.take("all", "", 0)
        self._roster.waiting.add(address, context.peer.session)
        return None

    def _displace(self) -> bool:
        """End a session that is not logged in, for a new one; tell whether there was one.

        It is the oldest of the address that has most of them, so that nobody can take all places
        by connecting alone.
        """
        session = self._roster.waiting.oldest_of_busiest_address(
            lambda one: self._guests[one].is_busy
        )
        if session is None:
            return False
        self._guests[session].yield_place(DISPLACED_TEXT)
        return True

    def leave(self, guest: ManagedSession, context: SessionContext, entered: bool) -> None:
        """Forget a session."""
        self.instances.remove(guest)
        self.connectionCount -= 1
        del self._guests[context.peer.session]
        if entered:
            self.release_place(context)
        if not self._listens and not self.instances:
            self.stopFactory()

    def release_place(self, context: SessionContext) -> None:
        """Count a session no more."""
        address = context.peer.limit_key
        self._roster.waiting.discard(address, context.peer.session)
        self._roster.release("all", "")
        self._roster.release("address", address)

    @property
    def is_working(self) -> bool:
        """Whether any session carries out a user's command."""
        return any(guest.is_working for guest in self.instances)

    @property
    def working_count(self) -> int:
        """The number of sessions that carry out a user's command."""
        return sum(guest.is_working for guest in self.instances)

    def finish_and_disconnect_all(self, reason: str) -> None:
        """Tell every session 421, after its transfer if it has one; new ones at once."""
        self._retired = reason
        for guest in tuple(self.instances):
            guest.finish_and_disconnect(reason)

    def disconnect_all(self, reason: str) -> None:
        """Tell every session 421 and close it; transfers are cut."""
        for guest in tuple(self.instances):
            guest.disconnect(reason)

    def abort_all(self) -> None:
        """Break the connection of every session."""
        for guest in tuple(self.instances):
            guest.cut()

    def startFactory(self) -> None:
        """Take sessions, again if need be."""
        self._retired = None
        self._listens = True

    def stopFactory(self) -> None:
        """Let go of what transfers have left, and of the rest when the last session has ended."""
        self._listens = False
        BatchedChecks.of(self.reactor).check_soon(self.reactor)
        if not self.instances:
            let_go = Deferred.fromCoroutine(self._let_go_of_threads())
            let_go.addErrback(lambda failure: log.failure("letting go failed", failure))

    def close_lingering_connections(self) -> None:
        """End data connections that wait for the end of their peers."""
        BatchedChecks.of(self.reactor).settle()

    async def let_go(self) -> None:
        """End data connections that wait for their peers, and the threads that digest uploads."""
        self.close_lingering_connections()
        await self._let_go_of_threads()

    async def _let_go_of_threads(self) -> None:
        services, self._services = self._services, None
        if services is not None:
            await services.digests.stop()
