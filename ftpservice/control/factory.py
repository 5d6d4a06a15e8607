"""Twisted's `FTPFactory` with sessions of this service: same attributes and portal."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.protocols import ftp
from twisted.python.failure import Failure

from ftpservice.accounts.defence.bans import BanList
from ftpservice.accounts.defence.networks import address_group, is_in_networks
from ftpservice.accounts.portal_checkers import with_text_names
from ftpservice.concurrency.batched_checks import BatchedChecks
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.control.protocol import ControlProtocol
from ftpservice.data.connector import ControlAddresses, DataConnector
from ftpservice.data.masquerade import MasqueradeAddresses
from ftpservice.data.passive_ports import PassivePorts
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.shared_port import SharedPort, open_shared_port
from ftpservice.events import Event, EventStream, LoggedIn
from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.context import SessionContext, SessionPeer, TransferParameters
from ftpservice.session.error_replies import log
from ftpservice.session.registry import ManagedSession
from ftpservice.session.services import EventSink, Services
from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.settings import SessionSettings
from ftpservice.session.shared.shared_state import ISharedState, LocalState
from ftpservice.session.upload_digests import UploadDigests

__all__ = ["FTPFactory"]

ADDRESS_LIMIT_TEXT = "Too many sessions from your address."
FULL_TEXT = "Too many sessions; try again later."
MAX_DISPLACED = 3
"""Sessions of other processes that are displaced for one, whose place others may take first."""
DISPLACED_TEXT = "Not logged in, and all sessions are in use; connect again."
COMMAND_SECONDS_PER_TURN = 0.005
"""Time for commands, of all sessions, in one iteration of the reactor."""


def _log_failure(error: Exception, event: Event) -> None:
    log.failure("a subscriber failed at {event}", Failure(error), event=type(event).__name__)


def _passive_ports(data: DataSettings, shared: ISharedState, reactor: Any) -> PassivePorts:
    """Return the ports of the sessions; those of all processes are of one range."""
    ports = PassivePorts(data)
    others = ports.others = shared.ports_of_processes
    if others is not None:
        others.own = ports.idle_ports(reactor)
    return ports


def _refuse_or_ask(limits: SessionLimits, context: SessionContext) -> str | Deferred[str | None]:
    """Refuse a session because all places are taken, if no other process can displace one."""
    if limits.is_shared:
        return Deferred.fromCoroutine(_enter_displacing(limits, context))
    limits.release("address", context.peer.limit_key)
    return FULL_TEXT


def _enter_leased(limits: SessionLimits, context: SessionContext) -> Deferred[str | None] | None:
    """Count a session where it has places already, or when it has got them."""
    address, settings = context.peer.limit_key, context.services.settings
    if limits.take("address", address, settings.max_sessions_per_address):
        if limits.take("all", "", settings.max_sessions):
            limits.waiting.add(address, context.peer.session)
            return None
        limits.release("address", address)
    return _asked_places(limits, context)


def _asked_places(limits: SessionLimits, context: SessionContext) -> Deferred[str | None]:
    return Deferred.fromCoroutine(_obtain_places(limits, context))


async def _obtain_places(limits: SessionLimits, context: SessionContext) -> str | None:
    """Ask for the places of a session; return why it is refused, or None."""
    address, settings = context.peer.limit_key, context.services.settings
    most, most_of_address = settings.max_sessions, settings.max_sessions_per_address
    asked_together = [
        Deferred.fromCoroutine(limits.obtain("address", address, most_of_address)),
        Deferred.fromCoroutine(limits.obtain("all", "", most)),
    ]
    has_address, has_place = [await one for one in asked_together]
    while has_address and not has_place and limits.displace():
        has_place = limits.take("all", "", most)
    if has_address and not has_place and await limits.displace_elsewhere():
        has_place = await limits.obtain("all", "", most)
    if has_address and has_place:
        limits.waiting.add(address, context.peer.session)
        return None
    if has_address:
        limits.release("address", address)
    if has_place:
        limits.release("all", "")
    return FULL_TEXT if has_address else ADDRESS_LIMIT_TEXT


async def _enter_displacing(limits: SessionLimits, context: SessionContext) -> str | None:
    """Have another process displace a session; return why the new one is refused, or None."""
    most, address = context.services.settings.max_sessions, context.peer.limit_key
    for _ in range(MAX_DISPLACED):
        if not await limits.displace_elsewhere():
            break
        if await limits.obtain("all", "", most):
            limits.waiting.add(address, context.peer.session)
            return None
    limits.release("address", address)
    return FULL_TEXT


class FTPFactory(ftp.FTPFactory):
    """Makes FTP sessions for the accounts of a portal's realm.

    The realm provides `IAccount`, or Twisted's `IFTPShell`. Twisted's attributes
    (``allowAnonymous``, ``userAnonymous``, ``timeOut``, ``welcomeMessage``, ``passivePortRange``,
    ``connectionLimit``) have the same meaning as in Twisted and may be set until the first
    connection; ``settings`` gives their initial values. Unlike in Twisted, ``allowAnonymous`` is
    False by default.
    """

    bans: BanList | None = None
    """Addresses whose connections are refused."""
    tls: ServerTLS | None = None
    """The certificates; to be set before the first connection."""
    connector = DataConnector
    """The class that prepares data connections; another one where there are no sockets."""
    allowAnonymous = False
    noisy = False
    """Twisted's log lines would show the representation of the factory."""
    timeOut = 300
    welcomeMessage = "ftpservice ready"

    def __init__(
        self,
        portal: Portal,
        reactor: Any,
        settings: SessionSettings | None = None,
        shared_state: ISharedState | None = None,
        event_sink: EventSink | None = None,
    ) -> None:
        if settings is not None and not isinstance(settings, SessionSettings):
            raise TypeError(f"settings is a SessionSettings, not {settings!r}")
        super().__init__(portal, self.userAnonymous)
        self.reactor = reactor
        self.event_sink = event_sink or EventSink(EventStream(_log_failure))
        self._settings = settings or SessionSettings()
        if settings is not None:
            self._adopt(settings)
        self.shared_state = LocalState(reactor) if shared_state is None else shared_state
        """What sessions count together with those of other processes."""
        self.numbers: Iterator[int] = itertools.count(1)
        """Gives each session its number."""
        self._limits = self.shared_state.session_limits
        self._limits.displace = self._displace
        self._services: Services | None = None
        self.session_refusal: str | None = None
        """Why new sessions are refused; None if they are accepted."""
        self.password_accepted: Callable[[LoggedIn], object] = bool
        """Called when a password was right whose session may begin only after a second factor."""
        self.shared_port: SharedPort | None = None
        """The one port of the passive data connections, if the settings have it."""
        self._listens = False
        self.instances: list[ManagedSession] = []
        self.sessions: dict[int, ManagedSession] = {}
        """The sessions by their number in events."""

    def _adopt(self, settings: SessionSettings) -> None:
        self.allowAnonymous = settings.anonymous
        self.timeOut = settings.idle_timeout  # type: ignore[assignment]  # seconds, whole or not
        self.welcomeMessage = settings.welcome
        self.connectionLimit = settings.max_sessions or None  # type: ignore[assignment]  # untyped there
        ports = settings.data.passive_ports
        self.passivePortRange = range(ports[0], ports[1] + 1) if ports is not None else range(1)

    def apply(self, settings: SessionSettings) -> None:
        """Use other settings for the sessions that begin from now on."""
        self._settings = settings
        self._adopt(settings)
        if self._services is None:
            return
        before, now = self._services.settings.data, self._current_settings()
        self._services = replace(self._services, settings=now)
        if before.passive_ports != now.data.passive_ports:
            self._ports = _passive_ports(now.data, self.shared_state, self.reactor)
        if before.passive_addresses != now.data.passive_addresses:
            self._masquerade = MasqueradeAddresses(self.reactor, now.data.passive_addresses)

    def _current_settings(self) -> SessionSettings:
        """Return the settings with the current values of Twisted's attributes."""
        ports = [port for port in self.passivePortRange if port]
        passive = (min(ports), max(ports)) if ports else None
        return replace(
            self._settings,
            anonymous=self.allowAnonymous,
            idle_timeout=self.timeOut or 0,
            welcome=self.welcomeMessage,
            max_sessions=self.connectionLimit or 0,
            data=replace(self._settings.data, passive_ports=passive),
        )

    def services(self) -> Services:
        """Return what the sessions share; created for the first session."""
        if self._services is None:
            settings, reactor, shared = self._current_settings(), self.reactor, self.shared_state
            digests = settings.upload_digest
            pool = BlockingPool(reactor, "digest", threads=4) if digests else None
            self._services = Services(
                with_text_names(self.portal),
                self.reactor,
                time.time,
                settings,
                self.event_sink,
                shared.login_attempts,
                self._limits,
                shared.rate_limiters,
                UploadDigests(settings.upload_digest, pool),
                TimeBudget(self.reactor, self.reactor.seconds, COMMAND_SECONDS_PER_TURN),
                shared.resume_offers,
                shared.uploads,
                user_anonymous=self.userAnonymous,
                tls=self.tls,
            )
            self._ports = _passive_ports(settings.data, shared, reactor)
            self._masquerade = MasqueradeAddresses(self.reactor, settings.data.passive_addresses)
        return self._services

    def buildProtocol(self, _addr: IAddress | None) -> ControlProtocol:
        """Return the protocol of a new session; one over a limit gets 421."""
        return self.session()

    def session(self, implicit: bool = False) -> ControlProtocol:
        """Return the protocol of a new session; ``implicit``: under TLS from the first byte."""
        protocol = ControlProtocol(self, implicit)
        protocol.factory = self
        return protocol

    def context(
        self, session: ManagedSession, ends: ControlAddresses, protocol: str = "ftp"
    ) -> SessionContext:
        """Register a session, and return its state."""
        services = self.services()
        settings = services.settings
        self.instances.append(session)
        self.connectionCount += 1
        number, is_there = next(self.numbers), session.client_is_connected
        peer = SessionPeer(number, ends.peer, is_there, protocol, services.run_id)
        self.sessions[peer.session] = session
        connector = self.connector(self.reactor, settings.data, self._ports, self._masquerade, ends)
        connector.shared_port = self.shared_port
        return SessionContext(
            services,
            peer,
            connector,
            parameters=TransferParameters(ascii=settings.ascii, umask=settings.umask),
        )

    def enter(self, context: SessionContext) -> str | Deferred[str | None] | None:
        """Count a session; returns why it is refused, or None.

        A Deferred of that if another process is asked for a place, or to displace a session.
        """
        settings, address = context.services.settings, context.peer.limit_key
        if self.session_refusal is not None:
            return self.session_refusal
        bans = self.bans
        if bans is not None and bans.has_entries and (why := bans.refusal(context.peer.label)):
            return why
        limits = self._limits
        if limits.is_leased:
            return _enter_leased(limits, context)
        if not limits.take("address", address, settings.max_sessions_per_address):
            return _asked_places(limits, context) if limits.was_locked else ADDRESS_LIMIT_TEXT
        while not limits.take("all", "", settings.max_sessions):
            if limits.was_locked:
                limits.release("address", address)
                return _asked_places(limits, context)
            if not self._displace():
                return _refuse_or_ask(limits, context)
        limits.waiting.add(address, context.peer.session)
        return None

    def address_refusal(self, host: str) -> str | None:
        """Return why a session of an address would be refused, as far as that counts nothing."""
        if self.session_refusal is not None:
            return self.session_refusal
        if self.bans is not None and (why := self.bans.refusal(host)):
            return why
        most = self._settings.max_sessions_per_address
        if 0 < most <= self._limits.taken("address", address_group(host)):
            return ADDRESS_LIMIT_TEXT
        return None

    def _displace(self) -> bool:
        """End a session without a login, for a new one; return whether there was one.

        It is the oldest of the address that has most of them, so that no client can occupy all
        sessions without logging in.
        """
        number = self._limits.waiting.oldest_of_busiest_address(
            lambda one: self.sessions[one].is_busy
        )
        if number is None:
            return False
        self.sessions[number].yield_place(DISPLACED_TEXT)
        return True

    def leave(self, session: ManagedSession, context: SessionContext, entered: bool) -> None:
        """Remove a session that has ended."""
        self.instances.remove(session)
        self.connectionCount -= 1
        del self.sessions[context.peer.session]
        if entered:
            self.release_place(context)
        if not self._listens and not self.instances:
            self.stopFactory()

    def release_place(self, context: SessionContext) -> None:
        """Stop counting a session."""
        address = context.peer.limit_key
        self._limits.waiting.discard(address, context.peer.session)
        self._limits.release("all", "")
        self._limits.release("address", address)

    @property
    def working_count(self) -> int:
        """The number of sessions that carry out a command of a logged-in user."""
        return sum(session.is_working for session in self.instances)

    def finish_and_disconnect_all(self, reason: str) -> None:
        """End every session with 421, after its transfer if it has one; refuse new ones."""
        self.session_refusal = reason
        for session in tuple(self.instances):
            session.finish_and_disconnect(reason)

    def disconnect_all(self, reason: str) -> None:
        """End every session with 421; transfers are aborted."""
        for session in tuple(self.instances):
            session.disconnect(reason)

    def disconnect_where(self, reason: str, user: str | None, network: str | None) -> None:
        """End the sessions of an account or of a network with 421; transfers are aborted."""
        networks = () if network is None else (ip_network(network),)
        for session in tuple(self.instances):
            account = session.context.portal_login.account
            is_of_user = user is not None and account is not None and account.name == user
            if is_of_user or is_in_networks(session.context.peer.label, networks):
                session.disconnect(reason)

    def abort_all(self) -> None:
        """Abort the connection of every session."""
        for session in tuple(self.instances):
            session.abort()

    def startFactory(self) -> None:
        """Accept sessions; fails if the one passive port is taken."""
        if self.shared_port is None:
            self.shared_port = open_shared_port(self.reactor, self._settings.data)
        self.session_refusal = None
        self._listens = True

    def stopFactory(self) -> None:
        """Close lingering data connections, and release the threads after the last session."""
        self._listens = False
        BatchedChecks.of(self.reactor).check_soon(self.reactor)
        if not self.instances:
            stopping = Deferred.fromCoroutine(self._stop_threads())
            stopping.addErrback(lambda failure: log.failure("stopping threads failed", failure))

    async def release_resources(self) -> None:
        """Close the data connections in their lingering close, and stop the digest threads."""
        BatchedChecks.of(self.reactor).settle()
        await self._stop_threads()

    async def _stop_threads(self) -> None:
        shared_port, self.shared_port = self.shared_port, None
        if shared_port is not None:
            shared_port.close()
        services, self._services = self._services, None
        if services is not None:
            await services.digests.stop()
