"""Ctrl-C: cancels the command that runs, not the shell."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Interrupt"]

Result = TypeVar("Result")


class Interrupt:
    """Runs one coroutine at a time; a call of the object cancels it."""

    def __init__(self) -> None:
        self._running: Deferred[Any] | None = None
        self.is_suspended = False
        """Calls are ignored, for example while another program uses the terminal."""

    def __call__(self) -> None:
        """Cancel what runs, if anything does."""
        if self._running is not None and not self.is_suspended:
            self._running.cancel()

    async def run(self, work: Coroutine[Deferred[Any], Any, Result]) -> Result:
        """Await ``work``; raises what it raises, and `CancelledError` after an interrupt."""
        running: Deferred[Result] = Deferred.fromCoroutine(work)
        self._running = running
        try:
            return await running
        finally:
            self._running = None
