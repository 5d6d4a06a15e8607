"""The node of a cluster that the settings ask for, and what it tells of the service."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftpservice import __version__
from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.activity.early_events import EarlyEvents
from ftpservice.activity.event_log import EventLog
from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.cluster.node_handover import IDENTITY, continue_node, node_identity
from ftpservice.events import BanLifted, Banned, EventStream, LoggedIn, LoginFailed
from ftpservice.service.cluster.node_actions import actions_over_nodes
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.settings import ServiceSettings
from ftpservice.session.shared.peer_requests import PeerRequests
from ftpservice.state_files.private_json import DocumentStore, LocalDocuments, PrivateJSON
from ftpservice.workers.handover import Handover

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.accounts.sql.database_url import DatabaseURL
    from ftpservice.cluster.cluster_node import ClusterNode

__all__ = [
    "cluster_for",
    "cluster_plan",
    "cluster_problem",
    "documents_for",
    "join_cluster",
    "refuse_unusable_database",
]

UPGRADE_TEXT = (
    "--cluster, --cluster-node: an upgrade cannot change them; restart the service for that"
)


def cluster_plan(settings: ServiceSettings) -> DatabaseURL | None:
    """Return the database of the cluster; None for no cluster. Raises `CannotStart`."""
    if settings.cluster is None:
        return None
    try:
        return cluster_database_url(settings.cluster)
    except ValueError as error:
        raise CannotStart(f"--cluster: {error}") from None


def refuse_unusable_database(settings: ServiceSettings) -> None:
    """Raise `CannotStart` if the database of the cluster cannot be used, now (blocks)."""
    reason = cluster_problem(settings)
    if reason is not None:
        raise CannotStart(f"--cluster: {reason}")


def cluster_problem(settings: ServiceSettings) -> str | None:
    """Connect to the database of the cluster (blocks); return why it cannot be used."""
    url = cluster_plan(settings)
    if url is None:
        return None
    from ftpservice.cluster.cluster_connection import ClusterConnection

    connection = ClusterConnection(url)
    try:
        connection.call(bool)
    except StoreUnavailable as error:
        return str(error)
    finally:
        connection.close()
    return None


def documents_for(settings: ServiceSettings) -> DocumentStore:
    """Return where files of the data directory are in force, for commands; raises `CannotStart`."""
    url = cluster_plan(settings)
    if url is None:
        return LocalDocuments()
    from ftpservice.cluster.documents.cluster_documents import ClusterDocuments

    return ClusterDocuments(url)


def cluster_for(
    settings: ServiceSettings, reactor: Any, handover: Handover | None = None
) -> ClusterNode | None:
    """Return the node, which has not joined yet; None for no cluster. Raises `CannotStart`.

    After a ``handover`` it is the node of the program before.
    """
    node = _new_node(settings, reactor, handover)
    if handover is not None:
        own, before = node_identity(node), handover.cluster
        if own != {key: before[key] for key in IDENTITY if key in before}:
            raise CannotStart(UPGRADE_TEXT)
        if node is not None and not handover.is_trial:
            continue_node(node, before)
    return node


def _new_node(
    settings: ServiceSettings, reactor: Any, handover: Handover | None
) -> ClusterNode | None:
    url = cluster_plan(settings)
    if url is None:
        return None
    from ftpservice.cluster.cluster_database import ClusterDatabase
    from ftpservice.cluster.cluster_node import ClusterNode
    from ftpservice.cluster.cluster_statements import NodeFacts
    from ftpservice.cluster.documents.cluster_documents import ClusterDocuments
    from ftpservice.cluster.last_share import SHARE_FILE as LAST_SHARE_FILE

    run = secrets.token_hex(8)
    if handover is not None:
        run = handover.cluster.get("run", run)
    facts = NodeFacts(run, settings.node_name, __version__)
    node = ClusterNode(ClusterDatabase(url, reactor), facts, settings.cluster_timeout)
    node.wait_seconds = settings.cluster_wait
    if settings.data_dir is not None:
        node.share_path = Path(settings.data_dir, LAST_SHARE_FILE)
        node.documents = ClusterDocuments(url)
    return node


def join_cluster(
    node: ClusterNode,
    service: Any,
    actions: Any,
    peers: PeerRequests | None,
) -> ClusterNode:
    """Have a node tell of ``service``, and leave at its end; returns the node, to be started.

    Other nodes carry out the ``actions`` of administrators, too. ``peers`` are asked by workers,
    if there are some.
    """
    from ftpservice.cluster.cluster_bans import ClusterBans
    from ftpservice.cluster.cluster_statements import NodeState
    from ftpservice.cluster.failed_logins import FailedLoginExchange
    from ftpservice.cluster.quotas.cluster_quotas import ClusterQuotas
    from ftpservice.cluster.quotas.quotas_of_workers import QuotasOfWorkers

    factory = service.parts.factory

    def state() -> NodeState:
        health = "ready" if factory.session_refusal is None else "draining"
        if service.is_stopping:
            health = "stopping"
        return NodeState(len(factory.sessions), health)

    events = factory.event_sink.events
    events.subscribe(ClusterBans(node, factory.bans, time.time), Banned, BanLifted)
    failures = FailedLoginExchange(
        node, factory.shared_state.login_attempts, factory.bans, factory.reactor
    )
    events.subscribe(failures, LoginFailed, LoggedIn)
    book = factory.portal.realm.quotas
    quotas = ClusterQuotas(node, book, factory.reactor)
    if peers is not None:
        QuotasOfWorkers(quotas, book, peers)
    node.state = state
    service.first_steps.append(lambda: node.joined)
    exchanges = _share_documents(node, service)
    actions.over_nodes = partial(actions_over_nodes, node, clock=factory.reactor)
    _join_feeds(node, actions, events)
    service.last_steps += [failures.close, node.close, quotas.close, *exchanges]
    return node


def _share_documents(node: ClusterNode, service: Any) -> Iterator[Callable[[], object]]:
    """Have the files of a node be in step with those of others; yield what ends that."""
    from ftpservice.cluster.documents.cluster_documents import ClusterDocuments
    from ftpservice.cluster.documents.document_exchange import DocumentExchange

    documents, path = node.documents, node.share_path
    if not isinstance(documents, ClusterDocuments) or path is None:
        return
    exchange = DocumentExchange(node, documents, _common_files(path.parent, documents))
    service.first_steps.append(lambda: exchange.ready)
    yield exchange.close


def _common_files(directory: Path, documents: DocumentStore) -> list[PrivateJSON]:
    """Return what the nodes have in common of their data directories."""
    from ftpservice.accounts.second_factors.factor_file import FACTOR_FILE, FactorFile
    from ftpservice.accounts.stores.removed_accounts import REMOVED_FILE, RemovedAccounts
    from ftpservice.web.access.token_file import TOKEN_FILE, TokenFile
    from ftpservice.web.shares.share_file import SHARE_FILE, ShareFile

    return [
        FactorFile(directory / FACTOR_FILE, documents).file,
        TokenFile(directory / TOKEN_FILE, time.time, documents).file,
        ShareFile(directory / SHARE_FILE, time.time, documents).file,
        RemovedAccounts(directory / REMOVED_FILE, documents=documents).file,
    ]


def _join_feeds(node: ClusterNode, actions: Any, events: EventStream) -> None:
    """Have a node follow feeds of the others, and send its own."""
    from ftpservice.activity.live.node_sessions import NodeSessions
    from ftpservice.cluster.feeds.followed_feeds import FollowedFeeds
    from ftpservice.cluster.feeds.sent_feeds import SentFeeds
    from ftpservice.service.cluster.node_feeds import NodeFeeds

    early = EarlyEvents(events, EventLog.kinds)

    def log(request: Mapping[str, Any]) -> Any:
        """Return the events, from the start of this node on if nobody could ask before."""
        feed = actions.feeds["log"](request)
        feed.earlier = tuple(early.kept)
        return feed

    def who() -> Any:
        return actions.spread["who"]({"everywhere": True})

    sent = {"log": log, "trace": actions.feeds["trace"], "live": actions.live_feed}
    SentFeeds(node, sent, early.end)
    feeds = NodeFeeds(node, FollowedFeeds(node), who, time.time)
    actions.feeds_over_nodes = feeds.spread
    actions.nodes = NodeSessions(node.facts.name, feeds.follow("live", {}), node.reactor)
