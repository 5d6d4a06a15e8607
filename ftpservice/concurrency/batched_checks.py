"""Checks connections and ports in batches, shortly after they have most likely ended.

A peer ends a connection soon after it has received everything; a client connects to a listening
port soon. Registering each of them with the reactor costs system calls and an iteration; one check
of many, a little later, does not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["BatchedChecks"]

DELAY_SECONDS = 0.05
"""Seconds after which a check is due."""
MAX_PENDING_CHECKS = 64
"""Maximum number of waiting checks; with more, the older half is made at once."""


class BatchedChecks:
    """Calls each added function once, soon; there is one instance per clock (`of`).

    It also knows the connections that wait for their peer, so that a stopping program can close
    them (`settle`).
    """

    _known: WeakKeyDictionary[Any, BatchedChecks] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._looks: deque[Callable[[], object]] = deque()
        self._due: IDelayedCall | None = None
        self.waiting: set[Callable[[], object]] = set()
        """The functions that close the connections that wait for their peer."""

    @classmethod
    def of(cls, clock: IReactorTime) -> BatchedChecks:
        """Return the instance of the clock; created at the first call."""
        known = cls._known.get(clock)
        if known is None:
            known = cls._known[clock] = cls()
        return known

    def add(self, clock: IReactorTime, look: Callable[[], object]) -> None:
        """Call ``look`` within `DELAY_SECONDS` seconds of the clock."""
        self._looks.append(look)
        if self._due is None or not self._due.active():  # a test's reactor may have dropped it
            self._due = clock.callLater(DELAY_SECONDS, self._look_at_all)
        elif len(self._looks) > MAX_PENDING_CHECKS:
            self._look(MAX_PENDING_CHECKS // 2)

    def check_soon(self, clock: IReactorTime) -> None:
        """Call `settle` in the next iteration, for callers that a connection has called."""
        if self._due is not None or self.waiting:
            clock.callLater(0, self.settle)

    def settle(self) -> None:
        """Make all checks now, and close the connections that still wait for their peer.

        Everything was sent, and acknowledged where that matters. Some connections are closed before
        this returns, the others in the next iteration of the reactor.
        """
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._look_at_all()
        while self.waiting:
            self.waiting.pop()()

    def _look_at_all(self) -> None:
        self._due = None
        self._look(len(self._looks))

    def _look(self, count: int) -> None:
        for _ in range(count):
            self._looks.popleft()()
