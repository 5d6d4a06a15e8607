"""Blocking calls that a thread runs many at a time.

A call in a thread wakes a thread and the reactor, which takes longer than to write a small file.
Where many short calls follow one another, and nobody needs the result of one at once, they are
collected for a moment and run in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ftpservice.concurrency.thread_pool import BlockingRunner, PooledCall

__all__ = ["BatchedCalls"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
DELAY_SECONDS = 0.005
"""Seconds for which the first call of a batch waits for others."""


class BatchedCalls:
    """A `BlockingRunner` that runs up to ``most`` calls of ``pool`` at a time, one after the other.

    A call begins when ``most`` are there, or `DELAY_SECONDS` after the first one.
    """

    def __init__(self, pool: BlockingRunner, clock: Any, most: int) -> None:
        self._pool = pool
        self._clock = clock
        self._most = most
        self._calls: list[PooledCall[Any]] = []
        self._due: IDelayedCall | None = None
        self.finish = pool.finish
        self.stop = pool.stop

    def run(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        dispose: Callable[[T], object] | None = None,
        takes_long: bool = False,  # noqa: ARG002 - none of these does
    ) -> Deferred[T]:
        """Call ``function`` in a thread, soon (see `BlockingRunner.run`)."""
        call = PooledCall(partial(function, *args), dispose)
        self._calls.append(call)
        if len(self._calls) >= self._most:
            self._begin()
        elif self._due is None:
            self._due = self._clock.callLater(DELAY_SECONDS, self._begin)
        return call.result

    def _begin(self) -> None:
        due, self._due = self._due, None
        if due is not None and due.active():
            due.cancel()
        calls, self._calls = self._calls, []
        running = self._pool.run(_outcomes, calls)
        running.addCallbacks(self._deliver, _fail, (calls,), errbackArgs=(calls,))

    def _deliver(self, outcomes: list[Any], calls: list[PooledCall[Any]]) -> None:
        for call, outcome in zip(calls, outcomes, strict=True):
            if call.is_cancelled:
                call.discard(outcome, self._pool)
            else:
                call.result.callback(outcome)


def _outcomes(calls: list[PooledCall[Any]]) -> list[Any]:
    return [call.outcome() for call in calls]


def _fail(failure: Failure, calls: list[PooledCall[Any]]) -> None:
    """Fail calls that the pool has refused."""
    for call in calls:
        if not call.is_cancelled:
            call.result.errback(failure)
