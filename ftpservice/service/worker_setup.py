"""The main process of several: it binds the ports, and workers accept their connections.

What the main process does to all sessions (drain, stop, bans, other settings), the workers do, too.
Their events are published here as if the sessions were in this process.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.defence.bans import Ban
from ftpservice.accounts.defence.networks import Network
from ftpservice.accounts.realm import Realm
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.control.factory import FTPFactory
from ftpservice.data.shared_port import SharedPassivePort
from ftpservice.events import Event
from ftpservice.net.tls.certificate_copies import CertificateCopies, copy_certificates
from ftpservice.net.tls.server import CertificateError, ServerTLS
from ftpservice.service.certificates.certificate_reload import CertificateReload
from ftpservice.service.certificates.certificate_setup import LoadedCertificates
from ftpservice.service.control_actions import ServiceActions
from ftpservice.service.lifecycle import FTPService
from ftpservice.service.main_factory import MainFactory, end_others, hold_port
from ftpservice.service.sessions.listeners import Listener
from ftpservice.service.sessions.worker_memory import board_for, quotas_for
from ftpservice.service.settings.errors import CannotStart, error_text
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.service.settings_reload import SettingsChange
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.workers.data_ports import DataPorts
from ftpservice.workers.handover import Handover
from ftpservice.workers.launch import launch_worker, watch_child
from ftpservice.workers.log_forwarder import relay_log
from ftpservice.workers.remote_sessions import RemoteSessions
from ftpservice.workers.remote_trace import RemoteTraces
from ftpservice.workers.supervisor import Supervisor
from ftpservice.workers.worker import Worker
from ftpservice.workers.worker_handover import adopt_worker, retire_workers

__all__ = ["WorkerSetup", "join_workers", "workers_for"]

log = Logger("ftpservice.workers")

FAILED_REPORT = "The report could not be made; the log says why."


class WorkerSetup:
    """Joins a service to its workers; ``fail`` ends the process with a line."""

    marked: Callable[[Worker], object] = bool
    """Called when a worker has received what was sent before ``mark``."""
    restored: Callable[[Event], object] = bool
    """Called with the events of sessions that go on from before this program."""

    def __init__(
        self,
        options: ServiceOptions,
        factory: MainFactory,
        certificates: LoadedCertificates | None,
        reactor: Any,
        fail: Callable[[str], object],
    ) -> None:
        count = options.settings.workers
        self._options = options
        self.factory = factory
        self._reactor = reactor
        self._fail = fail
        self._start_configuration = self._configuration = options.configuration
        self._copies = None if certificates is None else _copies(certificates)
        self._ports: list[tuple[Listener, Port]] = []
        self._pool = BlockingPool(reactor, "workers", threads=1)
        handover = options.handover
        self.board = board_for(count, handover)
        sessions = partial(RemoteSessions, factory.sessions, factory.event_sink.events.publish)
        launch = launch_worker(self._pool, reactor)
        self.supervisor = Supervisor(count, self.board, launch, sessions, reactor)
        self.supervisor.descriptors = self._descriptors
        self.supervisor.first = self._first_message
        self.supervisor.handlers = self._handlers
        self.supervisor.claim = factory.table.claim_column
        self.supervisor.cleared = self._cleared
        data = options.settings.session.data
        handed = () if handover is None else handover.data_ports
        self.data_ports = DataPorts(handed, reactor, data.is_balancer)
        factory.shared_port = self.data_ports.at(data.passive_port)
        self.quotas = quotas_for(factory.table, handover, reactor)
        realm: Realm = factory.portal.realm
        realm.quotas = QuotaBook(reactor, options.settings.quota_recount, self.quotas)
        self.traces = RemoteTraces(factory.sessions, self.supervisor.broadcast, reactor)
        self.supervisor.accepts = lambda worker: self.traces.begin(worker.send)
        factory.supervisor = self.supervisor
        factory.numbers = self.board.column(0)
        if factory.bans is not None:
            factory.bans.tell = self._tell_bans

    def hold(self, listener: Listener, port: IListeningPort) -> None:
        """Keep a bound port for the workers; raises `CannotStart` for one that is no socket."""
        self._ports.append((listener, hold_port(listener, port)))

    def begin(self) -> Deferred[None]:
        """Start the workers; fires when they accept connections, and never if they cannot.

        Then those of the program before this one finish their transfers.
        """
        begun: Deferred[None] = Deferred()

        def failed(failure: Failure) -> None:
            self._fail(error_text(failure.value))

        def ready(_none: None) -> None:
            retire_workers(self.supervisor, self._options.settings.upgrade_grace)
            begun.callback(None)

        handover = self._options.handover
        if handover is not None:
            self.factory.session_refusal = handover.refusal
            going_on = [one["column"] for one in handover.workers]
            for column in end_others(self.factory, going_on):
                self.board.column(column).clear()
            _adopt_workers(self, handover, self._reactor)
        if handover is None or not handover.is_trial:
            port: Any = self.factory.shared_port
            self.data_ports.start_accepting(port)
        self.supervisor.begin().addCallbacks(ready, failed)
        return begun

    def leave(self) -> None:
        """Have a stop end neither the workers nor the passive ports: another program goes on."""
        self.factory.leaves_workers = True
        self.factory.shared_port = None
        self.supervisor.replaces = False

    async def close(self) -> None:
        """Release what the workers used, after they have ended."""
        await self._pool.stop()
        self.data_ports.close()
        self.quotas.close()
        self.board.close()
        self.factory.table.close()

    def _cleared(self, column: int) -> None:
        """Give back what a worker held that has ended."""
        self.data_ports.worker_ended(column)
        self.factory.process_ended(column)

    def _descriptors(self, worker: Worker) -> Sequence[int]:
        ends = self.data_ports.ends_for(worker.column.number)
        shared = (self.board, self.factory.table, self.quotas)
        ports = (port.socket.fileno() for _, port in self._ports)
        return (*(one.descriptor for one in shared), *ends, *ports)

    def _first_message(self, worker: Worker) -> tuple[Any, ...]:
        """Return all that a worker needs to begin."""
        options, current = self._options, self._configuration
        listening = [
            (one.option, one.text, one.proxied, port.socket.fileno(), _family(port.socket))
            for one, port in self._ports
        ]
        plan = {
            "words": list(options.words),
            "directory": options.directory,
            "configuration": self._start_configuration,
            "changed": current if current != self._start_configuration else None,
            "certificates": _plain(self._copies),
            "bans": self._bans(),
            "refusal": self.factory.session_refusal,
            "cluster": None if self.factory.cluster is None else self.factory.cluster.facts.run,
            "board": (self.board.descriptor, self.board.columns, worker.column.number),
            "table": self.factory.table.descriptor,
            "quotas": self.quotas.descriptor,
            "data_port": self.data_ports.started(worker.column.number),
            "ports": listening,
        }
        return ("start", plan)

    def _handlers(self, worker: Worker) -> dict[str, Callable[..., object]]:
        found: dict[str, Callable[..., object]] = {
            "log": relay_log,
            "report": partial(self._report, worker),
            "traced": self.traces.traced,
            "marked": lambda: self.marked(worker),
            "peer": partial(self.factory.pass_on, worker.column.number),
        }
        port, column = self.factory.shared_port, worker.column.number
        if worker.is_retired:
            shares = self.data_ports.shares_of(column)
        elif isinstance(port, SharedPassivePort):
            shares = self.data_ports.share(column, port, worker.send)
        else:
            shares = None
        if shares is None:
            return found
        shares.send = worker.send
        return {**found, **shares.handlers}

    def _report(self, worker: Worker, number: int, words: Sequence[str]) -> None:
        """Answer a request for the lines of REPORT."""

        def answer(lines: list[str]) -> None:
            worker.send("reported", number, list(lines), None)

        def refuse(failure: Failure) -> None:
            if failure.check(ValueError):
                worker.send("reported", number, [], failure.getErrorMessage())
            else:
                log.failure("a report could not be made", failure)
                worker.send("reported", number, [FAILED_REPORT], None)

        maybeDeferred(self.factory.event_sink.report, *words).addCallbacks(answer, refuse)

    def _tell_bans(self, bans: Sequence[Ban], ended: Sequence[Network]) -> None:
        """Tell the workers which bans have changed, here or at another node."""
        values = [_ban_values(ban) for ban in bans]
        self.supervisor.broadcast("bans changed", values, [str(network) for network in ended])

    def _bans(self) -> list[tuple[Any, ...]]:
        bans = self.factory.bans
        return [] if bans is None else [_ban_values(ban) for ban in bans.bans()]

    def settings_changed(self) -> None:
        """Have the workers apply the settings that were read last, and those that start later."""
        self._configuration = self._options.configuration
        self.supervisor.broadcast("settings", self._configuration)

    def certificates_changed(self, tls: ServerTLS) -> None:
        """Read the files once more (blocks), for the workers."""
        try:
            copies = copy_certificates(tls.files)
        except CertificateError as error:
            log.error("the workers keep their certificates: {reason}", reason=str(error))
            return
        self._reactor.callFromThread(self._use_certificates, copies)

    def _use_certificates(self, copies: CertificateCopies) -> None:
        self._copies = copies
        self.supervisor.broadcast("certificates", _plain(copies))


def _adopt_workers(setup: WorkerSetup, handover: Handover, reactor: Any) -> None:
    """Go on with the workers of the program before this one."""
    ports = setup.data_ports
    ports.take_over(handover.workers)
    for handed in handover.workers:
        try:
            for event in adopt_worker(setup.supervisor, handed, partial(watch_child, reactor)):
                setup.restored(event)
        except (OSError, KeyError, ValueError, TypeError):
            log.failure("a worker cannot be used any more; it ends alone")
            ports.worker_ended(handed["column"])
            if setup.factory.places is not None:
                setup.factory.places.ended(handed["column"])
        shares = ports.shares_of(handed["column"])
        if shares is not None:
            shares.tell_turns()
        for message in handed.get("asked", ()):
            setup.factory.pass_on(handed["column"], 0, message)


def workers_for(
    options: ServiceOptions,
    factory: FTPFactory,
    certificates: LoadedCertificates | None,
    reactor: Any,
    fail: Callable[[str], object],
) -> WorkerSetup | None:
    """Return what joins the service to its workers; None if this process serves alone."""
    if not isinstance(factory, MainFactory):
        return None
    return WorkerSetup(options, factory, certificates, reactor, fail)


def join_workers(
    workers: WorkerSetup | None,
    service: FTPService,
    reload: CertificateReload | None,
    actions: ServiceActions,
) -> FTPService:
    """Have ``service`` start its workers, if it has some, and tell them what changes."""
    if workers is None:
        return service
    service.begin_workers = workers.begin
    workers.restored = actions.restored
    actions.trace = workers.traces.trace_for
    service.workers_counted = workers.supervisor.counted
    service.last_steps.append(workers.close)
    prepare = service.prepare_change

    def prepared(change: SettingsChange) -> Callable[[], object]:
        use = prepare(change)

        def apply() -> None:
            use()
            workers.settings_changed()

        return apply

    service.prepare_change = prepared
    if reload is not None:
        reload.changed = workers.certificates_changed
    return service


def _copies(certificates: LoadedCertificates) -> CertificateCopies:
    try:
        return certificates.copies or copy_certificates(certificates.tls.files)
    except CertificateError as error:
        raise CannotStart(f"--certificate: {error}") from None


def _plain(copies: CertificateCopies | None) -> tuple[Any, ...] | None:
    return None if copies is None else tuple(copies)


def _family(own: socket.socket) -> int:
    return int(own.family)


def _ban_values(ban: Ban) -> tuple[Any, ...]:
    until = None if ban.until == math.inf else ban.until
    return (str(ban.network), ban.reason, ban.since, until, ban.times)
