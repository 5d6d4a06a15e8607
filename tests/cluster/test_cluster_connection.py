"""The connection to the database of a cluster, with a real PostgreSQL."""

from __future__ import annotations

import gc
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event

from ftpservice.accounts.account_store import StoreUnavailable
from tests.support.cluster import cluster_connection

USES = 4
"""How often a connection of the driver is registered before the first statement."""


def test_a_connection_that_ends_while_it_is_set_up_is_closed(url: str) -> None:
    with closing(cluster_connection(url)) as connection:
        made: list[Any] = []

        def interrupted(driver: Any, _record: object) -> None:
            made.append(driver)
            connection.interrupt()

        engine = connection._database.engine
        event.listen(engine, "connect", interrupted, insert=True)
        with pytest.raises(StoreUnavailable):
            connection.call(bool)
        event.remove(engine, "connect", interrupted)
        assert [one.closed for one in made] == [True]
        assert connection.call(lambda driver: driver.execute("SELECT 1").fetchone()) == (1,)


@pytest.mark.parametrize("number", range(1, USES + 1))
def test_an_interruption_while_it_connects_leaves_no_connection_open(url: str, number: int) -> None:
    with closing(cluster_connection(url)) as connection:
        calls, uses = connection._database.calls, 0
        register = calls.use

        def use(driver: Any) -> None:
            nonlocal uses
            uses += 1
            if uses == number:
                connection.interrupt()
            register(driver)

        calls.use = use  # type: ignore[method-assign]
        with pytest.raises(StoreUnavailable):
            connection.call(bool)
        assert uses == number
        gc.collect()  # an open one would be an error
        assert connection.call(lambda driver: driver.execute("SELECT 1").fetchone()) == (1,)
