"""Time of a simulation: one timeline, and clocks of nodes that drift."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

__all__ = ["NodeClock", "Timeline"]


class Timeline:
    """What happens when; ``now`` is in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call a function; what is due at the same time is called in order."""
        entry = (self.now + max(0.0, seconds), next(self._numbers), function)
        heapq.heappush(self._due, entry)

    def run(self, until: float) -> None:
        """Do all that is due until a time."""
        due = self._due
        while due and due[0][0] <= until:
            self.now, _number, function = heapq.heappop(due)
            self.steps += 1
            function()
        self.now = until


@implementer(IDelayedCall)
class NodeCall:
    """A call that a node has scheduled, in the time of its clock."""

    def __init__(self, clock: NodeClock, at: float, function: Callable[[], object]) -> None:
        self._clock = clock
        self._function = function
        self._is_called = self._is_cancelled = False
        self._schedule(at)

    def _schedule(self, at: float) -> None:
        self._at = at
        self._clock.timeline.call_later(
            (at - self._clock.seconds()) / self._clock.rate, lambda: self._fire(at)
        )

    def _fire(self, at: float) -> None:
        if self.active() and at == self._at and self._clock.is_running:
            self._is_called = True
            self._function()

    def active(self) -> bool:
        """Return whether it is still to be called."""
        return not (self._is_called or self._is_cancelled)

    def getTime(self) -> float:
        """Return when it is due."""
        return self._at

    def cancel(self) -> None:
        """Call it never."""
        self._check()
        self._is_cancelled = True

    def reset(self, seconds: float) -> None:
        """Call it so many seconds from now."""
        self._check()
        self._schedule(self._clock.seconds() + seconds)

    def delay(self, seconds: float) -> None:
        """Call it later by so many seconds."""
        self._check()
        self._schedule(self._at + seconds)

    def _check(self) -> None:
        if self._is_cancelled:
            raise AlreadyCancelled
        if self._is_called:
            raise AlreadyCalled


@implementer(IReactorTime)
class NodeClock:
    """The clock of a node, whose seconds are shorter or longer by ``rate``."""

    def __init__(self, timeline: Timeline, rate: float, offset: float) -> None:
        self.timeline = timeline
        self.rate = rate
        self.is_running = True
        """Whether calls happen; False for a node that is dead."""
        self._offset = offset

    def seconds(self) -> float:
        """Return the time."""
        return self._offset + self.timeline.now * self.rate

    def callLater(self, seconds: float, function: Any, *words: Any, **named: Any) -> NodeCall:
        """Schedule a call."""
        at = self.seconds() + seconds
        return NodeCall(self, at, lambda: function(*words, **named))

    def getDelayedCalls(self) -> list[IDelayedCall]:
        """Not known here."""
        raise NotImplementedError
