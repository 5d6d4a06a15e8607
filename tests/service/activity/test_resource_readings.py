"""What is read of pools, quotas, journal, hooks and gates for the metrics."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.task import Clock

from ftpservice.activity.hooks.hook_service import HookService
from ftpservice.activity.journal.journal_service import JournalStatus
from ftpservice.backends.gates.run_record import HOOK_OUTCOMES, HookRun, RunRecord
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.service.activity.resource_readings import (
    MAX_NAMED_ACCOUNTS,
    MetricSources,
    resource_readings,
)
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.testing.contract.case import create_file
from tests.support.random_changes import run


def values(sources):
    return {
        (one.name, *key): value
        for one in resource_readings(sources)
        for key, value in one.values.items()
    }


def sources(quotas=None, journal=None, ways=()):
    hooks = HookService([], Clock())
    hooks._hooks = [SimpleNamespace(way=way) for way in ways]
    return MetricSources(quotas, journal, hooks)


def with_files(book, name, limits, size):
    """Use a quota of bytes or files: ``size`` bytes in one file."""
    storage = MemoryStorage(MemoryTree(), name)
    account = QuotaAccount.of(storage, book, name, ITreeUsage(storage).place, limits)
    run(create_file(MeteredStorage(account), "/a", b"x" * size))
    return storage  # the ledger does not keep it


def test_quotas_are_told_in_sums_and_names_only_where_they_are_nearly_full():
    book = QuotaBook(Clock())
    kept = [
        with_files(book, "half", QuotaLimits(1000), 500),
        with_files(book, "nearly", QuotaLimits(1000), 960),
        with_files(book, "files", QuotaLimits(None, 1), 960),
        with_files(book, "both", QuotaLimits(1000, 1), 100),
    ]
    found = values(sources(book))
    book.stop()
    assert len(kept) == 4
    assert found["quota_accounts",] == 4
    assert found["quota_used_bytes",] == 1560
    assert found["quota_limit_bytes",] == 3000
    filled = {key[1]: value for key, value in found.items() if key[0] == "quota_accounts_filled"}
    assert filled == {"0.8": 3, "0.95": 3, "1": 2}
    named = {key[1]: value for key, value in found.items() if key[0] == "quota_used_ratio"}
    assert named == {"nearly": 0.96, "files": 1.0, "both": 1.0}


def test_the_named_accounts_are_bounded():
    book = QuotaBook(Clock())
    kept = [
        with_files(book, f"user{n}", QuotaLimits(100), 80 + n % 20)
        for n in range(MAX_NAMED_ACCOUNTS + 10)
    ]
    found = values(sources(book))
    book.stop()
    assert found["quota_accounts",] == len(kept)
    named = [value for key, value in found.items() if key[0] == "quota_used_ratio"]
    assert len(named) == MAX_NAMED_ACCOUNTS
    assert min(named) >= 0.85


def test_the_journal_is_told_and_its_losses_never_fall():
    journal = SimpleNamespace(status=JournalStatus("a", 10, 20, 30, 4, "disk full"))
    source = sources(journal=journal)
    found = values(source)
    names = ("waiting_bytes", "spool_bytes", "rows", "lost_events", "problem")
    assert [found[f"journal_{name}",] for name in names] == [10, 20, 30, 4, 1]
    journal.status = JournalStatus("a", 0, 0, 30, 0, "")
    assert values(source)["journal_lost_events",] == 4
    assert values(source)["journal_problem",] == 0


def test_hooks_and_gates_are_told_by_outcome():
    record = RunRecord("tell", HOOK_OUTCOMES)
    record.add(HookRun("hook", "tell", "upload", "", "", 1.0, 2.5, "failed"))
    record.count("dropped", 3)
    source = sources(ways=[SimpleNamespace(record=record, pending=7)])
    source.hooks.gates = [SimpleNamespace(record=RunRecord("scan", ("accepted", "refused")))]
    found = values(source)
    assert found["hook_pending", "tell"] == 7
    assert found["hook_events", "tell", "failed"] == 1
    assert found["hook_events", "tell", "dropped"] == 3
    assert found["hook_events", "tell", "delivered"] == 0
    assert found["hook_run_seconds", "tell"] == 2.5
    assert found["gate_answers", "scan", "refused"] == 0


def test_a_node_of_a_cluster_tells_what_it_holds_and_since_when():
    source = sources()
    leases = SimpleNamespace(in_use=lambda: {"user": (64, 3)})
    source.cluster = SimpleNamespace(
        status=SimpleNamespace(nodes=3, problem=""),
        limits=SimpleNamespace(leases=leases),
        answered_at=10.0,
    )
    source.seconds = lambda: 12.5
    found = values(source)
    assert (found["cluster_nodes",], found["cluster_connected",]) == (3, 1)
    assert found["cluster_lease_age_seconds",] == 2.5
    assert (found["cluster_places", "user"], found["cluster_places_used", "user"]) == (64, 3)
    source.cluster.status.problem = "it does not answer"
    assert values(source)["cluster_connected",] == 0
