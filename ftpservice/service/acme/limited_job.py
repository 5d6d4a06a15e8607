"""Runs one coroutine at a time, with a thread of its own and within a time limit."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.concurrency.timers import Deadline

__all__ = ["Job", "LimitedJob"]

log = Logger("ftpservice.tls")

STOP_SECONDS = 2.0
"""Time that a call in the thread may take to end when the job is stopped."""

Job = Callable[[BlockingRunner], Coroutine[Any, Any, None]]
"""Begins a coroutine that runs its blocking calls in a pool."""


class LimitedJob:
    """Calls ``ended`` after each job; a job that lasts longer than ``seconds`` is cancelled.

    A call that hangs keeps its thread, and nothing else: the next job has another one.
    """

    def __init__(
        self,
        reactor: Any,
        seconds: float,
        make_pool: Callable[[Any], BlockingRunner],
        ended: Callable[[], object],
    ) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._make_pool = make_pool
        self._report_end = ended
        self._limit = Deadline(reactor, self._cancel)
        self._pool: BlockingRunner | None = None
        self._task: Task[None] | None = None
        self._stopping: Deferred[None] = succeed(None)
        """Fires when the thread of the last job has ended."""

    @property
    def is_running(self) -> bool:
        """Whether a job is in progress."""
        return self._pool is not None

    def start(self, job: Job) -> None:
        """Run a job; there must be none in progress."""
        self._pool = self._make_pool(self._reactor)
        self._limit.set(self._seconds)
        self._task = Task(job(self._pool))
        self._task.done.addErrback(_unexpected).addCallback(self._ended)

    def stop(self) -> Deferred[None]:
        """Cancel the job in progress; fires when its thread has ended, or soon."""
        self._cancel()
        return self._stopping.addTimeout(STOP_SECONDS, self._reactor).addErrback(_late)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ended(self, _none: object) -> None:
        pool, self._pool, self._task = self._pool, None, None
        self._limit.clear()
        if pool is not None:
            self._stopping = pool.stop()
        self._report_end()


def _unexpected(failure: Failure) -> None:
    log.failure("the certificate could not be renewed", failure)


def _late(failure: Failure) -> None:
    failure.trap(DeferredTimeout)
