"""Blocking calls in the reactor's threads: files, certificates, digests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

__all__ = ["Threads"]

T = TypeVar("T")
log = Logger()


class Threads:
    """Calls functions in threads, for coroutines that may be cancelled meanwhile."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    async def call(
        self, function: Callable[..., T], *args: Any, undo: Callable[[T], object] | None = None
    ) -> T:
        """Return what the function does; one that nobody waits for any more is undone.

        ``undo`` is called with what it returned, in a thread.
        """
        waiting: Deferred[T] = Deferred()
        called = self._begin(function, *args)
        called.addCallback(self._passed_on, waiting, undo)
        called.addErrback(_failed, waiting)
        return await waiting

    def let_go(self, function: Callable[[], object]) -> None:
        """Call a function that nobody waits for."""
        self._begin(function).addErrback(_logged)

    def _begin(self, function: Callable[..., T], *args: Any) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function, *args)

    def _passed_on(
        self, result: T, waiting: Deferred[T], undo: Callable[[T], object] | None
    ) -> None:
        if not waiting.called:
            waiting.callback(result)
        elif undo is not None:
            self.let_go(lambda: undo(result))


def _failed(failure: Failure, waiting: Deferred[Any]) -> None:
    if not waiting.called:
        waiting.errback(failure)


def _logged(failure: Failure) -> None:
    log.failure("a file could not be let go of", failure)
