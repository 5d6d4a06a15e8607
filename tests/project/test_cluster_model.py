"""The model of the database that simulations use has the results of PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from benchmarks.scale.cluster_model import ClaimFailed, ClusterModel
from ftpservice.cluster.cluster_statements import (
    Claim,
    FleetView,
    NodeFacts,
    NodeState,
    beat,
    claim,
    forget_gone,
    leave,
)
from tests.support.cluster import cluster_url
from tests.support.postgresql import PostgreSQL

Connection = psycopg.Connection[tuple[object, ...]]
RUNS = "abcde"


@pytest.fixture
def connection(postgresql: PostgreSQL) -> Iterator[Connection]:
    """A connection to a database in which the time is that of a table."""
    database = cluster_url(postgresql).rpartition("/")[2]
    with closing(postgresql.connect(database)) as found:
        found.execute("CREATE SCHEMA simulated")
        found.execute("CREATE TABLE simulated.time AS SELECT timestamptz '2026-01-01' AS now")
        found.execute(
            "CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE"
            " AS 'SELECT now FROM simulated.time'"
        )
        found.execute("SET search_path = simulated, pg_catalog, public")
        yield found


def ordered(view: FleetView) -> FleetView:
    return view._replace(others=tuple(sorted(view.others)))


class History:
    """Random statements, each carried out by the database and by the model."""

    def __init__(self, connection: Connection, seed: int) -> None:
        self.connection = connection
        self.model = ClusterModel()
        self.chance = random.Random(seed)
        self.now = 0.0
        self.numbers = dict.fromkeys(RUNS, 0)

    def step(self) -> None:
        """Carry out one statement, and let time pass."""
        kinds = (self.beat, self.claim, self.leave, self.forget_gone)
        self.chance.choices(kinds, (5, 13, 1, 1))[0](self.chance.choice(RUNS))
        seconds = self.chance.choices((0.0, 0.5, 3.0, 3600.0), (33, 33, 33, 1))[0]
        self.now += seconds
        self.connection.execute(
            "UPDATE simulated.time SET now = now + make_interval(secs => %s)", (seconds,)
        )

    def beat(self, run: str) -> None:
        facts = NodeFacts(run, self.chance.choice(("one", "two")), "1")
        seconds = float(self.chance.choice((1, 12)))
        found = beat(self.connection, facts, NodeState(), seconds)
        assert ordered(found) == ordered(self.model.beat(self.now, facts, seconds))

    def claim(self, run: str) -> None:
        self.numbers[run] += self.chance.choice((1, 1, 1, 0))
        asked = [self._random_claim(name) for name in self.chance.sample(("ann", "ben", "eve"), 2)]
        words = (run, self.numbers[run], asked, self.chance.choice((0, 64)))
        try:
            expected = self.model.claim(self.now, *words)
        except ClaimFailed:
            with pytest.raises(psycopg.errors.RaiseException):
                claim(self.connection, *words)
            return
        assert claim(self.connection, *words) == expected
        for one in asked:
            self._check_limit(run, one)

    def _random_claim(self, name: str) -> Claim:
        used, more = self.chance.randrange(5), self.chance.randrange(4)
        return Claim("user", name, used, used + more, self.chance.choice((3, 9, 200)))

    def _check_limit(self, run: str, one: Claim) -> None:
        """A limit is exceeded by nothing but sessions that had begun before the claim."""
        rows, model = self.model.places[one.kind, one.name], self.model
        total = sum(row[0] for other, row in rows.items() if model.is_alive(other, self.now))
        assert total <= one.limit or rows.get(run, (0, 0))[0] <= one.used

    def leave(self, run: str) -> None:
        leave(self.connection, run)
        self.model.leave(run)

    def forget_gone(self, _run: str) -> None:
        forget_gone(self.connection)
        self.model.forget_gone(self.now)


@pytest.mark.parametrize("seed", range(3))
def test_the_model_has_the_results_of_the_database(connection: Connection, seed: int) -> None:
    history = History(connection, seed)
    for _ in range(300):
        history.step()
    rows = connection.execute("SELECT kind, name, run, places, used FROM ftpservice_cluster_places")
    assert sorted(rows.fetchall()) == sorted(
        (*key, run, *row) for key, held in history.model.places.items() for run, row in held.items()
    )
