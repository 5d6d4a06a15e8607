"""The database of a cluster, for each test a new one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster import cluster_url
from tests.support.postgresql import PostgreSQL


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    """The URL of a database with the schema of a cluster."""
    return cluster_url(postgresql)


@pytest.fixture(scope="module")
def restartable() -> Iterator[PostgreSQL]:
    """A server that a test may stop."""
    with PostgreSQL() as server:
        yield server
