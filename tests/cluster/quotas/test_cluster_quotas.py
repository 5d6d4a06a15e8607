"""Quotas over several nodes: real files, and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

from ftpservice.storage.errors import Busy, QuotaExceeded, QuotaUnknown
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.wire.paths import VirtualPath
from tests.support.cluster import cluster_url, until
from tests.support.cluster_books import QuotaFleet, upload, wait
from tests.support.postgresql import PostgreSQL

LIMITS = QuotaLimits(100_000, 1000)


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    return cluster_url(postgresql)


@pytest.fixture(scope="module")
def restartable() -> Iterator[PostgreSQL]:
    """A server that a test may stop."""
    with PostgreSQL() as server:
        yield server


def used(root: Path) -> int:
    return sum(one.stat().st_size for one in root.rglob("*") if one.is_file())


@pytest_twisted.ensureDeferred
async def test_uploads_to_three_nodes_at_once_never_exceed_a_quota(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 3)
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        calls = [upload(storages[one % 3], f"/f{one}", 7_000) for one in range(30)]
        outcomes = await wait(*calls)
        refused = [one for one in outcomes if one is not None]
        assert all(isinstance(one, (QuotaExceeded, Busy)) for one in refused)  # under load
        assert used(tmp_path) == (30 - len(refused)) * 7_000 <= 100_000
        for number in range(40):  # small ones fill up what is left
            if used(tmp_path) >= 100_000:
                break
            await wait(*(upload(one, f"/{number}-{id(one)}", 1000) for one in storages))
        assert used(tmp_path) == 100_000
        kept = next(tmp_path.glob("f*")).name
        await storages[0].remove_file(VirtualPath.parse(f"/{kept}"))
        tree = next(iter(fleet.nodes[1].book.trees.values()))
        await until(lambda: tree.ledger.used()[0] == 93_000)
        assert await wait(upload(storages[1], "/again", 7_000)) == [None]
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_what_a_dead_node_has_reserved_is_room_for_others_after_its_timeout(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 2, seconds=1.0)
    first, second = fleet.nodes
    try:
        await fleet.joined()
        await upload(await first.storage(LIMITS), "/one", 10_000)
        fleet.nodes.remove(first)
        await first.die()
        storage = await second.storage(LIMITS)
        await until(lambda: second.cluster.status.nodes == 1)
        assert await wait(upload(storage, "/two", 90_000)) == [None]
        assert isinstance((await wait(upload(storage, "/three", 1)))[0], QuotaExceeded)
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_without_the_database_a_tree_may_shrink_and_not_grow(
    restartable: PostgreSQL, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(cluster_url(restartable), tmp_path, reactor, 2)
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        await upload(storages[0], "/one", 10_000)
        await upload(storages[1], "/two", 10_000)
        await deferToThread(restartable.stop)
        await until(lambda: all(node.cluster.status.problem for node in fleet.nodes))
        outcomes = await wait(*(upload(one, "/three", 1000) for one in storages))
        assert all(isinstance(one, QuotaUnknown) for one in outcomes), outcomes
        outcomes = await wait(*(upload(one, "/large", 200_000) for one in storages))
        assert used(tmp_path) == 20_000
        await storages[0].remove_file(VirtualPath.parse("/one"))
        assert await wait(upload(storages[0], "/other", 10_000)) == [None]
        await deferToThread(restartable.start)
        await until(lambda: all(node.cluster.is_connected for node in fleet.nodes))
        assert await wait(*(upload(one, f"/{id(one)}", 40_000) for one in storages)) == [None, None]
        outcomes = await wait(*(upload(one, f"/{id(one)}+", 1) for one in storages))
        assert all(isinstance(one, QuotaExceeded) for one in outcomes), outcomes
        assert used(tmp_path) == 100_000
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_count_during_changes_of_another_node_is_right(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        trees = [next(iter(node.book.trees.values())) for node in fleet.nodes]
        for number in range(10):
            call = storages[1].rename(VirtualPath.parse("/a"), VirtualPath.parse("/b"))
            await upload(storages[1], "/a", 5_000)
            outcomes = await wait(trees[0].count(), call, upload(storages[1], f"/c{number}", 3_000))
            assert outcomes == [None, None, None]
            for node, tree in [*zip(fleet.nodes, trees, strict=True)] * 2:
                await node.quotas.rooms.want(tree)
            assert [tree.ledger.used()[0] for tree in trees] == [used(tmp_path)] * 2
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_what_an_account_without_a_quota_adds_on_another_node_counts(
    url: str, tmp_path: Path, reactor
) -> None:
    (tmp_path / "ann").mkdir()
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    try:
        await fleet.joined()
        storage = await fleet.nodes[0].storage(LIMITS, top="/ann")
        await upload(storage, "/one", 10_000)
        await until(lambda: bool(fleet.nodes[1].book.trees))
        await upload(await fleet.nodes[1].storage(owner="admin"), "/ann/two", 60_000)
        tree = next(iter(fleet.nodes[0].book.trees.values()))
        await until(lambda: tree.ledger.used()[0] == 70_000)
        assert isinstance((await wait(upload(storage, "/three", 31_000)))[0], QuotaExceeded)
    finally:
        await fleet.close()
