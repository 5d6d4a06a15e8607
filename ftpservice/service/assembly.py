"""Joins the parts into a service; decides nothing that is not in the options."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.credentials import IAnonymous
from twisted.cred.portal import Portal
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.account_record import IAccountRecords
from ftpservice.accounts.portal_checkers import UnusableChecker, portal_checkers
from ftpservice.accounts.realm import Realm
from ftpservice.activity.event_log import EventLog
from ftpservice.activity.report import ActivityReport
from ftpservice.backends.strings import build_source
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.control.factory import FTPFactory
from ftpservice.control.implicit_tls import ImplicitTLSFactory
from ftpservice.events import Event, EventStream
from ftpservice.net.proxy_protocol import ProxiedFactory
from ftpservice.service.certificate_reload import CertificateReload
from ftpservice.service.certificate_setup import LoadedCertificates, load_or_make_certificates
from ftpservice.service.exposure import login_summary, refuse_shipped_passwords
from ftpservice.service.lifecycle import FTPService, ServiceParts
from ftpservice.service.listeners import LISTEN_OPTIONS, Listener, Listeners, parse_listener
from ftpservice.service.log.setup import LogWriters
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.settings.directories import Owner, make_directories
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.service.settings_reload import SettingsReload
from ftpservice.service.signals import exit_with_failure
from ftpservice.service.startup_banner import ListeningAddress, TLSSummary, banner_lines
from ftpservice.session.context import EventSink
from ftpservice.simple.factory import SimpleFactory
from ftpservice.storage.interfaces import IStorageSource

__all__ = ["assemble", "listeners_for", "owner_for", "portal_checkers_for", "storage_source_for"]

log = Logger("ftpservice")
URL_SCHEMES = {"listen": "ftp", "implicit": "ftps", "simple": "simple", "simple-tls": "simples"}


def assemble(
    options: ServiceOptions, reactor: Any, console: OperatorConsole, logs: LogWriters | None = None
) -> FTPService:
    """Build the service; nothing listens and no thread runs yet. Raises `CannotStart`."""
    settings, owner = options.settings, owner_for(options)
    logs, places = logs or LogWriters(), listeners_for(settings, reactor)
    make_directories(settings.made, owner)
    papers = load_or_make_certificates(settings, owner)
    source = storage_source_for(settings, reactor)
    realm = _realm(settings, source, options.checkers, reactor)
    checkers = portal_checkers_for(settings, options.checkers)
    lines = EventLog(reactor, verbosity=settings.log)
    factory = _factory(settings, Portal(realm, checkers), reactor, lines)
    factory.tls = papers.tls if papers is not None else None
    listeners = Listeners(
        places,
        factory_of=_wrapping(factory, reactor),
        check=lambda place, port: refuse_shipped_passwords(place, port, options.checkers),
        fail=_failing(reactor, console, logs),
    )

    announced = _announcing(options, source, listeners, papers)
    parts = ServiceParts(listeners, factory, checkers, realm, settings.grace, announced, lines)
    service = FTPService(parts, reactor, console, _renewal(papers, reactor), logs)
    _have_settings_read_again(options, service, reactor, console)
    return service


def _have_settings_read_again(
    options: ServiceOptions, service: FTPService, reactor: Any, console: OperatorConsole
) -> None:
    """Have SIGHUP read the file of settings, where there is one."""

    def pool() -> BlockingPool:
        return BlockingPool(reactor, "settings", threads=1)

    if options["config"] is not None:
        service.reload = SettingsReload(
            options, service.apply, console.tell, console.complain, pool
        )


def _announcing(
    options: ServiceOptions,
    source: IStorageSource,
    listeners: Listeners,
    papers: LoadedCertificates | None,
) -> Callable[[], list[str]]:
    def announced() -> list[str]:
        security = _security(options.settings, papers)
        who = login_summary(options.settings, options.checkers)
        return banner_lines(source.describe(), who, _bound(listeners), security)

    return announced


def _renewal(papers: LoadedCertificates | None, reactor: Any) -> CertificateReload | None:
    """Return what watches the files of certificates, where there are any."""
    if papers is None or not papers.paths:
        return None
    return CertificateReload(papers.tls, papers.paths, papers.versions, reactor)


def listeners_for(settings: ServiceSettings, reactor: Any) -> list[Listener]:
    """Return where to listen; raises `CannotStart`."""
    return [
        parse_listener(reactor, text, option)
        for option in LISTEN_OPTIONS
        for text in settings.places(option)
    ]


def _bound(listeners: Listeners) -> list[ListeningAddress]:
    return [
        ListeningAddress(port.getHost(), place.proxied, URL_SCHEMES[place.option])
        for place, port in listeners.bound
    ]


def _security(settings: ServiceSettings, papers: LoadedCertificates | None) -> TLSSummary:
    if papers is None:
        return TLSSummary(settings.session.tls)
    return TLSSummary(settings.session.tls, tuple(papers.tls.certificates), papers.own)


def owner_for(options: ServiceOptions) -> Owner:
    """Return whom the service's own directories are for: whom twistd will become."""
    program = options.parent if options.parent is not None else {}
    uid, gid = program.get("uid"), program.get("gid")
    return (-1 if uid is None else uid, -1 if gid is None else gid)


def storage_source_for(settings: ServiceSettings, reactor: Any) -> IStorageSource:
    """Return the storage of the setting ``root``; raises `CannotStart`."""
    try:
        return build_source(settings.kept(settings.root), reactor)
    except (ValueError, OSError) as error:
        raise CannotStart(f"--root: {error_text(error)}") from None


def _realm(
    settings: ServiceSettings,
    source: IStorageSource,
    checkers: list[ICredentialsChecker],
    reactor: Any,
) -> Realm:
    return Realm(
        source,
        [checker for checker in checkers if IAccountRecords.providedBy(checker)],
        open_source=lambda text: build_source(settings.kept(text), reactor),
        anonymous=settings.anonymous_root if settings.session.anonymous else None,
    )


def portal_checkers_for(
    settings: ServiceSettings, checkers: list[ICredentialsChecker]
) -> list[ICredentialsChecker]:
    """Return what the portal is to ask; raises `CannotStart`."""
    try:
        wanted = portal_checkers(checkers)
    except UnusableChecker as error:
        raise CannotStart(f"--auth: {error_text(error)}") from None
    offered = any(IAnonymous in checker.credentialInterfaces for checker in wanted)
    guest = [AllowAnonymousAccess()] if settings.session.anonymous and not offered else []
    return [*wanted, *guest]


def _factory(
    settings: ServiceSettings, portal: Portal, reactor: Any, lines: EventLog
) -> FTPFactory:
    events = EventStream(_subscriber_failed)
    report = ActivityReport(time.time)
    events.subscribe(report)
    events.subscribe(lines)
    activity = EventSink(events, report.lines)
    return FTPFactory(portal, reactor, settings.session, activity=activity)


def _subscriber_failed(error: Exception, event: Event) -> None:
    log.failure("a subscriber failed at {event}", Failure(error), event=type(event).__name__)


def _wrapping(factory: FTPFactory, reactor: Any) -> Callable[[Listener], IProtocolFactory]:
    def wrapped(place: Listener) -> IProtocolFactory:
        sessions = _sessions(factory, place)
        if not place.proxied:
            return sessions
        return ProxiedFactory(sessions, reactor, exactly=place.implicit)

    return wrapped


def _sessions(factory: FTPFactory, place: Listener) -> ServerFactory:
    if place.simple:
        return SimpleFactory(factory, secured=place.implicit)
    return ImplicitTLSFactory(factory) if place.implicit else factory


def _failing(reactor: Any, console: OperatorConsole, logs: LogWriters) -> Callable[[str], None]:
    def fail(line: str) -> None:
        console.complain(line)
        exit_with_failure(reactor, logs.close)

    return fail
