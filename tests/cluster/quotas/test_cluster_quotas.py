"""Quotas over several nodes: real files, and a real PostgreSQL."""

from __future__ import annotations

import gc
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from ftpservice.cluster.cluster_listener import call_each
from ftpservice.cluster.cluster_statements import NodeFacts, NodeState, beat
from ftpservice.cluster.quotas import common_counts
from ftpservice.cluster.quotas.quota_statements import RoomClaim, set_count, take_rooms
from ftpservice.cluster.quotas.tree_exchange import CHANGED
from ftpservice.storage.errors import Busy, QuotaExceeded, QuotaUnknown
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.storage.quota.counted_tree import COUNT_TIMEOUT_SECONDS
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.wire.paths import VirtualPath
from tests.support.cluster import cluster_url, until
from tests.support.cluster_books import QuotaFleet, QuotaNode, upload, wait
from tests.support.postgresql import PASSWORD, PostgreSQL

LIMITS = QuotaLimits(100_000, 1000)


async def stored(node: QuotaNode, storage: Any, name: str, size: int) -> Exception | None:
    """Store a file, again if the database was late; return why it was refused, or None."""
    while True:
        await until(lambda: node.quotas.rooms.is_connected)
        (outcome,) = await wait(upload(storage, name, size))
        if not isinstance(outcome, Busy):
            return cast("Exception | None", outcome)


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
        assert await stored(fleet.nodes[1], storages[1], "/again", 7_000) is None
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_what_a_dead_node_has_reserved_is_room_for_others_after_its_timeout(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 2, seconds=2.0)
    first, second = fleet.nodes
    try:
        await fleet.joined()
        assert await stored(first, await first.storage(LIMITS), "/one", 10_000) is None
        fleet.nodes.remove(first)
        await first.die()
        storage = await second.storage(LIMITS)
        await until(lambda: second.cluster.status.nodes == 1)
        assert await stored(second, storage, "/two", 90_000) is None
        assert isinstance(await stored(second, storage, "/three", 1), QuotaExceeded)
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_what_is_reserved_for_a_node_is_not_used_once_it_cannot_ask_its_cluster(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 2, seconds=2.0)
    first, second = fleet.nodes
    replacing = WriteRequest(write_mode=WriteMode.REPLACE)
    announced = WriteRequest(write_mode=WriteMode.REPLACE, announced=50_000)
    try:
        await fleet.joined()
        storage = await first.storage(LIMITS)
        assert await stored(first, storage, "/old", 5_000) is None
        growing = await storage.open_writing(VirtualPath.parse("/new"), announced)
        await growing.write(bytes(10_000))
        replaced = await storage.open_writing(VirtualPath.parse("/old"), replacing)
        ended = await storage.open_writing(VirtualPath.parse("/ended"), replacing)
        await ended.write(bytes(1_000))
        first.book.directory.cut_off()
        with pytest.raises(QuotaUnknown, match="has ended"):
            await growing.write(b"x")
        await growing.abandon()
        await replaced.write(bytes(5_000))  # not more than there was
        with pytest.raises(QuotaUnknown):
            await replaced.write(b"x")
        await replaced.abandon()
        await ended.commit()
        for refused in (upload(storage, "/other", 1), storage.make_directory(VirtualPath(("d",)))):
            assert [type(one) for one in await wait(refused)] == [QuotaUnknown]
        there = sum(one.stat().st_size for one in tmp_path.rglob("*"))
        assert there == 5_000 + 10_000 + 5_000 + 1_000  # also what is kept to be resumed
        fleet.nodes.remove(first)
        await first.die()
        storage = await second.storage(LIMITS)
        await until(lambda: second.cluster.status.nodes == 1)
        assert await stored(second, storage, "/two", 100_000 - there) is None
        assert isinstance(await stored(second, storage, "/three", 1), QuotaExceeded)
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
        assert await stored(fleet.nodes[0], storages[0], "/one", 10_000) is None
        assert await stored(fleet.nodes[1], storages[1], "/two", 10_000) is None
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
        both = list(zip(fleet.nodes, storages, strict=True))
        calls = (stored(*one, f"/{number}", 40_000) for number, one in enumerate(both))
        assert await wait(*calls) == [None, None]
        outcomes = await wait(*(stored(*one, "/more", 1) for one in both))
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
        assert await stored(fleet.nodes[0], storage, "/one", 10_000) is None
        await until(lambda: bool(fleet.nodes[1].book.trees))
        await upload(await fleet.nodes[1].storage(owner="admin"), "/ann/two", 60_000)
        tree = next(iter(fleet.nodes[0].book.trees.values()))
        await until(lambda: tree.ledger.used()[0] == 70_000)
        refused = await stored(fleet.nodes[0], storage, "/three", 31_000)
        assert isinstance(refused, QuotaExceeded)
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_uploads_to_one_name_on_two_nodes_leave_one_whole_file_and_the_right_use(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        for size in (4_000, 9_000, 2_000):
            both = zip(fleet.nodes, storages, strict=True)
            calls = (stored(*one, "/same", size + 7 * n) for n, one in enumerate(both))
            assert await wait(*calls) == [None, None]
            assert used(tmp_path) in (size, size + 7)
        tree = next(iter(fleet.nodes[0].book.trees.values()))
        await tree.count()
        for node in (*fleet.nodes, *fleet.nodes):
            tree = next(iter(node.book.trees.values()))
            await node.quotas.rooms.want(tree)
        assert tree.ledger.used()[0] == used(tmp_path)
        assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["same"]
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_node_that_ends_during_the_count_of_another_one_leaves_no_change_waiting(
    url: str, tmp_path: Path, reactor
) -> None:
    """Its workers may go on with the same numbers, under another program."""
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        await upload(storages[0], "/one", 1000)
        trees = [next(iter(node.book.trees.values())) for node in fleet.nodes]
        for tree in trees:
            await tree.count()
        leased = fleet.nodes[1].quotas.rooms.of(trees[1])
        assert await fleet.nodes[1].quotas.counts.begins(leased, is_exclusive=True) is not None
        assert trees[0].counts.is_exclusive
        fleet.nodes[0].quotas.rooms.of(trees[0]).number += 1000  # as after a crash of the database
        fleet.nodes[0].quotas.counts.include_all()
        assert not trees[0].counts.is_exclusive
    finally:
        await fleet.close()


@pytest.mark.parametrize("lost", ["messages", "database"])
@pytest_twisted.ensureDeferred
async def test_changes_do_not_wait_for_a_count_whose_end_may_be_lost(
    restartable: PostgreSQL, tmp_path: Path, reactor, lost: str
) -> None:
    """A node that lets them wait is cut off from its database, or only its messages are."""
    fleet = QuotaFleet(cluster_url(restartable), tmp_path, reactor, 2)
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        assert await stored(fleet.nodes[0], storages[0], "/one", 1000) is None
        trees = [next(iter(node.book.trees.values())) for node in fleet.nodes]
        for tree in trees:
            await tree.count()
        leased = fleet.nodes[1].quotas.rooms.of(trees[1])
        assert await fleet.nodes[1].quotas.counts.begins(leased, is_exclusive=True) is not None
        removal = Deferred.fromCoroutine(storages[0].remove_file(VirtualPath.parse("/one")))
        assert trees[0].counts.is_exclusive and not removal.called
        began = reactor.seconds()
        if lost == "messages":
            call_each(fleet.nodes[0].cluster.when_connected)
        else:
            await deferToThread(restartable.stop)
            await until(lambda: fleet.nodes[0].cluster.status.problem)
        await removal
        assert reactor.seconds() - began < COUNT_TIMEOUT_SECONDS / 2
        assert used(tmp_path) == 0
    finally:
        if lost == "database":
            await deferToThread(restartable.start)
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_the_end_of_a_count_lets_changes_wait_for_that_of_another_node(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 3)
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        await upload(storages[0], "/one", 1000)
        trees = [next(iter(node.book.trees.values())) for node in fleet.nodes]
        for tree in trees:
            await tree.count()
        counts = [
            (node.quotas.counts, node.quotas.rooms.of(tree))
            for node, tree in zip(fleet.nodes[1:], trees[1:], strict=True)
        ]
        begun = [await one.begins(leased, is_exclusive=True) for one, leased in counts]
        for (one, leased), number in zip(counts, begun, strict=True):
            assert number is not None
            assert trees[0].counts.is_exclusive
            assert await one.ends(leased, number)
        assert not trees[0].counts.is_exclusive
        for one, _leased in counts:  # neither was recorded
            assert len(one._ended) == 1
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_count_that_is_given_up_before_a_node_could_answer_lets_no_change_wait(
    url: str, tmp_path: Path, reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node is told of the end first, as something else delays its answer."""
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        await upload(storages[0], "/one", 1000)
        trees = [next(iter(node.book.trees.values())) for node in fleet.nodes]
        for tree in trees:
            await tree.count()
        announced: Deferred[None] = Deferred()
        monkeypatch.setattr(trees[0], "when_announced", lambda: announced)
        monkeypatch.setattr(common_counts, "ANSWER_SECONDS", 0.1)
        leased, counts = fleet.nodes[1].quotas.rooms.of(trees[1]), fleet.nodes[1].quotas.counts
        over = fleet.nodes[0].quotas.counts._over
        over.clear()
        assert await counts.begins(leased, is_exclusive=True) is None
        await until(lambda: over)
        announced.callback(None)
        assert not trees[0].counts.is_exclusive
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_change_whose_message_was_lost_is_known_when_messages_arrive_again(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    first, second = fleet.nodes
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        assert await stored(first, storages[0], "/one", 10_000) is None
        tree = next(iter(second.book.trees.values()))
        await until(lambda: tree.ledger.used()[0] == 10_000)
        receivers = tuple(second.cluster.receivers)
        second.cluster.receivers.clear()  # nothing arrives
        await storages[0].remove_file(VirtualPath.parse("/one"))
        await until(lambda: next(iter(first.quotas.rooms.trees.values())).told == (0, 0))
        second.cluster.receivers += receivers
        call_each(second.cluster.when_connected)  # as after a new connection
        await until(lambda: tree.ledger.used()[0] == 0)
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_session_sees_what_has_changed_while_its_node_had_none(
    url: str, tmp_path: Path, reactor
) -> None:
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    first, second = fleet.nodes
    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        assert await stored(first, storages[0], "/one", 10_000) is None
        tree = next(iter(second.book.trees.values()))
        await until(lambda: tree.ledger.used()[0] == 10_000)
        storages.pop()
        gc.collect()
        assert not tree.storages
        messages: list[object] = []
        second.cluster.receivers.append(messages.append)
        await storages[0].remove_file(VirtualPath.parse("/one"))
        await until(lambda: any(one["kind"] == CHANGED for one in messages))  # type: ignore[index]
        storages.append(await second.storage(LIMITS))
        await until(lambda: tree.ledger.used()[0] == 0)
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_count_is_not_recorded_when_a_node_has_left_that_it_was_made_with(
    url: str, tmp_path: Path, reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What that node has added counts in the use by then, and would be missing."""
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    first, second = fleet.nodes
    run = first.cluster.claims.run

    async def left(work: Any, *words: Any) -> Any:
        if second in fleet.nodes:
            fleet.nodes.remove(second)
            await second.stop()
        return await run(work, *words)

    try:
        await fleet.joined()
        storages = [await node.storage(LIMITS) for node in fleet.nodes]
        assert await stored(second, storages[1], "/one", 10_000) is None
        tree = next(iter(first.book.trees.values()))
        await until(lambda: tree.ledger.used()[0] == 10_000)

        def late(work: Any, *words: Any) -> Any:
            is_count = work is set_count
            return Deferred.fromCoroutine(left(work, *words)) if is_count else run(work, *words)

        monkeypatch.setattr(first.cluster.claims, "run", late)
        await tree.count()
        await until(lambda: second not in fleet.nodes)
        await until(lambda: first.cluster.status.nodes == 1)
        await first.quotas.rooms.want(tree)
        assert tree.ledger.used()[0] == used(tmp_path) == 10_000
    finally:
        await fleet.close()


GONE = "UPDATE ftpservice_cluster_node SET until = clock_timestamp() + %s WHERE run = %s"


def test_what_a_node_had_removed_that_is_gone_does_not_count_beside_a_count(url: str) -> None:
    """It is found to be gone first by the node that counts, and only then by the next question."""
    facts = [NodeFacts(run, run, "1") for run in ("one", "two")]
    claim = RoomClaim('["local"]', "[]", 0, 0, 0, 0, 1_000, 1, 100_000, None)
    with psycopg.connect(url, password=PASSWORD, autocommit=True) as connection:
        for one in facts:
            beat(connection, one, NodeState(), 60.0)
        (first,) = take_rooms(connection, "one", 1, [claim])
        take_rooms(connection, "two", 1, [claim._replace(size=-30_000, files=-3)])
        for number, seconds in ((2, 60), (3, -1)):
            connection.execute(GONE, (timedelta(seconds=seconds), "two"))
            set_count(connection, first.tree, 50_000, 10, ["one"])
            (grant,) = take_rooms(connection, "one", number, [claim])
            is_recorded = seconds < 0
            assert (grant.age is not None) == is_recorded, "nothing is, while the other is alive"
        assert (grant.use_size, grant.use_files, grant.is_in_doubt) == (50_000, 10, False)


@pytest_twisted.ensureDeferred
async def test_trees_that_are_known_are_not_looked_at_with_each_new_one(
    url: str, tmp_path: Path, reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many accounts that would take a node's time whenever one of them logs in anywhere."""
    fleet = QuotaFleet(url, tmp_path, reactor, 2)
    first, second = fleet.nodes
    learned: list[Any] = []
    loads: list[None] = []
    try:
        await fleet.joined()
        storage = await first.storage(LIMITS)
        assert await stored(first, storage, "/one", 1000) is None
        (place,) = first.book.trees
        await until(lambda: place in second.book.trees)
        exchange: Any = second.quotas._exchange
        await until(lambda: exchange._loaded)
        learn, load = exchange._learn, exchange.load

        async def counted() -> None:
            loads.append(None)
            await load()

        monkeypatch.setattr(exchange, "_learn", lambda tree: learned.append(tree) or learn(tree))
        monkeypatch.setattr(exchange, "load", counted)
        for _ in range(20):
            exchange.load_soon()
        await until(lambda: not exchange._is_loading)
        assert (len(loads), learned) == (2, [])
        second.book.directory.forget_here(place)
        assert place not in second.book.trees
        exchange.load_soon()
        await until(lambda: place in second.book.trees)
        assert len(learned) == 1
    finally:
        await fleet.close()
