"""Calls of a database, which is a connection made by hand."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.cluster.cluster_calls import ClusterCalls

SECONDS = 0.2


class Connection:
    """A connection on which some calls wait until the database goes on."""

    place = "postgresql://db/cluster"

    def __init__(self) -> None:
        self.carried_out: list[int] = []
        self.goes_on = Event()

    def call(self, work: Callable[..., Any], number: int) -> Any:
        self.carried_out.append(number)
        return work(self, number)

    def interrupt(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def hang(connection: Connection, _number: int) -> None:
    connection.goes_on.wait(20.0)


def answer(_connection: Connection, number: int) -> int:
    return number


@ensureDeferred
async def test_a_late_call_that_has_not_begun_is_not_carried_out(reactor) -> None:
    """Otherwise all that has waited while the database hung would be tried after it."""
    connection: Any = Connection()
    calls = ClusterCalls(connection, reactor, "test", SECONDS)
    assert await calls.run(answer, 1) == 1
    calling = [calls.run(hang, 2), calls.run(answer, 3), calls.run(answer, 4)]
    for one in calling:
        with pytest.raises(StoreUnavailable):
            await one
    connection.goes_on.set()
    assert await calls.run(answer, 5) == 5
    await calls.close()
    assert connection.carried_out == [1, 2, 5]


@ensureDeferred
async def test_the_time_limit_of_a_call_ends_with_it_also_if_nobody_waits(reactor) -> None:
    """It would interrupt a later call."""
    connection: Any = Connection()
    calls = ClusterCalls(connection, reactor, "test", SECONDS)
    before = reactor.getDelayedCalls()
    first = calls.run(answer, 1)
    (limit,) = (one for one in reactor.getDelayedCalls() if one not in before)
    first.cancel()
    with pytest.raises(CancelledError):
        await first
    assert await calls.run(answer, 2) == 2
    assert not limit.active()
    await calls.close()
