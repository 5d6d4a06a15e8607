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
from ftpservice.activity.event_log import LogLines
from ftpservice.activity.report import Report
from ftpservice.backends.strings import build_source
from ftpservice.concurrency.thread_pool import Pool
from ftpservice.control.factory import FTPFactory
from ftpservice.control.implicit_tls import ImplicitFactory
from ftpservice.events import Event, EventStream
from ftpservice.net.proxy_protocol import ProxiedFactory
from ftpservice.service.certificate_reload import Renewal
from ftpservice.service.certificate_setup import Certificates, certificates
from ftpservice.service.exposure import audience, refuse_exposed
from ftpservice.service.lifecycle import FTPService, Parts
from ftpservice.service.listeners import OPTIONS, Listener, Listeners, listener
from ftpservice.service.log.setup import Logs
from ftpservice.service.operator_console import Console
from ftpservice.service.settings.directories import Owner, make_directories
from ftpservice.service.settings.errors import CannotStart, because
from ftpservice.service.settings.options import Options
from ftpservice.service.settings.settings import Settings
from ftpservice.service.settings_reload import Reload
from ftpservice.service.signals import give_up
from ftpservice.service.startup_banner import Place, Security, announcement
from ftpservice.session.context import Activity
from ftpservice.simple.factory import SimpleFactory
from ftpservice.storage.interfaces import IStorageSource

__all__ = ["assemble", "owner_for", "places_of", "source_of", "usable_checkers"]

log = Logger("ftpservice")
SCHEMES = {"listen": "ftp", "implicit": "ftps", "simple": "simple", "simple-tls": "simples"}


def assemble(
    options: Options, reactor: Any, console: Console, logs: Logs | None = None
) -> FTPService:
    """Build the service; nothing listens and no thread runs yet. Raises `CannotStart`."""
    settings, owner = options.settings, owner_for(options)
    logs, places = logs or Logs(), places_of(settings, reactor)
    make_directories(settings.made, owner)
    papers = certificates(settings, owner)
    source = source_of(settings, reactor)
    realm = _realm(settings, source, options.checkers, reactor)
    checkers = usable_checkers(settings, options.checkers)
    lines = LogLines(reactor, verbosity=settings.log)
    factory = _factory(settings, Portal(realm, checkers), reactor, lines)
    factory.tls = papers.tls if papers is not None else None
    listeners = Listeners(
        places,
        factory_of=_wrapping(factory, reactor),
        check=lambda place, port: refuse_exposed(place, port, options.checkers),
        fail=_failing(reactor, console, logs),
    )

    announced = _announcing(options, source, listeners, papers)
    parts = Parts(listeners, factory, checkers, realm, settings.grace, announced, lines)
    service = FTPService(parts, reactor, console, _renewal(papers, reactor), logs)
    _have_settings_read_again(options, service, reactor, console)
    return service


def _have_settings_read_again(
    options: Options, service: FTPService, reactor: Any, console: Console
) -> None:
    """Have SIGHUP read the file of settings, where there is one."""

    def pool() -> Pool:
        return Pool(reactor, "settings", threads=1)

    if options["config"] is not None:
        service.reload = Reload(options, service.apply, console.tell, console.complain, pool)


def _announcing(
    options: Options, source: IStorageSource, listeners: Listeners, papers: Certificates | None
) -> Callable[[], list[str]]:
    def announced() -> list[str]:
        security = _security(options.settings, papers)
        who = audience(options.settings, options.checkers)
        return announcement(source.describe(), who, _bound(listeners), security)

    return announced


def _renewal(papers: Certificates | None, reactor: Any) -> Renewal | None:
    """Return what watches the files of certificates, where there are any."""
    if papers is None or not papers.paths:
        return None
    return Renewal(papers.tls, papers.paths, papers.versions, reactor)


def places_of(settings: Settings, reactor: Any) -> list[Listener]:
    """Return where to listen; raises `CannotStart`."""
    return [
        listener(reactor, text, option) for option in OPTIONS for text in settings.places(option)
    ]


def _bound(listeners: Listeners) -> list[Place]:
    return [
        Place(port.getHost(), place.proxied, SCHEMES[place.option])
        for place, port in listeners.bound
    ]


def _security(settings: Settings, papers: Certificates | None) -> Security:
    if papers is None:
        return Security(settings.session.tls)
    return Security(settings.session.tls, tuple(papers.tls.certificates), papers.own)


def owner_for(options: Options) -> Owner:
    """Return whom the service's own directories are for: whom twistd will become."""
    program = options.parent if options.parent is not None else {}
    uid, gid = program.get("uid"), program.get("gid")
    return (-1 if uid is None else uid, -1 if gid is None else gid)


def source_of(settings: Settings, reactor: Any) -> IStorageSource:
    """Return the storage of the setting ``root``; raises `CannotStart`."""
    try:
        return build_source(settings.kept(settings.root), reactor)
    except (ValueError, OSError) as error:
        raise CannotStart(f"--root: {because(error)}") from None


def _realm(
    settings: Settings,
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


def usable_checkers(
    settings: Settings, checkers: list[ICredentialsChecker]
) -> list[ICredentialsChecker]:
    """Return what the portal is to ask; raises `CannotStart`."""
    try:
        wanted = portal_checkers(checkers)
    except UnusableChecker as error:
        raise CannotStart(f"--auth: {because(error)}") from None
    offered = any(IAnonymous in checker.credentialInterfaces for checker in wanted)
    guest = [AllowAnonymousAccess()] if settings.session.anonymous and not offered else []
    return [*wanted, *guest]


def _factory(settings: Settings, portal: Portal, reactor: Any, lines: LogLines) -> FTPFactory:
    events = EventStream(_subscriber_failed)
    report = Report(time.time)
    events.subscribe(report)
    events.subscribe(lines)
    activity = Activity(events, report.lines)
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
    return ImplicitFactory(factory) if place.implicit else factory


def _failing(reactor: Any, console: Console, logs: Logs) -> Callable[[str], None]:
    def fail(line: str) -> None:
        console.complain(line)
        give_up(reactor, logs.close)

    return fail
