"""Assembles the HTTP server. ``twisted.web`` is imported when an endpoint is set, not before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from ftpservice.accounts.account_store import IInterruptibleStore
from ftpservice.accounts.second_factors.one_time_codes import TOTP_EXTRA_TEXT, has_totp_extra
from ftpservice.accounts.second_factors.passkeys import has_passkey_extra
from ftpservice.accounts.stores.store_choice import only_changeable_store
from ftpservice.activity.hooks.hook_service import HookService
from ftpservice.activity.reports.journal_reader import JournalReader
from ftpservice.backends.strings import directory_of
from ftpservice.concurrency.thread_pool import INTERRUPT_SECONDS, BlockingPool
from ftpservice.control.factory import FTPFactory
from ftpservice.events import LoginFailed, TransferEnded, TransferStarted
from ftpservice.service.activity.recorders import Recorders
from ftpservice.service.control_actions import ServiceActions
from ftpservice.service.main_factory import cluster_of
from ftpservice.service.sessions.listeners import Listener
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.state_files.private_json import DocumentStore
from ftpservice.storage.quota.book import QuotaBook

if TYPE_CHECKING:
    from ftpservice.accounts.stores.removed_accounts import RemovedAccounts
    from ftpservice.web.access.factor_access import FactorAccess
    from ftpservice.web.access.login_challenges import LoginChallenges
    from ftpservice.web.access.portal_access import PortalAccess
    from ftpservice.web.access.request_access import RequestAccess
    from ftpservice.web.access.security_access import SecurityAccess
    from ftpservice.web.access.token_access import TokenAccess
    from ftpservice.web.api.api_parts import ApiParts
    from ftpservice.web.api.past_activity import PastActivity
    from ftpservice.web.http.web_site import WebSite
    from ftpservice.web.shares.shares import Shares
    from ftpservice.web.uploads.upload_records import UploadRecords

__all__ = [
    "WebServer",
    "WebSources",
    "check_factor_extras",
    "closing_steps",
    "serve_api",
    "web_server",
]

log = Logger("ftpservice.web")

POOLS = {
    "tokens": 1,
    "factors": 1,
    "accounts": 4,
    "space": 1,
    "archives": 2,
    "uploads": 1,
    "shares": 2,
}
"""Threads by what they are for: a store or a file system that hangs delays nothing else."""
OF_TRANSFERS = ("archives", "uploads")
"""The pools that transfers need, also while the service stops."""
LAST_BYTES_SECONDS = 2.0
"""Time for clients to receive the end of their transfers when the service stops."""
POLL_SECONDS = 0.02
POOL_WAITING = 50
LOCAL = "local"
"""The address of a client of a UNIX socket."""


@dataclass(frozen=True)
class WebSources:
    """What the API shows and steers."""

    actions: ServiceActions
    factory: FTPFactory
    recorders: Recorders
    quotas: QuotaBook | None
    hooks: HookService


class WebServer(Service):
    """The HTTP server: ``site`` has a ``mount`` for what is served."""

    def __init__(
        self,
        site: WebSite,
        factory_of: Callable[[Listener], IProtocolFactory],
        options: ServiceOptions,
        reactor: Any,
    ) -> None:
        self.site = site
        self.factory_of = factory_of
        self._options = options
        self._timers: tuple[Any, ...] = ()
        """What stops with the service."""
        self._past: PastActivity | None = None
        self._upload_records: UploadRecords | None = None
        self._documents: DocumentStore | None = None
        """Where the files of the data directory are in force; None: here."""
        self._store = only_changeable_store(options.stores)
        self._pools = {
            name: BlockingPool(reactor, f"http {name}", threads, POOL_WAITING)
            for name, threads in POOLS.items()
        }

    def serve_api(self, sources: WebSources) -> None:
        """Mount the REST API."""
        from ftpservice.web.access.login_challenges import LoginChallenges
        from ftpservice.web.access.page_sessions import PageSessions
        from ftpservice.web.access.portal_access import PortalAccess
        from ftpservice.web.access.request_access import RequestAccess
        from ftpservice.web.access.token_access import TokenAccess
        from ftpservice.web.access.token_file import TOKEN_FILE, TokenFile
        from ftpservice.web.api.live_stream import LiveStream
        from ftpservice.web.api_mount import mount_api
        from ftpservice.web.page.page import mount_page

        settings, reactor = self._options.settings, self.site.reactor
        place, publish = settings.data_dir, sources.factory.event_sink.events.publish
        documents = self._documents = _documents(sources.factory)
        file = TokenFile(Path(place, TOKEN_FILE), time.time, documents) if place else None
        sessions, challenges = PageSessions(reactor), LoginChallenges(reactor)
        pause = partial(deferLater, reactor)
        portal = PortalAccess(sources.factory, self._options.checkers, pause)
        tokens = TokenAccess(file, self._pools["tokens"], publish, time.time, reactor)
        access = RequestAccess(
            tokens,
            portal,
            sessions,
            partial(_allows_password, sources.factory),
            reactor.seconds,
        )
        factors = self._factor_access(sources)
        parts = self._parts(sources, factors, tokens)
        live = LiveStream(parts, reactor)
        mount_api(self.site, access, parts, live)
        mount_page(self.site, access, self._serve_security(access, factors, challenges))
        self._serve_shares(portal, parts.shares, sources.factory)
        self._serve_uploads(access, sources.factory)
        self._timers = (parts.past.history, live, sessions, challenges, parts.traces)
        self._past = parts.past

    def _serve_uploads(self, access: RequestAccess, factory: FTPFactory) -> None:
        from ftpservice.web.uploads.running_uploads import Uploads
        from ftpservice.web.uploads.upload_records import UPLOADS_DIRECTORY, UploadRecords
        from ftpservice.web.uploads.upload_requests import mount_uploads

        place = self._options.settings.data_dir
        directory = Path(place, UPLOADS_DIRECTORY) if place is not None else None
        self._upload_records = UploadRecords(directory, self._pools["uploads"], time.time)
        uploads = Uploads(access, self._upload_records)
        mount_uploads(self.site, uploads)
        factory.event_sink.events.subscribe(uploads.transfer_started, TransferStarted)

    def _serve_shares(self, portal: PortalAccess, shares: Shares, factory: FTPFactory) -> None:
        from ftpservice.web.shares.share_resource import SHARES_ROOT, ShareAccess, ShareResource

        pause, allows = partial(deferLater, self.site.reactor), partial(_allows_password, factory)
        access = ShareAccess(shares, portal, factory, pause, allows, time.time, self.site.reactor)
        self.site.mount(SHARES_ROOT, ShareResource(access))

    def _shares(self) -> Shares:
        from ftpservice.web.shares.share_file import SHARE_FILE, ShareFile
        from ftpservice.web.shares.shares import Shares

        place = self._options.settings.data_dir
        file = ShareFile(Path(place, SHARE_FILE), time.time, self._documents) if place else None
        return Shares(file, self._pools["shares"], time.time)

    def _removed_accounts(self) -> RemovedAccounts | None:
        from ftpservice.accounts.stores.removed_accounts import REMOVED_FILE, RemovedAccounts

        place = self._options.settings.data_dir
        if place is None:
            return None
        return RemovedAccounts(Path(place, REMOVED_FILE), documents=self._documents)

    def _factor_access(self, sources: WebSources) -> FactorAccess:
        from ftpservice.accounts.second_factors.factor_file import FACTOR_FILE, FactorFile
        from ftpservice.web.access.factor_access import FactorAccess

        place, pause = self._options.settings.data_dir, partial(deferLater, self.site.reactor)
        file = FactorFile(Path(place, FACTOR_FILE), self._documents) if place else None
        return FactorAccess(file, self._pools["factors"], sources.factory, pause)

    def _serve_security(
        self, access: RequestAccess, factors: FactorAccess, challenges: LoginChallenges
    ) -> SecurityAccess:
        """Let logins ask for second factors; return what accounts manage theirs with."""
        from ftpservice.web.access.second_step import SecondStep
        from ftpservice.web.access.security_access import SecurityAccess

        required = self._options.settings.require_second_factor
        access.second_step = SecondStep(factors, challenges, required)
        return SecurityAccess(access, factors)

    def startService(self) -> None:
        """Begin to take samples for the charts, and read which uploads can be resumed."""
        super().startService()
        self.site.is_closing = False
        if self._past is not None:
            self._past.history.start()
        if self._upload_records is not None:
            loading = Deferred.fromCoroutine(self._upload_records.load())
            loading.addErrback(lambda failure: log.failure("reading the uploads failed", failure))

    def _parts(self, sources: WebSources, factors: FactorAccess, tokens: TokenAccess) -> ApiParts:
        from ftpservice.web.api.activity_history import ActivityHistory
        from ftpservice.web.api.api_parts import ApiParts
        from ftpservice.web.api.past_activity import READ_SECONDS, PastActivity
        from ftpservice.web.api.recent_events import RecentEvents
        from ftpservice.web.api.running_traces import RunningTraces

        settings, factory = self._options.settings, sources.factory
        journal = sources.recorders.journal
        live, reader = sources.actions.live, None
        if journal is not None:
            reader = JournalReader(journal, self.site.reactor, "http journal", READ_SECONDS)
        nodes = sources.actions.nodes
        recent = RecentEvents("" if nodes is None else nodes.own)
        history = ActivityHistory(live, self.site.reactor, time.time)
        places = [directory_of(settings.root), settings.data_dir]
        factory.event_sink.events.subscribe(recent, *recent.kinds)
        factory.event_sink.events.subscribe(history, TransferEnded, LoginFailed)
        return ApiParts(
            sources.actions.spread,
            live,
            PastActivity(recent, history, live, reader, time.time),
            self._store,
            self._pools["accounts"],
            self._pools["space"],
            factory.event_sink.events.publish,
            time.time,
            time.time(),
            [place for place in dict.fromkeys(places) if place],
            self._pools["archives"],
            factors,
            sources.quotas,
            sources.hooks,
            tokens=tokens,
            traces=RunningTraces(_tracing(sources.actions), self.site.reactor, time.time),
            nodes=nodes,
            shares=self._shares(),
            removed=self._removed_accounts(),
        )

    def stopService(self) -> Deferred[None]:
        """End the connections without a transfer; fires when the threads have ended."""
        super().stopService()
        for timer in self._timers:
            timer.stop()
        self.site.close()
        interruptions = LoopingCall(self._interrupt)
        interruptions.clock = self.site.reactor
        interruptions.start(INTERRUPT_SECONDS)
        ending = [pool.stop() for name, pool in self._pools.items() if name not in OF_TRANSFERS]
        if self._past is not None:
            ending.append(Deferred.fromCoroutine(self._past.finish()))
        stopping = gatherResults(ending)
        return stopping.addBoth(lambda _none: interruptions.stop())

    async def close(self) -> None:
        """End the other connections, when they have sent what is left of their transfers."""
        deadline = self.site.reactor.seconds() + LAST_BYTES_SECONDS
        while self.site.has_connections and self.site.reactor.seconds() < deadline:
            await deferLater(self.site.reactor, POLL_SECONDS)
        self.site.abort_all()
        await gatherResults([self._pools[name].stop() for name in OF_TRANSFERS])

    def _interrupt(self) -> None:
        """Make the calls end that wait for a server."""
        if IInterruptibleStore.providedBy(self._store):
            self._store.interrupt()


def web_server(options: ServiceOptions, factory: FTPFactory, reactor: Any) -> WebServer | None:
    """Return the HTTP server with its health checks; None if no endpoint is set."""
    settings = options.settings
    if not (settings.http or settings.https):
        return None
    check_factor_extras(settings)
    from ftpservice.web.http.health import HealthResource, ReadinessResource
    from ftpservice.web.http.host_names import HostNames
    from ftpservice.web.http.web_site import WebFactory, WebSite

    site = WebSite(reactor, HostNames((*settings.http_host, *settings.acme)))
    site.bans = factory.bans

    def factory_of(listener: Listener) -> IProtocolFactory:
        return WebFactory(site, factory.tls if listener.implicit else None)

    site.mount("/healthz", HealthResource())
    site.mount("/readyz", ReadinessResource(_readiness(factory), _notes(factory)))
    return WebServer(site, factory_of, options, reactor)


def check_factor_extras(settings: ServiceSettings) -> None:
    """Raise `CannotStart` if second factors are required and none is possible."""
    if settings.require_second_factor and not (has_totp_extra() or has_passkey_extra()):
        raise CannotStart(f"--require-second-factor: {TOTP_EXTRA_TEXT}")


def serve_api(server: WebServer | None, sources: WebSources) -> None:
    """Mount the REST API, if there is a server."""
    if server is not None:
        server.serve_api(sources)


def closing_steps(server: WebServer | None) -> list[Callable[[], Any]]:
    """Return what ends the connections of a server when no session is left."""
    return [] if server is None else [lambda: Deferred.fromCoroutine(server.close())]


def _allows_password(factory: FTPFactory, is_secure: bool, host: str) -> bool:
    """Return whether a password may come over a connection, by the settings of now."""
    policy = factory.services().settings.tls
    return policy.allows_password(is_secure, None if host == LOCAL else host)


def _tracing(actions: ServiceActions) -> Callable[[Mapping[str, Any]], Any]:
    """Return what returns the trace that a request asks for, in whatever process or node it is."""
    feeds = actions.feeds_over_nodes({"trace": lambda wanted: actions.trace(wanted)})
    return feeds["trace"]


def _documents(factory: FTPFactory) -> DocumentStore | None:
    cluster = cluster_of(factory)
    return None if cluster is None else cluster.documents


def _readiness(factory: FTPFactory) -> Mapping[str, Callable[[], str | None]]:
    def accepts() -> str | None:
        return None if factory.session_refusal is None else "no sessions are accepted"

    cluster = cluster_of(factory)

    def joined() -> str | None:
        has_joined = cluster is None or cluster.joined.called
        return None if has_joined else "the node waits for the database of its cluster"

    return {"sessions": accepts, "cluster": joined}


def _notes(factory: FTPFactory) -> Mapping[str, Callable[[], str | None]]:
    cluster = cluster_of(factory)
    if cluster is None:
        return {}

    def answers() -> str | None:
        return None if cluster.is_connected else "its database cannot be used"

    return {"cluster": answers}
