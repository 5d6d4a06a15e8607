"""Waiting: for an event or for time to pass, and no longer than something still moves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ftpservice.stream.errors import TransferStalled

__all__ = ["StallDetector", "StallTimeout", "Wakeup"]

CHECKS_PER_TIMEOUT = 4
"""So many times in a timeout we look whether something moved, so it is kept to a quarter."""


class Wakeup:
    """One waits, another rings; cancelling the one that waits leaves nothing behind."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: Deferred[bool] | None = None

    async def wait(self, seconds: float) -> bool:
        """Wait for the bell; False when ``seconds`` passed first. 0 is for ever."""
        waiting: Deferred[bool] = Deferred()
        self._waiting = waiting
        call = self._clock.callLater(seconds, waiting.callback, False) if seconds else None
        try:
            return await waiting
        finally:
            self._waiting = None
            if call is not None and call.active():
                call.cancel()

    def wake_waiter(self) -> None:
        """Wake the one that waits, if there is one."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(True)


class StallDetector:
    """Tells when a number has been the same for too long."""

    def __init__(
        self, clock: IReactorTime, timeout: float, progress: Callable[[], int] = lambda: 0
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._progress = progress
        self.reset()

    def reset(self) -> None:
        """Count from now on."""
        self._since, self._seen = self._clock.seconds(), self._progress()

    def check(self) -> None:
        """Raise `TransferStalled` if the number stood still for the whole timeout.

        Never if that is 0.
        """
        now, seen = self._clock.seconds(), self._progress()
        if seen != self._seen:
            self._since, self._seen = now, seen
        elif self._timeout and now - self._since >= self._timeout:
            raise TransferStalled(f"nothing moved for {self._timeout:g} seconds")


class StallTimeout:
    """Waits for a bell, but not longer than ``progress`` (a number) goes on changing."""

    def __init__(
        self, clock: IReactorTime, timeout: float, progress: Callable[[], int] = lambda: 0
    ) -> None:
        self._bell = Wakeup(clock)
        self.wake = self._bell.wake_waiter
        """Wakes the one that waits, if there is one."""
        self._look_after = timeout / CHECKS_PER_TIMEOUT
        self._new_standstill = partial(StallDetector, clock, timeout, progress)

    async def wait(self) -> None:
        """Wait to be woken; raises `TransferStalled`."""
        standstill = self._new_standstill()
        while not await self._bell.wait(self._look_after):
            standstill.check()
