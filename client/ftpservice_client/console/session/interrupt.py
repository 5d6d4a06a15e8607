"""What Ctrl-C stops: the command that runs, never the shell."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Interrupt"]

Result = TypeVar("Result")


class Interrupt:
    """Runs one thing at a time; called, it cancels that."""

    def __init__(self) -> None:
        self._running: Deferred[Any] | None = None
        self.is_suspended = False
        """Whether it is ignored, as while another program has the terminal."""

    def __call__(self) -> None:
        """Cancel what runs; with nothing to cancel, do nothing."""
        if self._running is not None and not self.is_suspended:
            self._running.cancel()

    async def run(self, work: Coroutine[Deferred[Any], Any, Result]) -> Result:
        """Do ``work``; raises what it raises, `CancelledError` after a call."""
        running: Deferred[Result] = Deferred.fromCoroutine(work)
        self._running = running
        try:
            return await running
        finally:
            self._running = None
