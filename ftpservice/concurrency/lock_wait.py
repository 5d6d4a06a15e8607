"""Waiting off the reactor for a lock of a shared table that another process keeps.

It has no processor for a moment, or was stopped. `acquire` blocks for a short time only; whoever
can wait longer tries again a few times a second.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

__all__ = ["LOCKED_SECONDS", "LockWait", "after_lock"]

LOCKED_SECONDS = 10.0
"""How long one call waits in all."""
RETRY_SECONDS = 0.02


class LockWait:
    """What one call waits, however many locks it needs."""

    __slots__ = ("_clock", "_until")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._until: float | None = None

    async def is_worth_another_try(self) -> bool:
        """Wait for a moment; False, at once, if that has lasted `LOCKED_SECONDS`."""
        now = self._clock.seconds()
        if self._until is None:
            self._until = now + LOCKED_SECONDS
        if now >= self._until:
            return False
        await deferLater(self._clock, RETRY_SECONDS)
        return True


async def after_lock(clock: IReactorTime, error: Exception, wait: LockWait | None) -> LockWait:
    """Wait for a moment after an error; raises it when one call has waited long enough.

    ``wait`` is what this has returned in the same call before.
    """
    wait = wait or LockWait(clock)
    if not await wait.is_worth_another_try():
        raise error
    return wait
