"""The pace of work in the background: a limit of the time that it may take from other work."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

__all__ = ["Pace"]

TURN_SECONDS = 0.02
"""Work for less time than this is not interrupted by a pause."""


class Pace:
    """Lets steps follow each other no faster than their costs, which are in seconds."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._free_at = 0.0

    async def step(self, cost: float) -> None:
        """Wait until the steps before this one are paid for; may be cancelled.

        The reactor does other things before each step.
        """
        now = self._clock.seconds()
        wait = self._free_at - now
        self._free_at = max(now, self._free_at) + cost
        await deferLater(self._clock, wait if wait > TURN_SECONDS else 0)
