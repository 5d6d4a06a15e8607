"""Bans over several nodes, with a real PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from ipaddress import ip_network

import pytest_twisted

from ftpservice.accounts.defence.bans import BanList, BanRules
from ftpservice.cluster.cluster_bans import ClusterBans
from ftpservice.events import BanLifted, Banned, EventStream
from ftpservice.session.settings import SessionSettings
from tests.support.cluster import Fleet, PeerNode, cluster_connection, cluster_url, until
from tests.support.postgresql import PostgreSQL

NOW = 1_700_000_000.0
ADDRESS, WIDE = ip_network("203.0.113.7/32"), ip_network("198.51.100.0/24")


class Bans:
    """The bans of a node, whose clock is wrong by some seconds."""

    def __init__(self, node: PeerNode, wrong: float) -> None:
        self.now = NOW + wrong
        self.bans = BanList(lambda: self.now, BanRules(2.0, 600.0))
        self.shared = ClusterBans(node.cluster, self.bans, lambda: self.now)
        events = EventStream(lambda error, _event: None)
        events.subscribe(self.shared, Banned, BanLifted)
        self.bans.publish = events.publish

    def has(self, peer: str) -> bool:
        return self.bans.refusal(peer) is not None


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
            second.now += 1.0
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
