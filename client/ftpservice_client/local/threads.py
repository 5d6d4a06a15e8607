"""Blocking calls in threads: files, certificates, digests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IReactorThreads

from ftpservice.concurrency.thread_pool import (
    BlockingPool,
    BlockingRunner,
    InlineRunner,
    PoolStopped,
    run_unattended,
)
from ftpservice_client.errors import LocalFileError

__all__ = ["ThreadRunner"]

T = TypeVar("T")
MAX_THREADS = 10
"""Threads of a reactor, for all its clients; they begin when there is work for them."""

_runners: WeakKeyDictionary[Any, BlockingRunner] = WeakKeyDictionary()


class ThreadRunner:
    """Calls functions in threads, for coroutines that may be cancelled meanwhile.

    A reactor without threads has them called at once.
    """

    def __init__(self, reactor: Any) -> None:
        self._runner = _runners.get(reactor) or _runner_for(reactor)

    async def call(
        self, function: Callable[..., T], *args: Any, undo: Callable[[T], object] | None = None
    ) -> T:
        """Return what the function does; when the reactor has stopped, raise `LocalFileError`.

        One that nobody waits for any more never begins, or is undone: ``undo`` is called with what
        it returned, in a thread.
        """
        try:
            return await self._runner.run(function, *args, dispose=undo)
        except PoolStopped:
            raise LocalFileError("the reactor has stopped") from None

    def let_go(self, function: Callable[[], object]) -> None:
        """Call a function that nobody waits for; a failure is logged."""
        run_unattended(self._runner, function)


def _runner_for(reactor: Any) -> BlockingRunner:
    """Return what runs a reactor's calls, until it has stopped."""
    has_threads = IReactorThreads.providedBy(reactor)
    runner: BlockingRunner = InlineRunner()
    if has_threads:
        runner = BlockingPool(
            reactor, "ftpservice client", threads=MAX_THREADS, waiting=sys.maxsize
        )
        reactor.addSystemEventTrigger("before", "shutdown", runner.stop)  # and waits for it
    _runners[reactor] = runner
    return runner
