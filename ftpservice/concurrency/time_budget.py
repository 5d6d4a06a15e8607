"""The share of the reactor's time that the computations of all connections get.

A handshake takes about a millisecond, a command less, and a hundred may arrive at once. While they
are computed, no other connection's bytes move. So all work of a kind gets a share of the reactor's
time in each iteration; what does not fit waits for the next iteration.

Two queues: new work goes before the remainder of work that has already had a turn, so that a client
with a short request does not wait for those with long ones. At least one remainder is continued in
each iteration.

Computation stays on the reactor's thread on purpose: while a second thread computes, the reactor
waits for Python's lock up to five milliseconds (`sys.getswitchinterval`) at each system call it
makes. Threads are for what blocks and for what releases the lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred

__all__ = ["TimeBudget"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

SECONDS_PER_TURN = 0.002
"""Seconds of work in one iteration of the reactor; a longer step is done by itself."""
NEW_STEP_SECONDS, STEP_SECONDS = 0.0002, 0.001
"""Length of a step (`step_is_over`, `run_when_due`) of new work, and of one that continues.

Hundreds of new ones may arrive together, and each waits for those before it."""


class TimeBudget:
    """Runs steps: at once within the budget, otherwise in a later iteration of the reactor."""

    def __init__(
        self, reactor: Any, now: Callable[[], float] = perf_counter, share: float = SECONDS_PER_TURN
    ) -> None:
        self._reactor = reactor
        self._share = share
        self._now = now
        self._new: deque[Callable[[], object]] = deque()
        self._continued: deque[Callable[[], object]] = deque()
        self._spent = 0.0
        self._limit = share
        """Seconds that may be spent before `run_when_due` waits."""
        self._end_of_step = 0.0
        self._scheduled = False

    def take(self, step: Callable[[], object], continued: bool = False) -> bool:
        """Run a step now or queue it; return whether it has run.

        ``continued``: the step continues work that has had a turn.
        """
        if self._spent < self._share and not (continued and self._continued):
            self._run_step(step, STEP_SECONDS if continued else NEW_STEP_SECONDS)
            return True
        (self._continued if continued else self._new).append(step)
        self._schedule()
        return False

    def continue_later(self, step: Callable[[], object]) -> None:
        """Queue the next step of the work in progress, after the steps that wait."""
        self._continued.append(step)
        self._schedule()

    @property
    def step_is_over(self) -> bool:
        """Whether the time of the step in progress is used up; the rest is for `continue_later`."""
        return self._now() >= self._end_of_step

    @property
    def is_exhausted(self) -> bool:
        """Whether the time is used up: wait for a `turn` before computing more."""
        return self._spent >= self._limit

    async def turn(self, continued: bool = True) -> None:
        """Wait for the next turn, in the queue of `take`."""
        turn: Deferred[None] = Deferred()
        (self._continued if continued else self._new).append(lambda: turn.callback(None))
        self._schedule()
        await turn

    async def run_when_due(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a function that computes for up to a millisecond, as soon as the budget allows it.

        For the passes of loops that take longer than a step.
        """
        if self._spent >= self._limit:
            await self.turn()
        return self.run_timed(function, *args)

    def run_timed(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a function now and charge the time that it takes."""
        began = self._now()
        try:
            return function(*args)
        finally:
            self._spent += self._now() - began
            if self._spent >= self._share:
                self._schedule()

    def _run_queues(self) -> None:
        self._scheduled = False
        self._spent = 0.0
        try:
            self._run_queued(self._new, NEW_STEP_SECONDS)
            if self._continued:
                self._run_step(self._continued.popleft(), STEP_SECONDS)
                self._run_queued(self._continued, STEP_SECONDS)
        finally:
            if self._new or self._continued:
                self._schedule()

    def _run_queued(self, waiting: deque[Callable[[], object]], seconds: float) -> None:
        while waiting and self._spent < self._share:
            self._run_step(waiting.popleft(), seconds)

    def _run_step(self, step: Callable[[], object], seconds: float) -> None:
        before, limit = self._spent, self._limit
        began = self._now()
        self._end_of_step = began + seconds
        self._limit = min(self._share, before + seconds)
        try:
            step()
        finally:
            self._limit = limit
            self._spent = max(self._spent, before + self._now() - began)
            if self._spent >= self._share:
                self._schedule()

    def _schedule(self) -> None:
        """Schedule one run of the queues, in the next iteration of the reactor."""
        if not self._scheduled:
            self._scheduled = True
            self._reactor.callLater(0, self._run_queues)
