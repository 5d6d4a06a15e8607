"""What nodes send each other as it happens, with real PostgreSQL: in order, each record once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.cluster.cluster_database import ClusterDatabase
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.cluster_schema import CHANNEL
from ftpservice.cluster.cluster_statements import NodeFacts
from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.cluster.feeds import feed_statements, sent_feeds
from ftpservice.cluster.feeds.followed_feeds import FollowedFeed, FollowedFeeds
from ftpservice.cluster.feeds.sent_feeds import SentFeeds
from tests.support.cluster import cluster_connection, cluster_url, until
from tests.support.open_resources import LoggedErrors
from tests.support.postgresql import PostgreSQL

Record = dict[str, Any]


class Ticks:
    """A feed whose records a test makes; it counts its starts and whether it runs."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        if request.get("refuse"):
            raise BadRequest("not here")
        self.request = dict(request)
        self.starts = 0
        self.send: Callable[[Record], object] | None = None

    def start(self, send: Callable[[Record], object]) -> None:
        self.starts += 1
        self.send = send

    def stop(self) -> None:
        self.send = None

    def tick(self, *numbers: int) -> None:
        for number in numbers:
            assert self.send is not None
            self.send({"number": number})


class Node:
    """A node that sends the feed ``ticks``, and follows those of others."""

    def __init__(self, url: str, reactor: Any, name: str, run: str = "") -> None:
        database = ClusterDatabase(cluster_database_url(url), reactor)
        self.node = ClusterNode(database, NodeFacts(run or f"run-{name}", name, "1"), 6.0)
        self.made: list[Ticks] = []
        self.looks = 0
        self.feeds = FollowedFeeds(self.node)
        SentFeeds(self.node, {"ticks": self._make}, self._looked)
        self.node.startService()

    def _make(self, request: Mapping[str, Any]) -> Ticks:
        self.made.append(Ticks(request))
        return self.made[-1]

    def _looked(self) -> None:
        self.looks += 1

    async def sending(self) -> Ticks:
        """Wait until the last feed runs, and return it."""
        await until(lambda: self.made and self.made[-1].send is not None)
        return self.made[-1]

    async def stop(self) -> None:
        await Deferred.fromCoroutine(self.node.close())


class Nodes:
    def __init__(self, url: str, reactor: Any, *names: str) -> None:
        self.url, self.reactor = url, reactor
        self.all = [Node(url, reactor, name) for name in names]
        self.got: list[Record] = []

    async def joined(self) -> None:
        count = len(self.all)
        await until(lambda: all(one.node.status.nodes == count and one.looks for one in self.all))

    def follow(self, target: str = "all", **request: Any) -> FollowedFeed:
        feed = self.all[0].feeds.follow("ticks", request, target)
        feed.start(self.got.append)
        return feed

    def numbers(self, name: str) -> list[int]:
        return [one["number"] for one in self.got if one.get("node") == name and "number" in one]

    async def close(self) -> None:
        await gatherResults([Deferred.fromCoroutine(one.stop()) for one in self.all])


def stored(url: str, table: str) -> int:
    connection = cluster_connection(url)
    try:
        statement = f"SELECT count(*) FROM ftpservice_cluster_{table}"
        return int(connection.call(lambda driver: driver.execute(statement).fetchone()[0]))
    finally:
        connection.close()


def notify_wrongly(connection: Any) -> None:
    connection.execute(f"NOTIFY {CHANNEL}, 'this is no JSON'")


@pytest_twisted.ensureDeferred
async def test_all_other_nodes_send_their_records_in_order_and_each_once(url, reactor) -> None:
    nodes = Nodes(url, reactor, "a", "b", "c")
    try:
        await nodes.joined()
        feed = nodes.follow(word="x")
        senders = [await one.sending() for one in nodes.all[1:]]
        assert nodes.all[0].made == []
        assert [one.request for one in senders] == [{"word": "x"}] * 2
        for number in range(1500):
            for one in senders:
                one.tick(number)
        wanted = list(range(1500))
        await until(lambda: nodes.numbers("b") == nodes.numbers("c") == wanted)
        await until(lambda: stored(url, "record") <= 2)  # the last ones may wait for the next
        feed.stop()
        await until(lambda: not any(one.send for one in senders))
        assert (stored(url, "feed"), stored(url, "record")) == (0, 0)
    finally:
        await nodes.close()


@pytest_twisted.ensureDeferred
async def test_other_events_have_their_turn_between_the_rows_of_a_feed(
    url, reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent_feeds, "MAX_CHARS", 1)  # a row for each record
    nodes = Nodes(url, reactor, "a", "b")
    try:
        await nodes.joined()
        follower, feed = nodes.all[0], nodes.follow()
        sender = await nodes.all[1].sending()
        await until(lambda: {"node": "b", "begun": True} in nodes.got)
        follower.node.receivers.remove(follower.feeds.message)
        sender.tick(*range(9))
        await until(lambda: stored(url, "record") == 10)  # and the first one
        seen = [0]

        def look() -> None:
            seen.append(len(nodes.numbers("b")))
            if seen[-1] < 9:
                reactor.callLater(0, look)

        look()
        feed.read()
        await until(lambda: seen[-1] == 9)
        assert max(after - before for before, after in itertools.pairwise(seen)) <= 2
    finally:
        await nodes.close()


@pytest_twisted.ensureDeferred
async def test_one_node_is_asked_and_what_cannot_be_had_is_told(url, reactor) -> None:
    nodes = Nodes(url, reactor, "a", "b", "c")
    try:
        await nodes.joined()
        nodes.follow("b")
        nodes.follow("none")
        nodes.follow("c", refuse=True)
        await nodes.all[1].sending()
        await until(lambda: len([one for one in nodes.got if "error" in one]) == 2)
        assert {"error": "there is no node 'none' in the cluster"} in nodes.got
        assert {"node": "c", "error": "not here"} in nodes.got
        assert nodes.all[2].made == []
        unknown = nodes.all[0].feeds.follow("unknown", {}, "b")
        unknown.start(nodes.got.append)
        await until(lambda: {"node": "b", "error": "this version cannot send that"} in nodes.got)
    finally:
        await nodes.close()


@pytest_twisted.ensureDeferred
async def test_the_last_records_of_a_node_arrive_and_it_is_followed_when_it_is_back(
    url, reactor
) -> None:
    nodes = Nodes(url, reactor, "a", "b")
    try:
        await nodes.joined()
        nodes.follow()
        first = await nodes.all[1].sending()
        first.tick(1, 2)
        await until(lambda: nodes.numbers("b") == [1, 2])
        first.tick(3)
        stopped = nodes.all.pop()
        await stopped.stop()
        await until(lambda: nodes.numbers("b") == [1, 2, 3])
        await until(lambda: {"node": "b", "gone": True} in nodes.got)
        nodes.all.append(Node(url, reactor, "b", "run-b-again"))
        again = await nodes.all[1].sending()
        again.tick(4)
        await until(lambda: nodes.numbers("b") == [1, 2, 3, 4])
    finally:
        await nodes.close()


@pytest_twisted.ensureDeferred
async def test_nothing_is_lost_or_comes_twice_while_the_database_is_away(
    restartable: PostgreSQL, reactor
) -> None:
    nodes = Nodes(cluster_url(restartable), reactor, "a", "b")
    try:
        await nodes.joined()
        nodes.follow()
        sender = await nodes.all[1].sending()
        sender.tick(0)
        await until(lambda: nodes.numbers("b") == [0])
        await deferToThread(restartable.stop)
        sender.tick(1, 2, 3)
        await until(lambda: any("away" in one for one in nodes.got))
        await until(lambda: not nodes.all[1].node.is_connected)
        sender.tick(4)
        await deferToThread(restartable.start)
        await until(lambda: {"back": True} in nodes.got)
        current = await nodes.all[1].sending()
        current.tick(5)
        await until(lambda: nodes.numbers("b")[-1:] == [5])
        assert nodes.numbers("b") == [0, 1, 2, 3, 4, 5]
    finally:
        await nodes.close()


@pytest_twisted.ensureDeferred
async def test_nothing_is_lost_when_a_crash_of_the_database_is_over_before_it_is_noticed(
    url, reactor
) -> None:
    """Its tables are empty then, and no call has failed."""
    nodes = Nodes(url, reactor, "a", "b")
    try:
        await nodes.joined()
        nodes.follow()
        sender = await nodes.all[1].sending()
        sender.tick(0)
        await until(lambda: nodes.numbers("b") == [0])
        emptied = cluster_connection(url)
        emptied.call(lambda driver: driver.execute("TRUNCATE ftpservice_cluster_node CASCADE"))
        emptied.close()
        sender.tick(1)
        await until(lambda: nodes.numbers("b") == [0, 1])
        sender.tick(2)
        await until(lambda: nodes.numbers("b") == [0, 1, 2])
        assert (sender.starts, len(nodes.all[1].made)) == (1, 1)
    finally:
        await nodes.close()


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_read_keeps_no_other_part_from_a_message(url, reactor) -> None:
    nodes = Nodes(url, reactor, "a", "b")
    try:
        await nodes.joined()
        one = nodes.all[1].node
        heard: list[Any] = []
        one.receivers.insert(0, lambda message: message["lacking"])
        one.receivers.append(lambda message: heard.append(message.get("number")))
        with LoggedErrors() as logged:
            for number in range(3):
                nodes.all[0].node.tell("of another version", number=number)
            await nodes.all[0].node.calls.run(notify_wrongly)
            nodes.all[0].node.tell("of another version", number=3)
            await until(lambda: heard[-1:] == [3])
        assert [number for number in heard if number is not None] == [0, 1, 2, 3]
        assert len(logged.lines) >= 5
    finally:
        await nodes.close()


@pytest_twisted.ensureDeferred
async def test_a_feed_that_nobody_reads_is_bounded_and_begins_again(
    url, reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent_feeds, "MAX_WAITING", 100)
    monkeypatch.setattr(sent_feeds, "MAX_RECORDS", 10)
    monkeypatch.setattr(feed_statements, "MAX_UNREAD_ROWS", 3)
    nodes = Nodes(url, reactor, "a", "b")
    try:
        await nodes.joined()
        follower, feed = nodes.all[0], nodes.follow()
        await until(lambda: {"node": "b", "begun": True} in nodes.got)
        follower.node.receivers.remove(follower.feeds.message)  # it hears of nothing
        sender = await nodes.all[1].sending()
        sender.tick(*range(150))
        assert sender.starts == 2
        await until(lambda: stored(url, "record") == 3)
        follower.node.receivers.append(follower.feeds.message)
        feed.read()
        sender.tick(1000)
        await until(lambda: nodes.numbers("b")[-1:] == [1000])
        lost = [one["lost"] for one in nodes.got if "lost" in one]
        assert lost == [101]
        assert nodes.numbers("b") == [*range(101, 150), 1000]
    finally:
        await nodes.close()


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_to_a_node_that_has_left(url, reactor) -> None:
    nodes = Nodes(url, reactor, "a", "b")
    try:
        await nodes.joined()
        nodes.follow()
        sender = await nodes.all[1].sending()
        await nodes.all.pop(0).stop()
        if sender.send is not None:  # it has not been told yet
            sender.tick(1)
        await until(lambda: sender.send is None)
        assert (stored(url, "feed"), stored(url, "record")) == (0, 0)
    finally:
        await nodes.close()
