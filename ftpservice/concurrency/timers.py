"""A timer that can be set again and cancelled."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Deadline"]


class Deadline:
    """Calls ``passed`` once when a time has passed; 0 seconds: never."""

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
            self._call = self._clock.callLater(seconds, self._passed)

    def clear(self) -> None:
        """Cancel the timer."""
        self.set(0)
