"""The service: starts before the first client and stops after the last one.

The steps of a stop:

1. Close the listeners.
2. End sessions without a transfer with 421. The others may finish their transfer, within the
   grace period.
3. Abort the transfers that remain; interrupted uploads leave partial uploads.
4. Wait a moment for clients to receive the last reply.
5. Wait for the threads to finish the calls that they have begun.

`FTPService.skip_grace` ends the waits of steps 2 and 4, and omits no step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from ftpservice.accounts.account_record import IStartable
from ftpservice.accounts.realm import Realm
from ftpservice.activity.event_log import EventLog
from ftpservice.control.factory import FTPFactory
from ftpservice.retention.retention_service import RetentionService
from ftpservice.service.certificates.certificate_reload import CertificateReload
from ftpservice.service.listeners import Listeners
from ftpservice.service.log.setup import LogWriters
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings_reload import SettingsChange

__all__ = ["FTPService", "ServiceParts"]

STOPPING_TEXT = "The service is stopping."
LAST_REPLY_SECONDS = 2.0
"""Time for clients to receive the last reply when the service stops."""
POLL_SECONDS = 0.02
REACTOR_ITERATIONS = 3


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

    def __init__(
        self,
        parts: ServiceParts,
        reactor: Any,
        console: OperatorConsole,
        certificate_reload: CertificateReload | None = None,
        logs: LogWriters | None = None,
    ) -> None:
        super().__init__()
        self._logs = logs or LogWriters()
        self.parts = parts
        self._reactor = reactor
        self._console = console
        self._skips_grace = False
        self._is_bound = False
        self._grace = parts.grace
        self.drop_privileges: Callable[[], None] = lambda: None
        """Called when the listeners are bound, before a connection is accepted."""
        self.retention: RetentionService | None = None
        self.prepare_change: Callable[[SettingsChange], Callable[[], object]] = lambda _change: bool
        """Returns what puts a part of a change into force; raises `ValueError` if nothing can."""
        self.reload_settings: Callable[[], Deferred[None]] | None = None
        """Reads the settings again; None without a TOML file."""
        self.last_steps: list[Callable[[], object]] = [parts.event_log.flush]
        """Called at the end of a stop, when no session is left; what they return is waited for."""
        self.reopen_steps: list[Callable[[], object]] = [self._logs.reopen]
        """Called when the log files are to be reopened by their names (SIGUSR1)."""
        self._certificate_reload = certificate_reload
        if certificate_reload is not None:
            certificate_reload.setServiceParent(self)
        parts.listeners.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Join ``parent``, and become the log of an application of ``twistd``."""
        super().setServiceParent(parent)
        if self._logs.log is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._logs.log)

    def reload(self) -> None:
        """Read the files of certificates and settings again (SIGHUP)."""
        if self._certificate_reload is not None:
            self._certificate_reload.reload()
        if self.reload_settings is not None:
            self._console.manager.reloading()
            self.reload_settings().addBoth(lambda _none: self._console.manager.ready("serving"))

    def apply(self, change: SettingsChange) -> None:
        """Put other settings into force; raises `ValueError`, and then nothing has changed."""
        use_prepared = self.prepare_change(change)
        self._grace = change.settings.grace
        self.parts.event_log.verbosity = change.settings.log
        self.parts.factory.apply(change.settings.session)
        if self.parts.factory.bans is not None:
            self.parts.factory.bans.rules = change.settings.ban_rules
        if self.parts.realm.quotas is not None:
            self.parts.realm.quotas.recount_interval = change.settings.quota_recount
        if self.parts.realm.mount_rules is not None:
            self.parts.realm.mount_rules.rename_across = change.settings.rename_across_mounts
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
        self._skips_grace = False
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
        self._is_bound = False
        return Deferred.fromCoroutine(self._stopped(super().stopService()))

    def skip_grace(self) -> None:
        """Abort the transfers that a stop in progress waits for."""
        self._skips_grace = True

    async def _stopped(self, closed: Deferred[Any]) -> None:
        factory = self.parts.factory
        self._console.manager.stopping("running transfers may finish")
        factory.finish_and_disconnect_all(STOPPING_TEXT)
        await closed
        await self._wait_for_transfers()
        factory.disconnect_all(STOPPING_TEXT)
        await self._wait_while(lambda: bool(factory.instances), LAST_REPLY_SECONDS)
        factory.abort_all()
        await self._iterate()
        for checker in self.parts.checkers:
            if IStartable.providedBy(checker):
                checker.stop()
        await self.parts.factory.release_resources()
        await self.parts.realm.stop()
        factory.close_lingering_connections()  # of transfers that ended with their last disk call
        await self._iterate()
        for step in self.last_steps:
            await maybeDeferred(step)

    async def _iterate(self) -> None:
        """Let the reactor run a few times: it closes an aborted connection one iteration later."""
        for _ in range(REACTOR_ITERATIONS):
            await deferLater(self._reactor, 0)

    async def _wait_for_transfers(self) -> None:
        """Wait for running transfers, at most for the grace period, and report it."""
        factory, grace = self.parts.factory, self._grace
        if factory.working_count and grace and not self._skips_grace:
            waiting = _transfers(factory.working_count)
            self._console.write_lines([f"stopping: waiting up to {grace:g} s for {waiting}"])
        await self._wait_while(lambda: bool(factory.working_count), grace)
        if factory.working_count:
            why = (
                "grace period skipped" if self._skips_grace else f"not finished within {grace:g} s"
            )
            aborted = _transfers(factory.working_count)
            self._console.write_lines([f"stopping: {aborted} aborted, {why}"])

    async def _wait_while(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = self._reactor.seconds() + seconds
        while condition() and not self._skips_grace and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, POLL_SECONDS, lambda: None)

    def _started(self) -> None:
        self._console.write_lines(self.parts.banner())
        self._console.close_daemon_terminal()
        self._console.manager.ready("serving")

    def _reporting(self, step: Callable[[], object]) -> None:
        try:
            step()
        except CannotStart as error:
            console = self._console
            if not console.is_embedded and console.write_error(error.line):
                error.was_printed(by_daemon=self._console.is_daemon_terminal)
            self._console.close_daemon_terminal()
            raise


def _transfers(count: int) -> str:
    return f"{count} transfer{'' if count == 1 else 's'}"
