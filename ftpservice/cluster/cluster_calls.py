"""Calls of the database of a cluster, one after the other in a thread, each with a time limit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.cluster.cluster_connection import ClusterConnection
from ftpservice.concurrency.thread_pool import BlockingPool, PoolOverloaded, PoolStopped

__all__ = ["UNANSWERED", "ClusterCalls"]

UNANSWERED = (StoreUnavailable, PoolOverloaded, PoolStopped)
"""What a call fails with that the database has not answered."""
MAX_WAITING = 1000
FIRST_SECONDS = 10.0
"""For the first answer: the driver is imported, and the connection is made."""

T = TypeVar("T")


class ClusterCalls:
    """The calls of one connection. ``seconds`` is the time limit of each."""

    def __init__(
        self, connection: ClusterConnection, reactor: Any, name: str, seconds: float
    ) -> None:
        self._connection = connection
        self._reactor = reactor
        self._pool = BlockingPool(reactor, name, threads=1, waiting=MAX_WAITING)
        self._seconds = seconds
        self._has_answered = False

    def run(self, work: Callable[..., T], *words: Any) -> Deferred[T]:
        """Return what ``work(connection, *words)`` returns; fails with one of `UNANSWERED`.

        A call without an answer in time fails then, whatever its thread still waits for; one that
        has not begun by then is not carried out.
        """
        answer: Deferred[T] = Deferred()
        seconds = self._seconds if self._has_answered else max(self._seconds, FIRST_SECONDS)

        def late() -> None:
            self._has_answered = True
            self._connection.interrupt()
            place = self._connection.place
            answer.errback(StoreUnavailable(f"{place}: no answer within {seconds:g} s"))
            calling.cancel()

        limit = self._reactor.callLater(seconds, late)

        def answered(result: T | Failure) -> None:
            if limit.active():
                limit.cancel()
            if answer.called:  # late, or its caller does not wait any more
                return
            self._has_answered = True
            if isinstance(result, Failure):
                answer.errback(result)
            else:
                answer.callback(result)

        calling = self._pool.run(partial(self._connection.call, work, *words))
        calling.addBoth(answered)
        return answer

    def run_file_call(self, function: Callable[..., T], *words: Any) -> Deferred[T]:
        """Call a function that needs a file and no database, in the thread."""
        return self._pool.run(function, *words)

    async def close(self) -> None:
        """Close the connection, and end the thread."""
        self._connection.interrupt()
        await self._pool.finish(self._connection.close)
        await self._pool.stop()
