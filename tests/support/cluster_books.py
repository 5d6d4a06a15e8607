"""Nodes of a cluster with quotas over the files below one directory, in the process of a test."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from ftpservice.backends.local.source import LocalSource
from ftpservice.cluster.cluster_database import ClusterDatabase
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.cluster_statements import NodeFacts
from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.cluster.quotas.cluster_quotas import ClusterQuotas
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, QuotaLimits
from ftpservice.storage.quota.ledgers.tree_record import LEASED_QUOTA_RECORD
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota.shared_quotas import SharedQuotas
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.wire.paths import VirtualPath
from tests.support.cluster import until

__all__ = ["SMALL_RECORD", "QuotaFleet", "QuotaNode", "upload", "wait"]

SMALL_RECORD = RecordLayout("quotas", LEASED_QUOTA_RECORD.fields, LEASED_QUOTA_RECORD.values, 128)


class QuotaNode:
    """A node whose sessions have files below ``root``."""

    def __init__(self, url: str, root: Path, reactor: Any, seconds: float = 6.0) -> None:
        facts = NodeFacts(secrets.token_hex(4), f"node-{secrets.token_hex(2)}", "1")
        database = ClusterDatabase(cluster_database_url(url), reactor)
        self.root = root
        self._reactor = reactor
        self.cluster = ClusterNode(database, facts, seconds)
        self._table = SharedTable.create([SMALL_RECORD], columns=1)
        shared = SharedQuotas.create(self._table, reactor)
        self.book = QuotaBook(reactor, 600, shared)
        self.quotas = ClusterQuotas(self.cluster, self.book, reactor)
        self.cluster.startService()

    async def storage(
        self, limits: QuotaLimits = NO_LIMITS, owner: str = "ann", top: str = "/"
    ) -> Any:
        """Return the storage of a session."""
        source = LocalSource(str(self.root), self._reactor, InlineRunner())
        inner = await source.storage(owner, VirtualPath.parse(top))
        place = ITreeUsage(inner).place
        account = QuotaAccount.of(inner, self.book, owner, place, limits)
        return MeteredStorage(account)

    async def stop(self) -> None:
        """Leave the cluster."""
        await self.cluster.close()
        self._release()

    async def die(self) -> None:
        """End without a word, as a killed process does."""
        self.cluster.before_leaving.clear()
        self.cluster._problem = "it is dead"
        await self.cluster.close()
        self._release()

    def _release(self) -> None:
        self.quotas.close()
        self.book.stop()
        assert self.book.shared is not None
        self.book.shared.close()
        self._table.close()


class QuotaFleet:
    """Nodes over the same files."""

    def __init__(self, url: str, root: Path, reactor: Any, count: int, seconds: float = 6.0):
        self.nodes = [QuotaNode(url, root, reactor, seconds) for _ in range(count)]

    async def joined(self) -> None:
        """Wait until each node knows of all others."""
        count = len(self.nodes)
        await until(lambda: all(node.cluster.status.nodes == count for node in self.nodes))
        await until(lambda: all(node.cluster.is_connected for node in self.nodes))

    async def close(self) -> None:
        """Stop everything."""
        for node in self.nodes:
            await node.stop()


async def upload(storage: Any, name: str, size: int, step: int = 1000) -> None:
    """Store a file, a part at a time."""
    writing = await storage.open_writing(
        VirtualPath.parse(name), WriteRequest(write_mode=WriteMode.REPLACE)
    )
    try:
        for begin in range(0, size, step):
            await writing.write(b"x" * min(step, size - begin))
    except BaseException:
        await writing.abandon()
        raise
    await writing.commit()


async def wait(*calls: Awaitable[Any]) -> list[Any]:
    """Carry out calls at the same time; returns what they return, or their errors."""

    async def outcome(call: Awaitable[Any]) -> Any:
        try:
            return await call
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    return list(await gatherResults([Deferred.fromCoroutine(outcome(call)) for call in calls]))
