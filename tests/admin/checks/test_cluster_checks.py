"""What doctor finds of a cluster."""

from __future__ import annotations

from contextlib import closing
from time import time
from types import SimpleNamespace

import pytest

from ftpservice.admin.checks import cluster_checks
from ftpservice.admin.checks.cluster_checks import check_cluster
from ftpservice.admin.checks.finding import Level
from ftpservice.cluster.cluster_statements import NodeFacts, NodeState, beat
from ftpservice.cluster.cluster_url import cluster_database_url
from ftpservice.service.settings.cluster import parse_node_name
from tests.support.cluster import cluster_connection, cluster_url
from tests.support.postgresql import PostgreSQL


def test_it_tells_of_the_nodes(postgresql: PostgreSQL) -> None:
    text = cluster_url(postgresql)
    url = cluster_database_url(text)
    assert [one.level for one in check_cluster(url, "a")] == [Level.GOOD]
    with closing(cluster_connection(text)) as connection:
        for run, name, version in (("1", "a", "1.0"), ("2", "a", "1.0"), ("3", "b", "1.1")):
            facts = NodeFacts(run, name, version)
            connection.call(beat, facts, NodeState(), 60.0)
    found = [one.text for one in check_cluster(url, "a")]
    assert found[0].endswith("answers: 3 nodes")
    assert found[1:] == [
        "several nodes are called a",
        "the nodes have different versions: 1.0, 1.1",
    ]
    assert len(list(check_cluster(url, "b"))) == 2


@pytest.mark.parametrize(
    ("ahead", "told"), [(3600.4, "3600 seconds ahead of"), (-7.0, "7 seconds behind")]
)
def test_a_clock_that_is_not_that_of_the_database_is_told(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch, ahead: float, told: str
) -> None:
    url = cluster_database_url(cluster_url(postgresql))
    monkeypatch.setattr(cluster_checks, "time", SimpleNamespace(time=lambda: time() + ahead))
    found = list(check_cluster(url, "a"))
    assert [one.level for one in found] == [Level.GOOD, Level.WARNING]
    assert found[1].text == f"the clock of this machine is {told} that of the database"


def test_a_database_without_the_schema_is_an_error(postgresql: PostgreSQL) -> None:
    url = cluster_database_url(postgresql.url(postgresql.new_database()))
    (finding,) = check_cluster(url, "a")
    assert finding.level is Level.ERROR
    assert "ftpservice db upgrade --cluster postgresql://" in finding.text
    assert finding.text.endswith("(or --config FILE)")


def test_tables_of_a_newer_version_need_a_newer_program(postgresql: PostgreSQL) -> None:
    text = cluster_url(postgresql)
    with closing(cluster_connection(text)) as connection:
        change = "UPDATE ftpservice_cluster_version SET version_num = '9999'"
        connection.call(lambda driver: driver.execute(change))
    (finding,) = check_cluster(cluster_database_url(text), "a")
    assert finding.text.endswith("; install the newer ftpservice that has made it")


@pytest.mark.parametrize("kind", ["postgres", "mysql", "sqlite"])
def test_a_cluster_needs_postgresql(kind: str) -> None:
    with pytest.raises(ValueError, match="a cluster needs PostgreSQL: postgresql://"):
        cluster_database_url(f"{kind}://ann@127.0.0.1/files")


def test_a_node_cannot_be_called_all() -> None:
    with pytest.raises(ValueError, match="'all' means every node in commands"):
        parse_node_name("all")
