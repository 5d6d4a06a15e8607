"""The service: starts before the first client and stops after the last one.

A stop closes the listeners, then ends the sessions in the steps of `SessionShutdown`.
`FTPService.skip_grace` ends its waits for clients, and omits no step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from ftpservice.accounts.account_record import IStartable
from ftpservice.accounts.realm import Realm
from ftpservice.activity.event_log import EventLog
from ftpservice.control.factory import FTPFactory
from ftpservice.retention.retention_service import RetentionService
from ftpservice.service.certificates.certificate_reload import CertificateReload
from ftpservice.service.log.setup import LogWriters
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.sessions.listeners import Listeners
from ftpservice.service.sessions.session_assembly import apply_to_sessions
from ftpservice.service.sessions.session_shutdown import SessionShutdown
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings_reload import SettingsChange

__all__ = ["FTPService", "ServiceParts"]

log = Logger("ftpservice")


@dataclass(frozen=True)
class ServiceParts:
    """The parts of an assembled service."""

    listeners: Listeners
    factory: FTPFactory
    checkers: Sequence[ICredentialsChecker]
    realm: Realm
    grace: float
    """Seconds that running transfers may take to finish when the service stops."""
    banner: Callable[[], list[str]]
    """Returns the lines to print when the service has started."""
    event_log: EventLog


class FTPService(MultiService):
    """Binds, serves and stops; a failed start is reported to ``console`` and raised."""

    is_serving = is_stopping = False
    """Whether all is there that serves the sessions, and whether a stop has begun."""
    stop_parts: Callable[[], Deferred[Any]] | None = None
    """Stops the parts that the next program does not take over; None: all are stopped."""
    cancel_handover: Callable[[], object] = bool
    """Has the process end, although another program would take over."""
    is_handover_cancelled: Callable[[], bool] = bool
    """Whether the sessions that the next program would take over end, too."""

    def __init__(
        self,
        parts: ServiceParts,
        reactor: Any,
        console: OperatorConsole,
        certificate_reload: CertificateReload | None = None,
        logs: LogWriters | None = None,
    ) -> None:
        super().__init__()
        self.logs = logs or LogWriters()
        self.parts = parts
        self._reactor = reactor
        self.console = console
        self._shutdown = self._new_shutdown()
        self._is_bound = False
        self._grace = parts.grace
        self.drop_privileges: Callable[[], None] = lambda: None
        """Called when the listeners are bound, before a connection is accepted."""
        self.retention: RetentionService | None = None
        self.prepare_change: Callable[[SettingsChange], Callable[[], object]] = lambda _change: bool
        """Returns what puts a part of a change into force; raises `ValueError` if nothing can."""
        self.reload_settings: Callable[[], Deferred[None]] | None = None
        """Reads the settings again; None without a TOML file."""
        self.first_steps: list[Callable[[], Deferred[None]]] = []
        """Called at the start; it goes on when what they return has fired."""
        self.begin_workers: Callable[[], Deferred[None]] | None = None
        """Starts the processes that serve the sessions; fires when they do. None: this one does."""
        self.workers_counted: Callable[[], Deferred[None]] | None = None
        """Fires when it is known what those have in progress that a stop waits for."""
        self.last_steps: list[Callable[[], object]] = [parts.event_log.flush]
        """Called at the end of a stop, when no session is left; what they return is waited for."""
        self.reopen_steps: list[Callable[[], object]] = [self.logs.reopen]
        """Called when the log files are to be reopened by their names (SIGUSR1)."""
        self._certificate_reload = certificate_reload
        if certificate_reload is not None:
            certificate_reload.setServiceParent(self)
        parts.listeners.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Join ``parent``, and become the log of an application of ``twistd``."""
        super().setServiceParent(parent)
        if self.logs.log is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.logs.log)

    def reload(self) -> None:
        """Read the files of certificates and settings again (SIGHUP)."""
        if self._certificate_reload is not None:
            self._certificate_reload.reload()
        if self.reload_settings is not None:
            self.console.manager.reloading()
            self.reload_settings().addBoth(lambda _none: self.console.manager.ready("serving"))

    def apply(self, change: SettingsChange) -> None:
        """Put other settings into force; raises `ValueError`, and then nothing has changed."""
        use_prepared = self.prepare_change(change)
        self._grace = change.settings.grace
        self.parts.event_log.verbosity = change.settings.log
        apply_to_sessions(change.settings, self.parts.factory, self.parts.realm)
        if self.parts.factory.bans is not None:
            self.parts.factory.bans.rules = change.settings.ban_rules
        if self.retention is not None:
            self.retention.apply(change.settings.retention)
        loaded = change.new_certificates
        if loaded is not None and self._certificate_reload is not None:
            self._certificate_reload.use(loaded.tls, loaded.paths, loaded.versions)
        use_prepared()

    @property
    def ports(self) -> list[IListeningPort]:
        """The bound ports, in the order of the options."""
        return self.parts.listeners.ports

    def privilegedStartService(self) -> None:
        """Bind the listeners; raises `CannotStart`."""
        self._shutdown = self._new_shutdown()
        self._reporting(super().privilegedStartService)
        self._is_bound = True

    def startService(self) -> None:
        """Start the threads, and print the banner when the reactor runs; raises `CannotStart`."""
        if not self._is_bound:  # "twist" starts services so
            self.privilegedStartService()
        self._reporting(self.drop_privileges)
        self._reporting(super().startService)
        for checker in self.parts.checkers:
            if IStartable.providedBy(checker):
                checker.start(self._reactor)
        self._reactor.callWhenRunning(self._started)

    def stopService(self) -> Deferred[None]:
        """Stop in the steps of the module docstring."""
        self._is_bound = self.is_serving = False
        self.is_stopping = True
        stop_parts = self.stop_parts or super().stopService
        return Deferred.fromCoroutine(self._stopped(stop_parts()))

    def stop_requested(self) -> None:
        """End the process, even if another program is about to take over."""
        self.cancel_handover()

    def skip_grace(self) -> None:
        """Abort the transfers that a stop in progress waits for."""
        self._shutdown.skips_grace = True

    def _new_shutdown(self) -> SessionShutdown:
        parts = self.parts
        return SessionShutdown(
            parts.factory,
            parts.realm,
            parts.checkers,
            self._reactor,
            lambda line: self.console.write_lines([line]),
        )

    async def _stopped(self, closed: Deferred[Any]) -> None:
        shutdown = self._shutdown
        if self.stop_parts is None:
            self.console.manager.stopping("running transfers may finish")
        shutdown.ends_only_own = self.stop_parts is not None
        shutdown.begin()
        await closed

        async def end_sessions() -> None:
            if self.workers_counted is not None:
                await self.workers_counted()
            await shutdown.end_sessions(self._grace)

        await end_sessions()
        if shutdown.ends_only_own and self.is_handover_cancelled():
            shutdown.ends_only_own = False
            await end_sessions()
        await shutdown.release()
        for step in self.last_steps:
            await maybeDeferred(step)

    def _started(self) -> None:
        async def begin() -> None:
            for step in self.first_steps:
                await step()
            if not self.running:  # it was stopped meanwhile
                return
            if self.begin_workers is not None:
                await self.begin_workers()
            self._announce()

        Deferred.fromCoroutine(begin()).addErrback(
            lambda failure: log.failure("the service could not begin to serve", failure)
        )

    def _announce(self) -> None:
        self.is_serving = True
        self.console.write_lines(self.parts.banner())
        self.console.close_daemon_terminal()
        self.console.manager.ready("serving")

    def _reporting(self, step: Callable[[], object]) -> None:
        try:
            step()
        except CannotStart as error:
            console = self.console
            if not console.is_embedded and console.write_error(error.line):
                error.was_printed(by_daemon=self.console.is_daemon_terminal)
            self.console.close_daemon_terminal()
            raise
