"""Builds what a worker serves with: what sessions need, and nothing that exists once.

It is built from the command line and the text of the settings file as the main process has read
them, whatever the file says now.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from typing import Any

from twisted.application.service import MultiService
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import Portal
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.account_record import IStartable
from ftpservice.accounts.defence.bans import Ban
from ftpservice.accounts.realm import Realm
from ftpservice.cluster.cluster_rates import ClusterRateLimiters
from ftpservice.cluster.quotas.quotas_of_workers import AskedQuotas
from ftpservice.cluster.rates_of_workers import RateLinkOfWorker
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.thread_pool import pool_loads
from ftpservice.control.factory import FTPFactory
from ftpservice.events import Event, EventStream
from ftpservice.linux import set_dumpable
from ftpservice.net.inherited_ports import InheritedEndpoint
from ftpservice.net.proxy_protocol import ProxiedFactory
from ftpservice.net.tls.certificate_copies import CertificateCopies, tls_from_copies
from ftpservice.net.tls.server import CertificateError
from ftpservice.service.activity.journal_setup import last_events_directory
from ftpservice.service.sessions.accept_guard import AcceptGuard
from ftpservice.service.sessions.exposure import refuse_shipped_passwords
from ftpservice.service.sessions.listeners import Listener, Listeners
from ftpservice.service.sessions.session_assembly import (
    account_watch_for,
    apply_to_sessions,
    bans_for,
    portal_checkers_for,
    realm_for,
    session_factory_of,
    storage_source_for,
)
from ftpservice.service.sessions.session_shutdown import STOPPING_TEXT, SessionShutdown
from ftpservice.service.settings.directories import NO_CHANGE
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.live_settings import live_settings
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.session.services import EventSink, Report
from ftpservice.session.shared.asked_session_limits import AskedSessionLimits
from ftpservice.session.shared.peer_requests import PeerRequests
from ftpservice.session.shared.table_state import TableState
from ftpservice.storage.quota.shared_quotas import SharedQuotas
from ftpservice.workers.channel import Channel
from ftpservice.workers.event_forwarder import EventForwarder
from ftpservice.workers.full_worker import FullWorker
from ftpservice.workers.last_events import LastEvents
from ftpservice.workers.process.remote_shared_port import RemoteSharedPort
from ftpservice.workers.session_board import BoardColumn, SessionBoard

__all__ = ["WorkerPlan", "WorkerService", "assemble_worker"]

log = Logger("ftpservice.workers")

WorkerPlan = Mapping[str, Any]
"""The first message of the main process (`WorkerSetup`)."""
MIN_UNEVENNESS = 2
UNEVENNESS = 0.1
"""How many sessions more than another process has are too many: the larger of both."""


class CountedFactory(FTPFactory):
    """Its number of sessions is on the board."""

    column: BoardColumn
    peers: PeerRequests
    guard: AcceptGuard
    beginning = 0
    """Connections that wait for the header of a balancer."""

    def context(self, *words: Any, **more: Any) -> Any:
        """Register a session, and return its state."""
        context = super().context(*words, **more)
        self.column.sessions = len(self.instances)
        return context

    def leave(self, *words: Any, **more: Any) -> None:
        """Remove a session that has ended."""
        super().leave(*words, **more)
        self.column.sessions = len(self.instances)
        self.guard.look_again()

    def count_waiting(self, change: int) -> None:
        """Count connections that wait for the header of a balancer."""
        self.beginning += change
        self.column.count_beginning(change)

    def leaves_to_others(self, has_left: bool) -> bool:
        """Return whether another process should accept the next connection.

        One that ``has_left`` it to the others already waits for them no longer, unless it has no
        descriptors for a session.
        """
        if self.column.is_full:
            return self.column.others_accept()
        if has_left:
            return False
        own = len(self.instances) + self.beginning
        fewest = self.column.fewest_sessions()
        return own - fewest >= max(MIN_UNEVENNESS, int(own * UNEVENNESS))


class WorkerService(MultiService):
    """What a worker runs."""

    def __init__(
        self, options: ServiceOptions, factory: CountedFactory, realm: Realm, reactor: Any
    ) -> None:
        super().__init__()
        self.options = options
        self.factory = factory
        self._realm = realm
        self._reactor = reactor
        self._checkers: list[ICredentialsChecker] = []
        self._gates: Any = None
        self._forwarder: EventForwarder | None = None
        self._listeners: Listeners | None = None

    def join(
        self,
        listeners: Listeners,
        checkers: list[ICredentialsChecker],
        forwarder: EventForwarder,
        gates: Any,
    ) -> None:
        """Have these parts; ``gates`` are None where the settings have none."""
        self._listeners, self._checkers = listeners, checkers
        self._forwarder, self._gates = forwarder, gates
        listeners.setServiceParent(self)

    def start(self) -> None:
        """Begin to accept connections; raises `CannotStart`."""
        self.startService()
        for checker in self._checkers:
            if IStartable.providedBy(checker):
                checker.start(self._reactor)
        self.factory.column.accepts = True

    def close(self) -> Any:
        """Accept no more connections."""
        self.factory.column.accepts = False
        assert self._listeners is not None
        return self._listeners.stopService()

    async def end_sessions(self, grace: float, reason: str = STOPPING_TEXT) -> None:
        """Accept no more connections, and end all sessions within the grace period."""
        shutdown = self._shutdown()
        shutdown.begin(reason)
        await self.close()
        await shutdown.end_sessions(grace)

    async def release(self) -> None:
        """Stop everything, when no session is left, and send the last events."""
        self.factory.column.accepts = False
        await self.stopService()
        await self._shutdown().release()
        if self._gates is not None:
            await self._gates.finish()
        if self._forwarder is not None:
            self._forwarder.flush()

    def _shutdown(self) -> SessionShutdown:
        return SessionShutdown(self.factory, self._realm, self._checkers, self._reactor, bool)

    def keep_last_events(self) -> LastEvents | None:
        """Have what happens from now on be for the next main process, if it has a journal."""
        directory = last_events_directory(self.options.settings)
        if directory is None or self._forwarder is None:
            return None
        kept = LastEvents(directory, self._reactor)
        self._forwarder.elsewhere = kept.write
        self._forwarder.flush()
        return kept

    def use_bans(self, bans: Iterable[tuple[Any, ...]]) -> None:
        """Have these bans in place of those before."""
        if self.factory.bans is not None:
            self.factory.bans.load([_ban(*values) for values in bans])

    def change_bans(self, bans: Iterable[tuple[Any, ...]], ended: Iterable[str]) -> None:
        """Have these bans beside the others, and none of the networks that have ``ended``."""
        if self.factory.bans is not None:
            changed = [_ban(*values) for values in bans]
            self.factory.bans.change(changed, [ip_network(network) for network in ended])

    def use_settings(self, text: str) -> None:
        """Apply what can be applied of the text of the settings file."""
        options = self.options
        options.read_configuration = lambda _path: text
        live = live_settings(options.settings, options.read_settings())
        if "hook" in live.applied and self._gates is None:
            self._gates = _gates(live.settings, self._realm, self.factory, self._reactor)
        elif "hook" in live.applied:
            from ftpservice.service.activity.hook_setup import change_hooks

            settings = _only_gates(live.settings)
            change_hooks(self._gates, self._realm, settings, self._reactor)()
        options.settings = live.settings
        apply_to_sessions(live.settings, self.factory, self._realm)

    def use_certificates(self, copies: tuple[Any, ...]) -> None:
        """Use other certificates for the connections from now on."""
        if self.factory.tls is not None:
            try:
                self.factory.tls.adopt(tls_from_copies(CertificateCopies(*copies)))
            except CertificateError as error:
                log.error("{reason}; the previous certificates stay in use", reason=str(error))

    def peer(self, column: int, message: tuple[Any, ...]) -> None:
        """Take a message of the process of another column."""
        self.factory.peers.received(column, message)

    def gone(self, column: int) -> None:
        """Note that the process of another column has ended."""
        self.factory.peers.gone(column)

    def state(self) -> dict[str, Any]:
        """Return what the main process shows of this one, as plain values."""
        loads = {
            name: (load.threads, load.running, load.waiting, load.refused)
            for name, load in pool_loads().items()
        }
        return {"pools": loads, "sessions": len(self.factory.instances)}


def assemble_worker(
    plan: WorkerPlan, channel: Channel, report: Report, reactor: Any
) -> WorkerService:
    """Build the service; raises `CannotStart` and `usage.UsageError`."""
    options = _options(plan)
    settings, column = options.settings, _board_column(*plan["board"])
    set_dumpable(settings.core_dumps)
    events = EventStream(_subscriber_failed)
    bans = bans_for(settings, reactor, NO_CHANGE, keeps=False)
    source = storage_source_for(settings, reactor, NO_CHANGE)
    table = _shared_table(plan)
    quotas = _shared_quotas(plan, table, reactor)
    realm = realm_for(settings, source, options.checkers, reactor, quotas)
    checkers = portal_checkers_for(settings, options.checkers)
    sink, pass_on = EventSink(events, report), partial(channel.send, "peer")
    state = TableState(table, reactor, pass_on)
    if plan["cluster"] is not None:
        _count_in_cluster(plan, state, quotas, reactor)
    factory = CountedFactory(
        Portal(realm, checkers), reactor, settings.session, event_sink=sink, shared_state=state
    )
    factory.numbers = factory.column = column
    factory.bans, factory.peers = bans.bans, state.peers
    if plan["certificates"] is not None:
        factory.tls = tls_from_copies(CertificateCopies(*plan["certificates"]))
    factory.shared_port = _shared_port(plan, channel, reactor)
    forwarder = EventForwarder(channel, column, factory.sessions, reactor)
    events.subscribe(forwarder)
    factory.guard = guard = AcceptGuard(events, factory.address_refusal, reactor)
    guard.leaves_to_others = factory.leaves_to_others
    guard.full = FullWorker(column, reactor)
    service = WorkerService(options, factory, realm, reactor)
    for part in (bans, guard, account_watch_for(options, factory, reactor)):
        part.setServiceParent(service)
    gates = _gates(settings, realm, factory, reactor)
    listeners = _listeners(plan, options, factory, guard, reactor)
    service.join(listeners, checkers, forwarder, gates)
    service.use_bans(plan["bans"])
    if plan["changed"] is not None:
        service.use_settings(plan["changed"])
    return service


def _board_column(descriptor: int, columns: int, number: int) -> BoardColumn:
    return SessionBoard(descriptor, columns).column(number)


def _shared_table(plan: WorkerPlan) -> SharedTable:
    """Return the table of what this process counts together with the others."""
    descriptor, column = plan["table"], plan["board"][2]
    table = SharedTable.attach(descriptor, column)
    os.close(descriptor)
    return table


def _shared_quotas(plan: WorkerPlan, table: SharedTable, reactor: Any) -> SharedQuotas:
    quotas = SharedQuotas.attach(table, plan["quotas"], reactor)
    os.close(plan["quotas"])
    return quotas


def _count_in_cluster(
    plan: WorkerPlan, state: TableState, quotas: SharedQuotas, reactor: Any
) -> None:
    """Have the main process count what all nodes of a cluster count together."""
    peers, column = state.peers, plan["board"][2]
    link = RateLinkOfWorker(plan["cluster"], column, peers, reactor)
    state.session_limits = AskedSessionLimits(column, peers)
    state.rate_limiters = rates = ClusterRateLimiters(link, reactor)
    link.hear(rates.received)
    quotas.leases = AskedQuotas(peers)


def _shared_port(plan: WorkerPlan, channel: Channel, reactor: Any) -> RemoteSharedPort | None:
    """Return the one passive port, if the main process has it."""
    if plan["data_port"] is None:
        return None
    port, descriptor = plan["data_port"]
    return RemoteSharedPort(port, channel, socket.socket(fileno=descriptor), reactor)


def _options(plan: WorkerPlan) -> ServiceOptions:
    if os.getcwd() != plan["directory"]:
        os.chdir(plan["directory"])
    options = ServiceOptions()
    options.read_configuration = lambda _path: plan["configuration"] or ""
    options.parseOptions(plan["words"])
    return options


def _listeners(
    plan: WorkerPlan,
    options: ServiceOptions,
    factory: CountedFactory,
    guard: AcceptGuard,
    reactor: Any,
) -> Listeners:
    def check(listener: Listener, port: IListeningPort) -> None:
        refuse_shipped_passwords(listener, port.getHost(), options.checkers)
        guard.guard(listener, port)

    def fail(line: str) -> None:
        raise CannotStart(line)

    listeners = [
        Listener(text, InheritedEndpoint(descriptor, family, reactor), proxied, option)
        for option, text, proxied, descriptor, family in plan["ports"]
    ]
    return Listeners(listeners, partial(_counted, factory), check, fail)


def _counted(factory: CountedFactory, listener: Listener) -> IProtocolFactory:
    """Return the factory for the connections of a listener, which all count."""
    found = session_factory_of(factory, listener)
    if isinstance(found, ProxiedFactory):
        found.count_waiting = factory.count_waiting
    return found


def _gates(settings: ServiceSettings, realm: Realm, factory: FTPFactory, reactor: Any) -> Any:
    """Return the gates of the settings, which the realm asks; None without any."""
    found = _only_gates(settings)
    if not found.hook:
        return None
    from ftpservice.service.activity.hook_setup import join_hooks

    return join_hooks(found, realm, factory.event_sink.events, reactor, NO_CHANGE)


def _only_gates(settings: ServiceSettings) -> ServiceSettings:
    return replace(settings, hook=tuple(one for one in settings.hook if one.gate))


def _ban(network: str, reason: str, since: float, until: float | None, times: int) -> Ban:
    end = math.inf if until is None else until
    return Ban(ip_network(network), reason, since, end, times)


def _subscriber_failed(error: Exception, event: Event) -> None:
    log.failure("a subscriber failed at {event}", Failure(error), event=type(event).__name__)
