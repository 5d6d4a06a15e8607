"""The service itself: what is started before the first client, and stopped after the last.

It stops in steps, each as short as it can be: nobody is let in any more; sessions without a
transfer are told 421; those with one may end it, within the time of grace; the rest is cut, which
leaves its partials; everybody has a moment to take the last reply; what the threads have begun is
brought to its end. Whoever is in a hurry skips the waiting, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from ftpservice.accounts.account_record import IStartable
from ftpservice.accounts.realm import Realm
from ftpservice.activity.event_log import EventLog
from ftpservice.control.factory import FTPFactory
from ftpservice.service.certificate_reload import CertificateReload
from ftpservice.service.listeners import Listeners
from ftpservice.service.log.setup import LogWriters
from ftpservice.service.operator_console import OperatorConsole
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings_reload import SettingsChange

__all__ = ["FTPService", "ServiceParts"]

STOPPING_TEXT = "The service is stopping."
FAREWELL_SECONDS = 2.0
"""How long sessions may take to end when the service stops."""
POLL_SECONDS = 0.02
REACTOR_TURNS = 3


@dataclass(frozen=True)
class ServiceParts:
    """What was assembled."""

    listeners: Listeners
    factory: FTPFactory
    checkers: Sequence[ICredentialsChecker]
    realm: Realm
    grace: float
    """Seconds that transfers may go on when the service stops."""
    announcement: Callable[[], list[str]]
    """Returns the lines to print once everything listens."""
    lines: EventLog


class FTPService(MultiService):
    """Listens, serves and stops; a failure to start is told to ``console`` and then raised."""

    def __init__(
        self,
        parts: ServiceParts,
        reactor: Any,
        console: OperatorConsole,
        renewal: CertificateReload | None = None,
        logs: LogWriters | None = None,
    ) -> None:
        super().__init__()
        self._logs = logs or LogWriters()
        self.parts = parts
        self._reactor = reactor
        self._console = console
        self._hurried = False
        self._grace = parts.grace
        self.reload: Callable[[], Deferred[None]] | None = None
        """Reads the settings again; set where there is a file of them."""
        self._renewal = renewal
        if renewal is not None:
            renewal.setServiceParent(self)
        parts.listeners.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Join ``parent``; an application of ``twistd`` is told who keeps its log."""
        super().setServiceParent(parent)
        if self._logs.log is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._logs.log)

    def renew(self) -> None:
        """Read certificates and settings again, if there are files of them (SIGHUP)."""
        if self._renewal is not None:
            self._renewal.renew()
        if self.reload is not None:
            self._console.manager.reloading()
            self.reload().addBoth(lambda _none: self._console.manager.ready("serving"))

    def apply(self, change: SettingsChange) -> None:
        """Go by other settings from now on."""
        self._grace = change.settings.grace
        self.parts.lines.verbosity = change.settings.log
        self.parts.factory.apply(change.settings.session)
        papers = change.new_certificates
        if papers is not None and self._renewal is not None:
            self._renewal.adopt(papers.tls, papers.paths, papers.versions)

    @property
    def ports(self) -> list[IListeningPort]:
        """The ports that are bound, in the order of the ``--listen`` options."""
        return self.parts.listeners.ports

    def privilegedStartService(self) -> None:
        """Bind; raises `CannotStart`."""
        self._hurried = False
        self._telling(super().privilegedStartService)

    def startService(self) -> None:
        """Start what needs threads, and announce the service when it runs; raises `CannotStart`."""
        self._telling(super().startService)
        for checker in self.parts.checkers:
            if IStartable.providedBy(checker):
                checker.start(self._reactor)
        self._reactor.callWhenRunning(self._announce)

    def stopService(self) -> Deferred[None]:
        """Stop listening, let transfers end, say farewell, then let go of threads and files."""
        return Deferred.fromCoroutine(self._stopped(super().stopService()))

    def hurry(self) -> None:
        """Wait for nobody any more, if the service is being stopped; transfers are cut."""
        self._hurried = True

    async def _stopped(self, silent: Deferred[Any]) -> None:
        factory = self.parts.factory
        self._console.manager.stopping("transfers in progress may end")
        factory.finish_and_disconnect_all(STOPPING_TEXT)
        await silent
        await self._wait_for_transfers()
        factory.disconnect_all(STOPPING_TEXT)
        await self._wait_while(lambda: bool(factory.instances), FAREWELL_SECONDS)
        factory.abort_all()
        await self._turns()
        for checker in self.parts.checkers:
            if IStartable.providedBy(checker):
                checker.stop()
        await self.parts.factory.let_go()
        await self.parts.realm.stop()
        factory.close_lingering_connections()  # of transfers that ended with their last disk call
        await self._turns()
        self.parts.lines.flush()

    async def _turns(self) -> None:
        """Let the reactor do what is due now: a connection that is cut is closed a turn later."""
        for _ in range(REACTOR_TURNS):
            await deferLater(self._reactor, 0)

    async def _wait_for_transfers(self) -> None:
        """Wait within the time of grace, and say so; what goes on after it will be cut."""
        factory, grace = self.parts.factory, self._grace
        if factory.working_count and grace and not self._hurried:
            waiting = _transfers(factory.working_count)
            self._console.tell([f"stopping: waiting up to {grace:g} s for {waiting}"])
        await self._wait_while(lambda: factory.is_working, grace)
        if factory.working_count:
            why = "told not to wait" if self._hurried else f"not done within {grace:g} s"
            self._console.tell([f"stopping: {_transfers(factory.working_count)} cut, {why}"])

    async def _wait_while(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = self._reactor.seconds() + seconds
        while condition() and not self._hurried and self._reactor.seconds() < deadline:
            await deferLater(self._reactor, POLL_SECONDS, lambda: None)

    def _announce(self) -> None:
        self._console.tell(self.parts.announcement())
        self._console.release()
        self._console.manager.ready("serving")

    def _telling(self, step: Callable[[], object]) -> None:
        try:
            step()
        except CannotStart as error:
            console = self._console
            if not console.is_part and console.complain(error.line):
                error.was_printed(by_daemon=self._console.is_daemon_terminal)
            self._console.release()
            raise


def _transfers(count: int) -> str:
    return f"{count} transfer{'' if count == 1 else 's'}"
