"""Work of many connections, one after the other.

A handshake takes a millisecond or so, a command less, and a hundred may come at once. While they
are computed no other connection's bytes move. So all work of a kind gets a share of the reactor's
time in each iteration; what does not fit waits for the next iteration.

Two queues: work that just arrived goes before the remainder of work that has already had a turn, so
that a client that asks for little does not wait behind those that ask for much. At least one of the
remainders is continued in each iteration.

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
"""Length of a step (`is_over`, `run_when_due`) that just arrived, and of one that continues.

Hundreds may arrive together, and each waits for those before it."""


class TimeBudget:
    """Has steps done, at once or when their turn comes."""

    def __init__(
        self, reactor: Any, now: Callable[[], float] = perf_counter, share: float = SECONDS_PER_TURN
    ) -> None:
        self._reactor = reactor
        self._share = share
        self._now = now
        self._fresh: deque[Callable[[], object]] = deque()
        self._continued: deque[Callable[[], object]] = deque()
        self._spent = 0.0
        self._limit = share
        """What may be spent before `run_when_due` waits."""
        self._end_of_step = 0.0
        self._asked = False

    def take(self, step: Callable[[], object], continued: bool = False) -> bool:
        """Do a step; tell whether it is done, or will be later.

        ``continued``: the step continues work that has had a turn.
        """
        if self._spent < self._share and not (continued and self._continued):
            self._do(step, STEP_SECONDS if continued else NEW_STEP_SECONDS)
            return True
        (self._continued if continued else self._fresh).append(step)
        self._wait()
        return False

    def continue_later(self, step: Callable[[], object]) -> None:
        """Do the next step of the work in progress, after those of others."""
        self._continued.append(step)
        self._wait()

    @property
    def is_over(self) -> bool:
        """Whether the step in progress has had its time.

        And should continue by `continue_later`.
        """
        return self._now() >= self._end_of_step

    @property
    def is_exhausted(self) -> bool:
        """Whether others have to have their `turn` before more is computed."""
        return self._spent >= self._limit

    async def turn(self, continued: bool = True) -> None:
        """Wait for the next turn, in the queue of `take`."""
        turn: Deferred[None] = Deferred()
        (self._continued if continued else self._fresh).append(lambda: turn.callback(None))
        self._wait()
        await turn

    async def run_when_due(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a function that computes for up to a millisecond, when there is time for it.

        For loops that would otherwise not end within a step, whether or not they wait for anything.
        """
        if self._spent >= self._limit:
            await self.turn()
        return self.run_timed(function, *args)

    def run_timed(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call a function now, and count the time that it takes."""
        began = self._now()
        try:
            return function(*args)
        finally:
            self._spent += self._now() - began
            if self._spent >= self._share:
                self._wait()

    def _go_on(self) -> None:
        self._asked = False
        self._spent = 0.0
        try:
            self._do_those(self._fresh, NEW_STEP_SECONDS)
            if self._continued:
                self._do(self._continued.popleft(), STEP_SECONDS)
                self._do_those(self._continued, STEP_SECONDS)
        finally:
            if self._fresh or self._continued:
                self._wait()

    def _do_those(self, waiting: deque[Callable[[], object]], seconds: float) -> None:
        while waiting and self._spent < self._share:
            self._do(waiting.popleft(), seconds)

    def _do(self, step: Callable[[], object], seconds: float) -> None:
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
                self._wait()

    def _wait(self) -> None:
        """Have the reactor come by, once."""
        if not self._asked:
            self._asked = True
            self._reactor.callLater(0, self._go_on)
