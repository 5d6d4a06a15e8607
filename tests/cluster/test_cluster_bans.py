"""Bans over several nodes, with a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_twisted

from ftpservice.accounts.defence.bans import Ban, BanList, BanRules
from ftpservice.accounts.defence.networks import Network
from ftpservice.cluster import cluster_bans as module
from ftpservice.cluster.cluster_bans import BanDifference, BanQuestion, ClusterBans
from ftpservice.events import BanLifted, Banned, EventStream
from ftpservice.session.settings import SessionSettings
from tests.support.cluster import Fleet, PeerNode, cluster_connection, cluster_url, until
from tests.support.logged_texts import logged_texts
from tests.support.postgresql import PostgreSQL

NOW = 1_700_000_000.0
ADDRESS, WIDE = ip_network("203.0.113.7/32"), ip_network("198.51.100.0/24")


BEGAN = time.monotonic()
MANY = 2500
"""More than are written at a time."""
INSERT = """INSERT INTO ftpservice_cluster_ban
    VALUES (%s, 'scans', clock_timestamp(), clock_timestamp() + interval '1 hour', 1)"""


class Bans:
    """The bans of a node, whose clock is wrong by some seconds."""

    def __init__(self, node: PeerNode, wrong: float, known: Sequence[Ban] = ()) -> None:
        self.ahead = wrong
        self.bans = BanList(lambda: self.now, BanRules(2.0, 600.0))
        self.bans.load(known)
        self.told: list[tuple[Sequence[Ban], Sequence[Network]]] = []
        self.bans.tell = lambda bans, ended: self.told.append((bans, ended))
        self.shared = ClusterBans(node.cluster, self.bans, lambda: self.now)
        events = EventStream(lambda error, _event: None)
        events.subscribe(self.shared, Banned, BanLifted)
        self.bans.publish = events.publish

    @property
    def now(self) -> float:
        """The time, which goes on: what was exchanged is compared by its age."""
        return NOW + self.ahead + time.monotonic() - BEGAN

    def has(self, peer: str) -> bool:
        return self.bans.refusal(peer) is not None


def many_bans(reason: str = "guessing") -> list[Ban]:
    """Return bans that began some minutes ago."""
    first = ip_network("10.0.0.0/8").network_address
    return [
        Ban(ip_network(first + number), reason, NOW - 300.0, NOW + 3600.0 + number)
        for number in range(MANY)
    ]


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[BanQuestion, BanDifference]]:
    """The exchanges of all nodes."""
    made: list[tuple[BanQuestion, BanDifference]] = []
    exchange = module.exchange_bans

    def noted(connection: Any, run: str, question: BanQuestion, seconds: Any) -> BanDifference:
        found = exchange(connection, run, question, seconds)
        made.append((question, found))
        return found

    monkeypatch.setattr(module, "exchange_bans", noted)
    return made


@pytest_twisted.ensureDeferred
async def test_a_ban_holds_on_all_nodes_until_it_is_lifted_on_any(
    postgresql: PostgreSQL, reactor
) -> None:
    fleet = Fleet(cluster_url(postgresql), reactor, SessionSettings(), 2)
    try:
        await fleet.joined()
        first, second = Bans(fleet.nodes[0], 0.0), Bans(fleet.nodes[1], 5000.0)
        first.bans.ban(ADDRESS, 3600.0, "guessing")
        second.bans.ban(WIDE)
        await until(lambda: second.has("203.0.113.7") and first.has("198.51.100.9"))
        (ban,) = (one for one in second.bans.bans() if one.network == ADDRESS)
        assert ban.reason == "guessing"
        assert abs(ban.until - second.now - 3600.0) < 60.0
        assert second.bans.unban(ADDRESS)
        await until(lambda: not first.has("203.0.113.7"))
        assert first.has("198.51.100.9")
        first.bans.add_points("203.0.113.7", 5.0)
        (ban,) = (one for one in first.bans.bans() if one.network == ADDRESS)
        assert ban.times == 1  # one that was lifted makes it no longer
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_what_changed_while_the_database_was_away_is_told_then(reactor) -> None:
    with PostgreSQL() as server:
        fleet = Fleet(cluster_url(server), reactor, SessionSettings(), 2)
        try:
            await fleet.joined()
            first, second = Bans(fleet.nodes[0], 0.0), Bans(fleet.nodes[1], 0.0)
            first.bans.ban(WIDE)
            await until(lambda: second.has("198.51.100.9"))
            server.stop()
            await until(lambda: not any(node.cluster.is_connected for node in fleet.nodes))
            first.bans.ban(ADDRESS)
            second.ahead += 1.0
            second.bans.unban(WIDE)
            assert first.has("203.0.113.7")
            assert first.has("198.51.100.9")
            server.start()
            await until(lambda: second.has("203.0.113.7") and not first.has("198.51.100.9"))
        finally:
            await fleet.close()


@pytest_twisted.ensureDeferred
async def test_an_exchange_that_has_failed_is_repeated_while_the_database_answers(
    postgresql: PostgreSQL, reactor
) -> None:
    url = cluster_url(postgresql)
    fleet = Fleet(url, reactor, SessionSettings(), 2)
    try:
        await fleet.joined()
        first, second = Bans(fleet.nodes[0], 0.0), Bans(fleet.nodes[1], 0.0)
        with closing(cluster_connection(url)) as connection:
            rename = "ALTER TABLE ftpservice_cluster_ban RENAME TO another"
            connection.call(lambda driver: driver.execute(rename))
            first.bans.ban(ADDRESS)
            await until(lambda: first.shared._has_failed)
            back = "ALTER TABLE another RENAME TO ftpservice_cluster_ban"
            connection.call(lambda driver: driver.execute(back))
        await until(lambda: second.has("203.0.113.7"))
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_thousands_of_bans_are_exchanged_in_slices_and_then_only_what_changes(
    postgresql: PostgreSQL, reactor, questions: list[tuple[BanQuestion, BanDifference]]
) -> None:
    fleet = Fleet(cluster_url(postgresql), reactor, SessionSettings(), 2)
    try:
        await fleet.joined()
        first = Bans(fleet.nodes[0], 0.0, many_bans())
        second = Bans(fleet.nodes[1], 5000.0)
        first.shared.exchange()
        await until(lambda: second.bans.count == MANY)
        assert not first.told
        assert max(len(bans) for bans, _ in second.told) <= module.SLICE
        await until(lambda: not (first.shared._is_asking or second.shared._is_asking))
        questions.clear()
        second.told.clear()
        first.bans.ban(ADDRESS, 3600.0, "guessing")
        await until(lambda: second.has("203.0.113.7"))
        assert first.bans.unban(ADDRESS)
        await until(lambda: not second.has("203.0.113.7"))
        assert all(question.all_here is None for question, _ in questions)
        assert all(len(found.bans) <= 1 for _, found in questions)
        assert [len(bans) for bans, _ in second.told] == [1, 1]
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_node_that_starts_again_writes_only_what_the_database_does_not_have(
    postgresql: PostgreSQL,
    reactor,
    questions: list[tuple[BanQuestion, BanDifference]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SAME_SECONDS", 300.0)  # a call may take long under load
    url = cluster_url(postgresql)
    fleet = Fleet(url, reactor, SessionSettings(), 2)
    rows = "SELECT network, xmin::text FROM ftpservice_cluster_ban WHERE network <> %s"
    try:
        await fleet.joined()
        before = Bans(fleet.nodes[0], 0.0, many_bans())
        before.shared.exchange()
        await until(lambda: not (before.shared._unwritten or before.shared._is_asking))
        with closing(cluster_connection(url)) as connection:

            def known() -> list[Any]:
                found = connection.call(lambda driver: driver.execute(rows, (str(ADDRESS),)))
                return sorted(found.fetchall())

            written = known()
            assert len(written) == MANY
            again = Bans(fleet.nodes[1], 0.0, [*many_bans(), Ban(ADDRESS, "scans", NOW)])
            questions.clear()
            again.shared.exchange()
            await until(lambda: before.has("203.0.113.7") and not again.shared._is_asking)
            assert not again.told
            assert known() == written
        assert max(len(found.settled) for _, found in questions) == MANY + 1
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_ban_that_the_database_has_lost_ends_when_all_are_compared(
    postgresql: PostgreSQL, reactor
) -> None:
    url = cluster_url(postgresql)
    fleet = Fleet(url, reactor, SessionSettings(), 2)
    try:
        await fleet.joined()
        first, second = Bans(fleet.nodes[0], 0.0), Bans(fleet.nodes[1], 0.0)
        first.bans.ban(WIDE)
        first.bans.ban(ADDRESS)
        await until(lambda: second.has("198.51.100.9") and second.has("203.0.113.7"))
        await until(lambda: not first.shared._is_asking)
        with closing(cluster_connection(url)) as connection:
            lose = "DELETE FROM ftpservice_cluster_ban WHERE network = %s"
            connection.call(lambda driver: driver.execute(lose, (str(WIDE),)))
        first.shared.exchange_all()
        await until(lambda: not first.has("198.51.100.9"))
        assert first.has("203.0.113.7")
        message = {"kind": module.BANS, "from": "another", "networks": [str(WIDE)]}
        second.shared.received(message)
        await until(lambda: not second.has("198.51.100.9"))
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_node_of_an_earlier_version_does_not_say_what_has_changed(
    postgresql: PostgreSQL, reactor
) -> None:
    url = cluster_url(postgresql)
    fleet = Fleet(url, reactor, SessionSettings(), 1)
    try:
        await fleet.joined()
        (bans,) = (Bans(node, 0.0) for node in fleet.nodes)
        with closing(cluster_connection(url)) as connection:
            connection.call(lambda driver: driver.execute(INSERT, (str(ADDRESS),)))
        bans.shared.received({"kind": module.BANS, "from": "another"})
        await until(lambda: bans.has("203.0.113.7"))
    finally:
        await fleet.close()


@pytest_twisted.ensureDeferred
async def test_a_row_without_a_network_is_logged_and_the_others_count(
    postgresql: PostgreSQL, reactor
) -> None:
    url = cluster_url(postgresql)
    fleet = Fleet(url, reactor, SessionSettings(), 1)
    invalid = ["10.0.0.1/8", "203.0.113.8", "everybody"]
    try:
        await fleet.joined()
        (bans,) = (Bans(node, 0.0) for node in fleet.nodes)
        with closing(cluster_connection(url)) as connection:
            for network in [*invalid, str(ADDRESS)]:
                values = (network,)
                connection.call(lambda driver, values=values: driver.execute(INSERT, values))
        with logged_texts() as texts:
            bans.shared.exchange_all()
            await until(lambda: bans.has("203.0.113.7"))
            message = {"kind": module.BANS, "from": "another", "networks": [*invalid, "elsewhere"]}
            bans.shared.received(message)
            await until(lambda: not (bans.shared._asked or bans.shared._is_asking))
            bans.bans.ban(WIDE)
            await until(lambda: not (bans.shared._unwritten or bans.shared._is_asking))
        told = [text for text in texts if "rows of ftpservice_cluster_ban are ignored" in text]
        assert len(told) == 1
        assert told[0].endswith(": '10.0.0.1/8', '203.0.113.8', 'everybody'")
        assert not bans.shared._has_failed
        assert bans.bans.count == 2
    finally:
        await fleet.close()
