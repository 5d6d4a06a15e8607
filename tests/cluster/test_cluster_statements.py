"""What nodes count together in PostgreSQL, with a real server."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from threading import Barrier, Thread
from typing import Any

import pytest

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.cluster.cluster_connection import ClusterConnection
from ftpservice.cluster.cluster_statements import (
    Claim,
    NodeFacts,
    NodeState,
    beat,
    claim,
    forget_gone,
    known_nodes,
    leave,
)
from tests.support.cluster import cluster_connection, cluster_url
from tests.support.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def url(postgresql: PostgreSQL) -> str:
    return cluster_url(postgresql)


@pytest.fixture
def connection(url: str) -> Iterator[ClusterConnection]:
    with closing(cluster_connection(url)) as found:
        found.call(lambda driver: driver.execute("DELETE FROM ftpservice_cluster_node"))
        yield found


def join(connection: ClusterConnection, run: str, seconds: float = 60.0):
    facts = NodeFacts(run, f"node-{run}", "1")
    return connection.call(lambda driver: beat(driver, facts, NodeState(), seconds))


numbers = itertools.count(1)


def claims(connection: ClusterConnection, run: str, *asked: Claim, spare: int = 0):
    return connection.call(lambda driver: claim(driver, run, next(numbers), asked, spare))


def test_a_limit_holds_over_all_nodes(connection: ClusterConnection) -> None:
    join(connection, "a"), join(connection, "b")
    assert claims(connection, "a", Claim("user", "ann", 0, 2, 3)) == [(2, False)]
    assert claims(connection, "b", Claim("user", "ann", 0, 2, 3)) == [(1, False)]
    assert claims(connection, "b", Claim("user", "ann", 1, 2, 3)) == [(1, False)]
    claims(connection, "a", Claim("user", "ann", 1, 1, 3))
    assert claims(connection, "b", Claim("user", "ann", 1, 2, 3)) == [(2, False)]


@pytest.mark.parametrize("name", ["j\udcfcrgen", "a\0b", "jürgen\\x"])
def test_any_name_can_be_counted(connection: ClusterConnection, name: str) -> None:
    """One of bytes that are not UTF-8, as in a password file, is none for PostgreSQL."""
    join(connection, "a"), join(connection, "b")
    assert claims(connection, "a", Claim("user", name, 0, 2, 3)) == [(2, False)]
    assert claims(connection, "b", Claim("user", name, 0, 2, 3)) == [(1, False)]


def test_claims_are_answered_in_their_order(connection: ClusterConnection) -> None:
    join(connection, "a")
    asked = [
        Claim("user", "ben", 0, 5, 4),
        Claim("all", "", 0, 1, 9),
        Claim("user", "ann", 0, 2, 3),
    ]
    assert [grant.places for grant in claims(connection, "a", *asked)] == [4, 1, 2]


def test_spare_places_are_few_near_the_limit_and_told_to_who_lacks_one(
    connection: ClusterConnection,
) -> None:
    join(connection, "a"), join(connection, "b")
    assert claims(connection, "a", Claim("all", "", 0, 1, 1000), spare=64) == [(65, False)]
    assert claims(connection, "a", Claim("all", "", 1, 1, 3), spare=64) == [(1, False)]
    assert claims(connection, "a", Claim("all", "", 1, 1, 10), spare=64) == [(2, False)]
    assert claims(connection, "b", Claim("all", "", 0, 9, 10)) == [(8, True)]


def test_nothing_is_given_to_a_node_that_needs_nothing(connection: ClusterConnection) -> None:
    join(connection, "a")
    assert claims(connection, "a", Claim("all", "", 0, 1, 1000), spare=64)[0].places == 65
    assert claims(connection, "a", Claim("all", "", 0, 0, 1000), spare=64) == [(0, False)]


def test_a_claim_that_comes_after_a_later_one_changes_nothing(
    connection: ClusterConnection,
) -> None:
    join(connection, "a"), join(connection, "b")
    older = next(numbers)
    assert claims(connection, "a", Claim("user", "ann", 0, 3, 3)) == [(3, False)]
    with pytest.raises(StoreUnavailable, match="a later claim was carried out"):
        connection.call(lambda driver: claim(driver, "a", older, [Claim("user", "ann", 0, 1, 3)]))
    assert claims(connection, "b", Claim("user", "ann", 0, 1, 3)) == [(0, False)]


def test_sessions_beyond_a_limit_stay_counted(connection: ClusterConnection) -> None:
    join(connection, "a"), join(connection, "b")
    assert claims(connection, "a", Claim("user", "ann", 4, 4, 3)) == [(4, False)]
    assert claims(connection, "b", Claim("user", "ann", 0, 1, 3)) == [(0, False)]


def test_the_places_of_a_node_that_is_gone_are_free(connection: ClusterConnection) -> None:
    join(connection, "a", 60.0), join(connection, "b")
    claims(connection, "a", Claim("user", "ann", 0, 3, 3))
    assert claims(connection, "b", Claim("user", "ann", 0, 1, 3))[0].places == 0
    join(connection, "a", 0.0)
    assert claims(connection, "b", Claim("user", "ann", 0, 1, 3))[0].places == 1
    assert not join(connection, "a").was_alive
    assert claims(connection, "a", Claim("user", "ann", 3, 3, 3))[0].places == 3
    connection.call(lambda driver: leave(driver, "a"))
    assert claims(connection, "b", Claim("user", "ann", 1, 4, 3))[0].places == 3


def test_a_node_that_is_not_in_the_cluster_gets_nothing(connection: ClusterConnection) -> None:
    with pytest.raises(StoreUnavailable, match="the node is not in the cluster"):
        claims(connection, "stranger", Claim("user", "ann", 0, 1, 3))


def test_a_heartbeat_tells_of_the_other_nodes(connection: ClusterConnection) -> None:
    assert join(connection, "a") == (False, (), False)
    assert join(connection, "b") == (False, ("a",), False)
    assert join(connection, "a") == (True, ("b",), False)
    facts = NodeFacts("c", "node-a", "1")
    state = NodeState(7, "draining")
    assert connection.call(lambda driver: beat(driver, facts, state, 0.0)).has_namesake
    rows = {row["run"]: row for row in connection.call(known_nodes)}
    assert rows["a"]["is_alive"]
    assert (rows["a"]["health"], rows["a"]["address"]) == ("ready", "127.0.0.1")
    assert (rows["c"]["is_alive"], rows["c"]["sessions"], rows["c"]["health"]) == (
        False,
        7,
        "draining",
    )


def test_nodes_that_race_never_exceed_a_limit_together(
    url: str, connection: ClusterConnection
) -> None:
    for run in "abcd":
        join(connection, run)
    barrier, most = Barrier(4), 0
    held = dict.fromkeys("abcd", 0)

    def race(run: str) -> None:
        nonlocal most
        chance = random.Random(run)
        with closing(cluster_connection(url)) as own:
            barrier.wait()
            for _ in range(60):
                used = held[run]
                wanted = max(0, used + chance.choice((-1, 1)))
                held[run] = min(used, wanted)  # before others may have the place
                grant = own.call(
                    partial(
                        claim,
                        run=run,
                        number=next(numbers),
                        claims=[Claim("all", "", held[run], wanted, 3)],
                    )
                )[0]
                held[run] = min(wanted, grant.places)
                most = max(most, sum(held.values()))

    threads = [Thread(target=race, args=(run,)) for run in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3


def test_requests_of_nodes_that_were_killed_are_not_kept(connection: ClusterConnection) -> None:
    def left(driver: Any) -> list[Any]:
        for id, hours in (("old", 2), ("new", 0)):
            driver.execute(
                "INSERT INTO ftpservice_cluster_request (id, sender, target, body, at) VALUES"
                " (%s, 'gone', 'all', '{}', clock_timestamp() - make_interval(hours => %s))",
                (id, hours),
            )
        forget_gone(driver)
        return list(driver.execute("SELECT id FROM ftpservice_cluster_request").fetchall())

    assert connection.call(left) == [("new",)]
