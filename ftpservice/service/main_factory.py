"""The factory of a main process: what it does to all sessions, its workers do to theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.internet.tcp import Port
from twisted.logger import Logger

from ftpservice.cluster.cluster_rates import ClusterRateLimiters, NodeRateLink
from ftpservice.cluster.rates_of_workers import RatesOfWorkers
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.control.factory import FTPFactory
from ftpservice.net.accepted_tcp import BACKLOG
from ftpservice.service.cluster.cluster_setup import cluster_for
from ftpservice.service.sessions.listeners import Listener
from ftpservice.service.sessions.worker_memory import table_for
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.options import ServiceOptions
from ftpservice.session.services import EventSink
from ftpservice.session.shared.asked_session_limits import LimitsOfWorkers
from ftpservice.session.shared.peer_requests import PeerRequests
from ftpservice.session.shared.shared_state import LocalState
from ftpservice.session.shared.table_state import TableState
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.tree_record import LEASED_QUOTA_RECORD
from ftpservice.storage.quota.shared_quotas import SharedQuotas
from ftpservice.workers.supervisor import Supervisor

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.cluster_node import ClusterNode

__all__ = [
    "HeldPort",
    "MainFactory",
    "NodeFactory",
    "cluster_of",
    "end_others",
    "hand_over_workers",
    "hold_port",
    "session_factory_for",
]

log = Logger("ftpservice.workers")


class MainFactory(FTPFactory):
    """The sessions of the main process are those of HTTP; those of workers are in ``sessions``."""

    supervisor: Supervisor | None = None
    table: SharedTable
    """What all processes count together."""
    peers: PeerRequests
    """What this process and others ask each other."""
    leaves_workers = False
    """Whether the workers go on when this process stops: another program takes its place."""
    cluster: ClusterNode | None = None
    """The node of a cluster that the processes are, if they are one."""
    places: LimitsOfWorkers | None = None
    """In a cluster, what the workers ask for places for sessions."""
    _refusal: str | None = None

    @property
    def session_refusal(self) -> str | None:
        """Why new sessions are refused; None if they are accepted."""
        return self._refusal

    @session_refusal.setter
    def session_refusal(self, reason: str | None) -> None:
        self._refusal = reason
        self._tell("refuse", reason)

    @property
    def _ended_workers(self) -> Supervisor | None:
        """Those that end with this process, if there are some."""
        return None if self.leaves_workers else self.supervisor

    def _tell(self, name: str, *values: Any) -> None:
        if self._ended_workers is not None:
            self._ended_workers.broadcast(name, *values)

    @property
    def working_count(self) -> int:
        """The number of sessions that carry out a command, after all have to finish."""
        workers = self._ended_workers
        return super().working_count + (workers.working if workers is not None else 0)

    def finish_and_disconnect_all(self, reason: str) -> None:
        """End every session with 421, after its transfer if it has one; refuse new ones."""
        super().finish_and_disconnect_all(reason)
        if self._ended_workers is not None:
            for worker in self._ended_workers.workers:
                worker.finish(reason)

    def disconnect_all(self, reason: str) -> None:
        """End every session with 421; transfers are aborted."""
        super().disconnect_all(reason)
        self._tell("disconnect_all", reason)

    def disconnect_where(self, reason: str, user: str | None, network: str | None) -> None:
        """End the sessions of an account or of a network, also those that are not known here yet.

        The events of a session arrive a moment after it has begun.
        """
        super().disconnect_where(reason, user, network)
        self._tell("disconnect_where", reason, user, network)

    def abort_all(self) -> None:
        """Abort the connection of every session."""
        super().abort_all()
        self._tell("abort_all")

    def stopFactory(self) -> None:
        """Have the workers accept no more connections; their transfers may need the shared port."""
        if self._ended_workers is not None:
            self._ended_workers.replaces = False
        self._tell("close")
        shared_port, self.shared_port = self.shared_port, None
        super().stopFactory()
        self.shared_port = shared_port

    def pass_on(self, source: int, column: int, message: tuple[Any, ...]) -> None:
        """Pass a message of the process of a column, 0 for this one, to that of another."""
        if column == 0:
            self.peers.received(source, message)
        elif not self._send_to(column, "peer", source, message):
            self._tell_gone(source, column)

    def process_ended(self, column: int) -> None:
        """Give back what a worker has held that has ended."""
        quotas = self.portal.realm.quotas
        steps = [] if quotas is None else [quotas.process_ended]
        if self.places is not None:
            steps.append(self.places.ended)
        for step in (*steps, self.table.clear_column):
            try:
                step(column)
            except Exception:  # noqa: BLE001 - another worker has to start whatever fails
                log.failure("not all was given back of a worker that has ended")
        self.peers.gone(column)
        if self.supervisor is not None:
            self.supervisor.broadcast("gone", column)

    def _send_to(self, column: int, name: str, *values: Any) -> bool:
        """Send a message to the worker of a column; return whether there is one."""
        for worker in () if self.supervisor is None else self.supervisor.workers:
            if worker.column.number == column and worker.is_ready:
                worker.send(name, *values)
                return True
        return False

    def _tell_gone(self, source: int, column: int) -> None:
        if source == 0:
            self.peers.gone(column)
        else:
            self._send_to(source, "gone", column)

    async def release_resources(self) -> None:
        """End the workers, and stop the threads of this process."""
        if self._ended_workers is not None:
            await self._ended_workers.stop()
        await super().release_resources()


def end_others(factory: MainFactory, going_on: Iterable[int]) -> list[int]:
    """Give back what processes held that are not there any more; return their columns.

    Those of a program before this one that ended while it was replaced are known to nobody.
    """
    ended = sorted(factory.table.claimed_columns - {0, *going_on})
    for column in ended:
        factory.process_ended(column)
    return ended


def hand_over_workers(factory: MainFactory) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Answer the workers no more; return what adds to the facts of one of them what it holds.

    That is its places for sessions, and what it has asked: the next program answers that.
    """
    factory.peers.hold()
    held = {} if factory.places is None else factory.places.hand_over()

    def complete(facts: Mapping[str, Any]) -> dict[str, Any]:
        column = facts["column"]
        asked = factory.peers.unanswered(column)
        return {**facts, "places": held.get(column, []), "asked": asked}

    return complete


class NodeFactory(FTPFactory):
    """The sessions of a node, which counts them together with the others of its cluster."""

    cluster: ClusterNode
    table: SharedTable
    """What accounts use, as the cluster knows it."""
    quotas: SharedQuotas


class HeldPort(ServerFactory):
    """The factory of a port whose connections the workers accept."""

    noisy = False

    def __init__(self, sessions: FTPFactory) -> None:
        self._sessions = sessions

    def buildProtocol(self, _addr: IAddress | None) -> None:
        """Refuse a connection: the port is not read."""

    def doStart(self) -> None:
        """Count this port among those of the sessions."""
        self._sessions.doStart()

    def doStop(self) -> None:
        """Stop to count this port."""
        self._sessions.doStop()


def session_factory_for(
    options: ServiceOptions, portal: Portal, sink: EventSink, reactor: Any
) -> FTPFactory:
    """Return the factory of sessions: of this process alone, or of the main one of several."""
    settings = options.settings
    cluster = cluster_for(settings, reactor, options.handover)
    if settings.workers > 1:
        return _main_factory(options, portal, sink, reactor, cluster)
    if cluster is None:
        return FTPFactory(portal, reactor, settings.session, event_sink=sink)
    state = LocalState(reactor)
    _count_in_cluster(state, cluster, reactor)
    node = NodeFactory(portal, reactor, settings.session, state, sink)
    node.cluster = cluster
    node.table = SharedTable.create((LEASED_QUOTA_RECORD,), 1)
    node.quotas = SharedQuotas.create(node.table, reactor)
    realm: Any = portal.realm
    realm.quotas = QuotaBook(reactor, settings.quota_recount, node.quotas)
    return node


def _count_in_cluster(state: LocalState, cluster: ClusterNode, reactor: Any) -> ClusterRateLimiters:
    """Have the sessions of this process be counted with those of other nodes."""
    state.session_limits = cluster.limits
    state.rate_limiters = rates = ClusterRateLimiters(NodeRateLink(cluster), reactor)
    cluster.receivers.append(rates.received)
    return rates


def _main_factory(
    options: ServiceOptions,
    portal: Portal,
    sink: EventSink,
    reactor: Any,
    cluster: ClusterNode | None,
) -> MainFactory:
    settings = options.settings
    table = table_for(settings.workers, options.handover, is_leased=cluster is not None)
    shared = TableState(table, reactor, lambda column, message: factory.pass_on(0, column, message))
    rates = None if cluster is None else _count_in_cluster(shared, cluster, reactor)
    factory = MainFactory(portal, reactor, settings.session, event_sink=sink, shared_state=shared)
    factory.table, factory.peers, factory.cluster = table, shared.peers, cluster
    if cluster is not None and rates is not None:
        columns = partial(_columns, factory)
        factory.places = LimitsOfWorkers(cluster.limits, shared.peers, columns)
        for one in () if options.handover is None else options.handover.workers:
            factory.places.take_over(one["column"], one.get("places", ()))
        cluster.displace_in_worker = factory.places.displace
        RatesOfWorkers(cluster, rates, shared.peers, columns)
    return factory


def _columns(factory: MainFactory) -> list[int]:
    """Return the columns of the workers that serve."""
    workers = () if factory.supervisor is None else factory.supervisor.workers
    return [worker.column.number for worker in workers if worker.is_ready]


def cluster_of(factory: FTPFactory) -> ClusterNode | None:
    """Return the node of a cluster that a service is; None without a cluster."""
    return factory.cluster if isinstance(factory, MainFactory | NodeFactory) else None


def hold_port(listener: Listener, port: IListeningPort) -> Port:
    """Have a bound port accept nothing here; raises `CannotStart` for one that is no socket."""
    if not isinstance(port, Port):
        raise CannotStart(
            f"--{listener.option} {listener.text}: several workers need tcp:, tcp6:, unix: or "
            "systemd: here"
        )
    port.stopReading()
    if port.backlog == Port.backlog:  # none was given
        port.socket.listen(BACKLOG)
    return port
