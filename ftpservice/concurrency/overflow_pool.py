"""A pool for calls that rarely block: one thread makes them all.

Threads whose system calls return at once wait only for the interpreter lock. More of them do not
achieve more; they delay each other and the reactor at each call: small uploads of ten clients took
twice as long with eight threads as with one. But a disk can be slow at any time. So if one call
takes long, the calls after it go to a pool with more threads.

Results are delivered together: when no call waits, or a few at a time. A reactor that is woken for
each of them competes with the thread for the interpreter lock at every system call.
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ftpservice.concurrency.thread_pool import BlockingPool, PooledCall

__all__ = ["OverflowPool"]

MAX_UNDELIVERED_RESULTS = 16
RECHECK_SECONDS = 0.005
"""Seconds that one call may delay others, and the results before it."""


class OverflowPool(BlockingPool):
    """A pool of one thread, which uses the pool ``others`` while a call blocks it."""

    def __init__(self, reactor: Any, others: BlockingPool, name: str = "storage") -> None:
        """``reactor`` must have a clock, too."""
        super().__init__(reactor, f"{name}, brief", threads=1)
        self._clock = reactor
        self._max_undelivered = MAX_UNDELIVERED_RESULTS
        self._others = others
        self._look_due: IDelayedCall | None = None

    def stop(self) -> Deferred[None]:
        """Refuse further calls; fires when the thread has ended."""
        if self._look_due is not None:
            self._look_due.cancel()
            self._look_due = None
        return super().stop()

    def _begin(self, call: PooledCall[Any]) -> None:
        super()._begin(call)
        if self._calls > 1 and self._look_due is None:
            self._look_later()

    def _look_later(self) -> None:
        self._look_due = self._clock.callLater(RECHECK_SECONDS, self._look, self._begun)

    def _look(self, begun: int) -> None:
        """Move the waiting calls if the thread has begun none since; deliver what is done."""
        self._look_due = None
        if self._begun == begun:
            with suppress(Empty):
                while (call := self._queue.get_nowait()) is not None:
                    self._calls -= 1
                    self._others._begin(call)
        self._deliver()  # last: the thread wakes nobody for a result that it has before they move
        if self._calls > 1:
            self._look_later()
