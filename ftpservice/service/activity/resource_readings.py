"""The metrics of pools, quotas, journal, hooks and gates, read from the parts themselves.

Called in the reactor's thread for each request of Prometheus, so it walks nothing but the quotas in
use. Labels are names of the settings, of the code, and of the few accounts with a quota nearly
full.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from ftpservice.accounts.defence.networks import Network
from ftpservice.activity.hooks.hook_service import HookService
from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.activity.metrics.metric_reading import Reading
from ftpservice.activity.otel.span_feed import SpanFeed
from ftpservice.backends.gates.run_record import RunRecord
from ftpservice.concurrency.thread_pool import pool_loads
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.workers.supervisor import Supervisor

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.cluster_node import ClusterNode

__all__ = ["MetricSources", "resource_readings"]

FILLED_RATIOS = (0.8, 0.95, 1.0)
MAX_NAMED_ACCOUNTS = 20


@dataclass
class MetricSources:
    """The parts that are read."""

    quotas: QuotaBook | None
    journal: JournalService | None
    hooks: HookService
    spans: SpanFeed | None = None
    directories: Sequence[str] = ()
    """Whose space is read."""
    supervisor: Supervisor | None = None
    """Where there are several processes."""
    cluster: ClusterNode | None = None
    """The node of a cluster that the service is."""
    seconds: Callable[[], float] = time.monotonic
    """The time of the reactor."""
    readers: Sequence[Network] = ()
    """Other machines that may read the metrics."""
    most_lost: int = 0
    """Lost events of the journal so far; a counter must not fall."""


def resource_readings(sources: MetricSources) -> Iterator[Reading]:
    """Yield the readings."""
    yield from _pools(sources.supervisor)
    if sources.supervisor is not None:
        yield from _workers(sources.supervisor)
    if sources.quotas is not None:
        yield from _quotas(sources.quotas)
    if sources.journal is not None:
        yield from _journal(sources, sources.journal)
    if sources.cluster is not None:
        yield from _cluster(sources.cluster, sources.seconds())
    yield from _hooks(sources.hooks)
    if (spans := sources.spans) is not None:
        yield Reading(
            *("otel_spans", "Spans for OpenTelemetry by what became of them."),
            ("outcome",),
            {
                ("exported",): spans.exported,
                ("lost",): spans.lost,
                ("left out",): spans.left_out,
            },
            is_counter=True,
        )


def _pools(supervisor: Supervisor | None) -> Iterator[Reading]:
    """Yield the readings of the pools of all processes, added by their names."""
    loads: dict[str, list[int]] = {
        name: [load.threads, load.running, load.waiting, load.refused]
        for name, load in pool_loads().items()
    }
    for worker in () if supervisor is None else supervisor.workers:
        for name, values in worker.watch.state.get("pools", {}).items():
            so_far = loads.get(name, [0, 0, 0, 0])
            loads[name] = [one + other for one, other in zip(so_far, values, strict=True)]
    named = sorted(loads.items())
    calls: dict[tuple[str, ...], float] = {}
    calls |= {(name, "running"): float(load[1]) for name, load in named}
    calls |= {(name, "waiting"): float(load[2]) for name, load in named}
    yield Reading.by(
        *("pool", "pool_threads", "Threads of a pool."), ((name, load[0]) for name, load in named)
    )
    yield Reading(
        *("pool_calls", "Calls in a pool: with a thread, or waiting for one."),
        ("pool", "state"),
        calls,
    )
    yield Reading(
        *("pool_calls_refused", "Calls that were refused because a pool had too many."),
        ("pool",),
        {(name,): load[3] for name, load in named},
        is_counter=True,
    )


def _workers(supervisor: Supervisor) -> Iterator[Reading]:
    """Yield the readings of the worker processes; a label is the place of a worker."""
    ready = [one for one in supervisor.workers if one.is_ready]
    yield Reading.of("workers", "Worker processes that accept connections.", len(ready))
    restarts = "Worker processes that were started in place of others."
    yield Reading.of("worker_restarts", restarts, supervisor.restarts, is_counter=True)
    yield Reading.by(
        *("worker", "worker_sessions", "Sessions of a worker process."),
        ((str(one.column.number), one.column.sessions) for one in ready),
    )
    lag = "Delay of the last timed call of a worker process, or of one that is still due."
    yield Reading.by(
        *("worker", "worker_reactor_lag_seconds", lag),
        ((str(one.column.number), one.watch.lag) for one in ready),
    )


def _quotas(book: QuotaBook) -> Iterator[Reading]:
    used = limit = 0
    filled: dict[str, float] = {}
    for tree in book.counted():
        in_use = tree.ledger.used()
        for account, limits in tree.limits.items():
            filled[account] = max(filled.get(account, 0.0), _filled(in_use, limits))
            if limits.size is not None:
                used, limit = used + max(0, in_use[0]), limit + limits.size
    yield Reading.of("quota_accounts", "Accounts with a quota, in use lately.", len(filled))
    yield Reading.by(
        *("ratio", "quota_accounts_filled", "Accounts that use this part of a quota or more."),
        ((f"{one:g}", sum(part >= one for part in filled.values())) for one in FILLED_RATIOS),
    )
    yield Reading.of("quota_used_bytes", "Bytes in use by accounts with a quota in bytes.", used)
    yield Reading.of("quota_limit_bytes", "The quotas of these accounts.", limit)
    nearly_full = ((name, part) for name, part in filled.items() if part >= FILLED_RATIOS[0])
    yield Reading.by(
        *("account", "quota_used_ratio", "Part of its quota that an account uses, from 0.8 on."),
        nlargest(MAX_NAMED_ACCOUNTS, nearly_full, key=lambda one: one[1]),
    )


def _filled(in_use: tuple[int, int], limits: QuotaLimits) -> float:
    """Return the part of a quota that is used, of bytes or files."""
    parts = [0.0]
    for used, limit in zip(in_use, (limits.size, limits.files), strict=True):
        if limit is not None:
            parts.append(max(0, used) / limit if limit else 1.0)
    return max(parts)


def _journal(sources: MetricSources, journal: JournalService) -> Iterator[Reading]:
    status = journal.status
    sources.most_lost = max(sources.most_lost, status.lost)
    texts = {
        "journal_waiting_bytes": "Bytes in the spool that are not in the database.",
        "journal_spool_bytes": "Size of the spool.",
        "journal_problem": "Whether spool or database did not take the last rows.",
    }
    values = (status.waiting, status.spool_bytes, bool(status.problem))
    for (name, text), value in zip(texts.items(), values, strict=True):
        yield Reading.of(name, text, value)
    rows = "Rows that were written into the database."
    yield Reading.of("journal_rows", rows, status.rows, is_counter=True)
    lost = "Events that have no row of their own."
    yield Reading.of("journal_lost_events", lost, sources.most_lost, is_counter=True)


def _cluster(node: ClusterNode, now: float) -> Iterator[Reading]:
    status, places = node.status, node.limits.leases.in_use()
    nodes = "Nodes of the cluster that were alive when its database answered last."
    yield Reading.of("cluster_nodes", nodes, status.nodes)
    connected = "Whether the database of the cluster answers."
    yield Reading.of("cluster_connected", connected, not status.problem)
    age = "Time since the last heartbeat of this node that was answered."
    yield Reading.of("cluster_lease_age_seconds", age, max(0.0, now - node.answered_at))
    held = "Places for sessions that this node holds, by limit: all, address, user."
    yield Reading.by("limit", "cluster_places", held, ((k, one[0]) for k, one in places.items()))
    used = "Places for sessions that this node uses."
    yield Reading.by(
        "limit", "cluster_places_used", used, ((k, one[1]) for k, one in places.items())
    )


def _hooks(hooks: HookService) -> Iterator[Reading]:
    ways: list[Any] = hooks.ways
    yield Reading.by(
        *("hook", "hook_pending", "Events that wait for a hook, or of which it is being told."),
        ((way.record.name, way.pending) for way in ways),
    )
    records = [way.record for way in ways]
    yield from _records("hook", ("hook_events", "Events by what became of them."), records)
    gates = [rule.record for rule in hooks.gates]
    yield from _records("gate", ("gate_answers", "Answers of a gate."), gates)


def _records(
    label: str, counted: tuple[str, str], records: Iterable[RunRecord]
) -> Iterator[Reading]:
    records = tuple(records)
    yield Reading(
        *counted,
        (label, "outcome"),
        {(one.name, outcome): n for one in records for outcome, n in one.counts.items()},
        is_counter=True,
    )
    yield Reading(
        *(f"{label}_run_seconds", "Duration of all runs."),
        (label,),
        {(one.name,): one.seconds for one in records},
        is_counter=True,
    )
