"""Limits over many nodes, real but for their clocks, network and database, which are simulated."""

from __future__ import annotations

import pytest

from benchmarks.scale.session_book import UNCOUNTED_SECONDS, LimitExceeded
from benchmarks.scale.simulated_database import Network
from benchmarks.scale.simulated_fleet import ALL, TIMEOUT_SECONDS, Faults, Load, SimulatedFleet

BAD_NETWORK = Network(slow=0.02, lost=0.01)
FAULTS = Faults(drift=0.05, deaths=0.005, cuts=0.005)
FEW_PLACES = Load(logins=2, users=20, most_in_all=40)


@pytest.mark.parametrize("seed", range(3))
def test_limits_are_exact_while_the_database_answers(seed: int) -> None:
    deaths = Faults(drift=0.05, deaths=0.01)
    fleet = SimulatedFleet(5, seed, Network(slow=0.02, slow_seconds=0.1), deaths, FEW_PLACES)
    fleet.run(60)
    assert fleet.book.begun["alone"] == 0
    assert fleet.counts["refused: user"] and fleet.counts["refused: all"]
    assert fleet.book.most_over == {"all": 0, "user": 0}
    assert fleet.calm_down() == {}


def test_a_session_that_was_about_to_begin_at_a_node_that_dies_is_not_counted() -> None:
    load = Load(logins=0, users=1, most_of_user=3)
    fleet = SimulatedFleet(2, 1, Network(seconds=0.1), Faults(), load)
    fleet.run(5)
    dead, other = fleet.nodes
    fleet.begin(dead, "user0", 1000.0)
    while not fleet.book.totals[ALL]:
        fleet.run(0.01)
    assert not fleet.book.totals["user", "user0"]
    fleet.kill(dead)
    fleet.begin(other, "user0", 1000.0)
    fleet.run(TIMEOUT_SECONDS)
    assert fleet.book.totals == {ALL: 1, ("user", "user0"): 1}


def test_a_simulation_is_the_same_with_the_same_seed() -> None:
    def found() -> tuple[object, ...]:
        fleet = SimulatedFleet(5, 1, BAD_NETWORK, FAULTS, FEW_PLACES)
        fleet.run(20)
        return fleet.counts, fleet.timeline.steps, fleet.database.work_counts

    assert found() == found()


@pytest.mark.parametrize("seed", range(8))
def test_no_lease_is_used_that_the_database_does_not_know(seed: int) -> None:
    fleet = SimulatedFleet(5, seed, BAD_NETWORK, FAULTS, FEW_PLACES)
    fleet.run(40)
    assert fleet.book.begun["alone"] and fleet.book.begun["by lease"]
    assert fleet.calm_down() == {}


def test_a_lease_may_be_trusted_for_a_second_after_a_crash_and_no_longer() -> None:
    fleet = SimulatedFleet(1, 1, Network(), Faults(), Load(logins=0, users=1, most_of_user=3))
    fleet.run(5)
    [node] = fleet.nodes
    fleet.database.model.crash(fleet.timeline.now)
    key = ("user", "user0")
    fleet.book.take(fleet.timeline.now + UNCOUNTED_SECONDS * 0.9, node.cluster, key, 3)
    with pytest.raises(LimitExceeded, match="is not alive"):
        fleet.book.take(fleet.timeline.now + UNCOUNTED_SECONDS, node.cluster, key, 3)


@pytest.mark.parametrize("kind", ["stopped", "frozen", "crashed"])
def test_the_database_is_away_for_a_time(kind: str) -> None:
    fleet = SimulatedFleet(6, 1, Network(), Faults(drift=0.05), FEW_PLACES)
    fleet.run(20)
    assert fleet.book.most_over == {"all": 0, "user": 0}
    if kind == "frozen":
        fleet.database.freeze()
    else:
        fleet.database.stop(is_crash=kind == "crashed")
    fleet.run(30)
    assert fleet.book.begun["alone"]
    fleet.database.start()
    fleet.run(60)
    assert all(node.cluster.is_connected for node in fleet.nodes)
    alone = fleet.book.begun["alone"]
    fleet.run(30)
    assert fleet.book.begun["alone"] == alone
    assert fleet.book.totals[ALL] <= FEW_PLACES.most_in_all
    assert fleet.calm_down() == {}


def test_the_places_of_a_dead_node_are_free_after_the_timeout() -> None:
    load = Load(logins=0, users=1, most_of_user=3)
    fleet = SimulatedFleet(3, 1, Network(), Faults(), load)
    fleet.run(5)
    dead, *others = fleet.nodes
    for _ in range(3):
        fleet.begin(dead, "user0", 1000.0)
        fleet.run(1)
    fleet.kill(dead)
    waited = 0.0
    while fleet.book.totals["user", "user0"] == 0:
        fleet.begin(others[0], "user0", 1000.0)
        fleet.run(0.25)
        waited += 0.25
    assert TIMEOUT_SECONDS * 0.7 < waited <= TIMEOUT_SECONDS + 0.5


def test_a_fleet_is_drained_node_by_node_and_no_transfer_is_interrupted() -> None:
    load = Load(logins=2, session_seconds=4, users=1000, most_in_all=1000)
    fleet = SimulatedFleet(4, 1, Network(slow=0.02, slow_seconds=0.1), Faults(), load)
    fleet.run(20)
    before = list(fleet.nodes)
    for node in before:
        fleet.drain(node)
        while node.is_alive:
            fleet.run(1)
        fleet.run(1)  # its last message is under way
        assert not any(node.run in rows for rows in fleet.database.model.places.values())
    fleet.run(20)
    assert not set(before) & set(fleet.nodes)
    assert fleet.counts["transfers interrupted"] == fleet.counts["refused: all"] == 0
    assert fleet.book.most_over["all"] <= 0
    assert fleet.calm_down() == {}


@pytest.mark.parametrize("seed", range(3))
def test_after_a_crash_of_the_database_nodes_count_anew_within_a_second(seed: int) -> None:
    """Its tables are empty when it is back; a closed connection tells nodes before a heartbeat."""
    fleet = SimulatedFleet(6, seed, Network(), Faults(drift=0.05), FEW_PLACES)
    fleet.run(20)
    fleet.database.stop(is_crash=True)
    fleet.run(0.2)
    fleet.database.start()
    fleet.run(0.8)
    assert all(node.cluster.is_connected for node in fleet.nodes)
    assert len(fleet.database.model.nodes) == 6
    assert fleet.calm_down() == {}
