"""Builds the service from its options."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from twisted.application.service import Service
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import Portal
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from ftpservice.accounts.realm import Realm
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.control.factory import FTPFactory
from ftpservice.events import EventStream
from ftpservice.retention.clock_watch import ClockWatch
from ftpservice.retention.retention_run import RetentionRun
from ftpservice.retention.retention_service import STATE_FILE, RetentionService, clock_state
from ftpservice.service.acme_setup import AcmeHooks, acme_services, expiry_advice
from ftpservice.service.activity.hook_setup import join_hooks
from ftpservice.service.activity.recorders import build_recorders
from ftpservice.service.certificates.certificate_expiry import CertificateExpiry
from ftpservice.service.certificates.certificate_reload import CertificateReload
from ftpservice.service.certificates.certificate_setup import (
    LoadedCertificates,
    acme_directory,
    load_or_make_certificates,
)
from ftpservice.service.cluster.cluster_setup import join_cluster
from ftpservice.service.cluster.node_state import node_state
from ftpservice.service.control_actions import ServiceActions
from ftpservice.service.control_socket import ControlSocket
from ftpservice.service.lifecycle import FTPService, ServiceParts
from ftpservice.service.log.setup import LogWriters
from ftpservice.service.main_factory import (
    HeldPort,
    MainFactory,
    NodeFactory,
    cluster_of,
    session_factory_for,
)
from ftpservice.service.observer_setup import Observed, join_observers
from ftpservice.service.operator_console import OperatorConsole, console_for
from ftpservice.service.privileges import owner_for
from ftpservice.service.sessions.accept_guard import AcceptGuard
from ftpservice.service.sessions.exposure import refuse_shipped_passwords
from ftpservice.service.sessions.listeners import (
    LISTEN_OPTIONS,
    Listener,
    Listeners,
    inherited_listener,
    parse_listener,
    refuse_passive_port,
    refuse_same_ports,
)
from ftpservice.service.sessions.session_assembly import (
    account_watch_for,
    bans_for,
    portal_checkers_for,
    realm_for,
    session_factory_of,
    storage_source_for,
)
from ftpservice.service.settings.directories import Owner, acting_as, make_directories
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.service.settings_reload import SettingsReload
from ftpservice.service.signals import exit_with_failure
from ftpservice.service.startup_banner import (
    ListeningAddress,
    TLSSummary,
    banner_lines,
    login_summary,
)
from ftpservice.service.upgrade import Upgrade
from ftpservice.service.web_setup import WebServer, WebSources, closing_steps, serve_api, web_server
from ftpservice.service.worker_setup import WorkerSetup, join_workers, workers_for
from ftpservice.storage.interfaces import IStorageSource
from ftpservice.workers.handover import Handover, socket_name

__all__ = ["assemble", "listeners_for"]


class _Served(NamedTuple):
    """What accepts the connections of each listener."""

    checkers: list[ICredentialsChecker]
    factory: FTPFactory
    guard: AcceptGuard
    web: WebServer | None
    workers: WorkerSetup | None

    def listeners(self, parsed: list[Listener], fail: Callable[[str], object]) -> Listeners:
        """Return what binds them all."""
        return Listeners(parsed, self.factory_of, self.check, fail)

    def check(self, listener: Listener, port: IListeningPort) -> None:
        """Check a port that is bound, and take over how it accepts; raises `CannotStart`."""
        refuse_shipped_passwords(listener, port.getHost(), self.checkers)
        if self.workers is None or listener.web:
            self.guard.guard(listener, port)
        else:
            self.workers.hold(listener, port)

    def factory_of(self, listener: Listener) -> IProtocolFactory:
        """Return the factory for a listener's protocol, over the sessions of ``factory``."""
        if listener.web:
            assert self.web is not None
            return self.web.factory_of(listener)
        if self.workers is not None:
            return HeldPort(self.factory)
        return session_factory_of(self.factory, listener)


URL_SCHEMES = {"listen": "ftp", "implicit": "ftps", "simple-tls": "simples"}
"""Of options whose name is not their scheme."""


def assemble(
    options: ServiceOptions,
    reactor: Any,
    console: OperatorConsole | None = None,
    logs: LogWriters | None = None,
) -> FTPService:
    """Build the service; nothing is bound and no thread runs yet. Raises `CannotStart`.

    ``console`` and ``logs`` are those of the process under ``twistd``. Without a console the
    service is embedded in another program, which gets a failed start as an exception.
    """
    console, logs = console or console_for(None), logs or LogWriters()
    settings, owner = options.settings, owner_for(options)
    parsed = listeners_for(settings, reactor, options.handover)
    _make_directories(settings, owner)
    certificates = load_or_make_certificates(settings, owner)
    source, bans = storage_source_for(settings, reactor, owner), bans_for(settings, reactor, owner)
    recorders = build_recorders(settings, bans.bans, reactor)
    realm = realm_for(settings, source, options.checkers, reactor)
    checkers, sink = portal_checkers_for(settings, options.checkers), recorders.sink
    hooks = join_hooks(settings, realm, sink.events, reactor, owner)
    factory = session_factory_for(options, Portal(realm, checkers), sink, reactor)
    factory.bans, factory.tls = bans.bans, certificates.tls if certificates is not None else None
    guard = AcceptGuard(sink.events, factory.address_refusal, reactor)
    fail = partial(_fail, console, reactor, logs)
    workers = workers_for(options, factory, certificates, reactor, fail)
    web = web_server(options, factory, reactor)
    listeners = _Served(options.checkers, factory, guard, web, workers).listeners(parsed, fail)
    banner = partial(_banner, options, source, listeners, certificates)
    sessions = (listeners, factory, checkers, realm)
    parts = ServiceParts(*sessions, settings.grace, banner, recorders.event_log)
    reload = _certificate_reload(certificates, reactor)
    service = FTPService(parts, reactor, console, reload, logs)
    service.last_steps += [*closing_steps(web), *recorders.finishers, hooks.finish]
    join_observers(service, options, Observed(web, recorders.journal, hooks), reactor)
    service.retention = _retention(options, realm, sink.events, reactor)
    actions = ServiceActions(factory, realm, recorders.report, bans.bans, service.retention)
    acme = AcmeHooks(reload, sink.events.publish, guard.guard, fail)
    beside = (bans, guard, service.retention, *_administration(options, service, actions, guard))
    _serve_state(web, WebSources(actions, factory, recorders, realm.quotas, hooks))
    more = (web, hooks, *_operation_services(options, factory, actions, acme, reactor))
    _join(service, *recorders.services, *beside, *more)
    _reload_settings(service, options, reactor, console)
    actions.upgrade = Upgrade(options, service, workers, reactor).requested
    return join_workers(workers, service, reload, actions)


def _serve_state(web: WebServer | None, sources: WebSources) -> None:
    """Have the API show the state of the service, and other nodes of a cluster ask for it."""
    journal, quotas = sources.recorders.journal, sources.quotas
    sources.actions.state = partial(node_state, sources.factory, journal, quotas, sources.hooks)
    serve_api(web, sources)


def _join(service: FTPService, *parts: Service | None) -> None:
    """Let parts start and stop with the service; None stands for one that is off."""
    for part in parts:
        if part is not None:
            part.setServiceParent(service)


def _fail(console: OperatorConsole, reactor: Any, logs: LogWriters, line: str) -> None:
    """End the process because a listener that did not bind at once failed later."""
    console.write_error(line)
    exit_with_failure(reactor, logs.close)


def _make_directories(settings: ServiceSettings, owner: Owner) -> None:
    make_directories(settings.own_directories, owner)
    if settings.acme:
        make_directories([str(acme_directory(settings))], owner)


def _banner(
    options: ServiceOptions,
    source: IStorageSource,
    listeners: Listeners,
    certificates: LoadedCertificates | None,
) -> list[str]:
    return banner_lines(
        source.describe(),
        login_summary(options.settings, options.checkers),
        _listening_addresses(listeners),
        _tls_summary(options.settings, certificates),
    )


def _administration(
    options: ServiceOptions, service: FTPService, actions: ServiceActions, guard: AcceptGuard
) -> Iterator[Service]:
    """Yield the node of a cluster and the control socket, if there are such."""
    factory, actions.reload = service.parts.factory, service.reload
    cluster = cluster_of(factory)
    if cluster is not None:
        peers = factory.peers if isinstance(factory, MainFactory) else None
        cluster.refused = partial(_fail, service.console, factory.reactor, service.logs)
        yield join_cluster(cluster, service, actions, peers)
    if isinstance(factory, NodeFactory):
        service.last_steps += [factory.quotas.close, factory.table.close]
    path = options.settings.control_socket_path
    actions.spread = actions.over_nodes(actions.by_name)
    if path is not None:
        by_name = {**actions.spread, **actions.feeds_over_nodes(actions.feeds)}
        control = ControlSocket(path, by_name, factory.reactor, owner_for(options))
        control.when_bound = guard.guard_control
        if options.handover is not None:
            control.inherited = options.handover.control
        yield control


def _operation_services(
    options: ServiceOptions,
    factory: FTPFactory,
    actions: ServiceActions,
    hooks: AcmeHooks,
    reactor: Any,
) -> Iterator[Service]:
    """Yield the services that run beside the sessions."""
    acme = acme_services(options.settings, hooks, reactor)
    events = factory.event_sink.events
    yield account_watch_for(options, factory, reactor)
    if factory.tls is not None:
        rules = () if acme is None else (expiry_advice,)
        yield CertificateExpiry(factory.tls, events.publish, reactor, time.time, *rules)
    if acme is not None:
        actions.renewal = acme.renewal
        yield acme


def _retention(
    options: ServiceOptions, realm: Realm, events: EventStream, reactor: Any
) -> RetentionService:
    settings = options.settings
    path = Path(settings.data_dir, STATE_FILE) if settings.data_dir else None
    run = RetentionRun(options.checkers, realm, reactor, time.time, events.publish)
    with acting_as(owner_for(options)):
        watch = ClockWatch(time.time, state=clock_state(path))
    return RetentionService(run, watch, settings.retention, reactor, path)


def _reload_settings(
    service: FTPService, options: ServiceOptions, reactor: Any, console: OperatorConsole
) -> None:
    """Make SIGHUP read the TOML file, if there is one."""

    def pool() -> BlockingPool:
        return BlockingPool(reactor, "settings", threads=1)

    if options["config"] is not None:
        service.reload_settings = SettingsReload(
            options, service.apply, console.write_lines, console.write_error, pool
        )


def _certificate_reload(
    certificates: LoadedCertificates | None, reactor: Any
) -> CertificateReload | None:
    if certificates is None or not certificates.paths:
        return None
    return CertificateReload(certificates.tls, certificates.paths, certificates.versions, reactor)


def listeners_for(
    settings: ServiceSettings, reactor: Any, handover: Handover | None = None
) -> list[Listener]:
    """Parse the endpoint strings of the settings; raises `CannotStart`."""
    inherited = handover.sockets if handover is not None else {}
    found = []
    for option in LISTEN_OPTIONS:
        for text in settings.value(option):
            descriptor = inherited.get(socket_name(option, text))
            if descriptor is None:
                found.append(parse_listener(reactor, text, option))
            else:
                owns = handover is not None and not handover.is_trial
                found.append(inherited_listener(reactor, text, option, descriptor, owns))
    if handover is not None:
        handover.close_rest(socket_name(one.option, one.text) for one in found)
    refuse_same_ports(found)
    refuse_passive_port(found, settings.passive_port)
    return found


def _listening_addresses(listeners: Listeners) -> list[ListeningAddress]:
    return [
        ListeningAddress(port.getHost(), listener.proxied, _scheme(listener.option))
        for listener, port in listeners.bound
    ]


def _scheme(option: str) -> str:
    return URL_SCHEMES.get(option, option)


def _tls_summary(settings: ServiceSettings, certificates: LoadedCertificates | None) -> TLSSummary:
    policy = settings.session.tls
    if certificates is None:
        return TLSSummary(policy)
    return TLSSummary(policy, tuple(certificates.tls.certificates), certificates.is_self_signed)
