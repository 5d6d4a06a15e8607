"""A timer that can be set again and cancelled."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Deadline"]

LATE_SECONDS = 1.0
"""A process that runs a call this much later was paused, or did not come round."""


class Deadline:
    """Calls ``passed`` once when a time has passed; 0 seconds: never.

    After a pause (SIGSTOP, a virtual machine that is moved) the reactor first reads what has come
    meanwhile, so that this may set the timer again.
    """

    __slots__ = ("_call", "_clock", "_passed")

    def __init__(self, clock: IReactorTime, passed: Callable[[], object]) -> None:
        self._clock = clock
        self._passed = passed
        self._call: IDelayedCall | None = None

    def set(self, seconds: float) -> None:
        """Start the timer, or start it again."""
        call = self._call
        if call is not None and call.active():
            if seconds > 0:
                call.reset(seconds)
            else:
                call.cancel()
                self._call = None
        elif seconds > 0:
            self._call = self._clock.callLater(seconds, self)  # a method would be one more object

    def __call__(self) -> None:
        """Called by the clock."""
        call, clock = self._call, self._clock
        if call is not None and clock.seconds() - call.getTime() > LATE_SECONDS:
            self._call = clock.callLater(0, self._passed)
        else:
            self._passed()

    def clear(self) -> None:
        """Cancel the timer."""
        self.set(0)
