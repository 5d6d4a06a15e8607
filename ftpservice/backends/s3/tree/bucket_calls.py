"""Calls of the bucket in threads, and waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.backends.s3.api.failures import CHANGED, MISSING, S3Failure, storage_error
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import Unavailable
from ftpservice.wire.paths import VirtualPath

__all__ = ["in_bucket", "unless_abandoned", "while_unchanged"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def in_bucket(
    runner: BlockingRunner, path: VirtualPath, function: Callable[[*Ts], T], *args: *Ts
) -> T:
    """Call ``function`` in the pool; an `S3Failure` is raised as the `StorageError` it means."""
    return await in_pool(runner, path, _translated, path, function, args)


def _translated(path: VirtualPath, function: Callable[[*Ts], T], args: tuple[*Ts]) -> T:
    try:
        return function(*args)
    except S3Failure as failure:
        raise storage_error(failure, path) from None


@contextmanager
def while_unchanged(path: VirtualPath) -> Iterator[None]:
    """Read a version of an object that was opened; raises `Unavailable` if it is gone."""
    try:
        yield
    except S3Failure as failure:
        if failure.status in (CHANGED, MISSING):
            raise Unavailable(path, "replaced or removed while it was read") from None
        raise


def unless_abandoned(work: Deferred[T]) -> Deferred[T]:
    """Return a Deferred like ``work``; cancelling it ends the wait and not the work.

    Errors of work that nobody waits for any more are dropped.
    """
    waiting: Deferred[T] = Deferred()

    def deliver(outcome: Any) -> Any:
        if not waiting.called:
            waiting.callback(outcome)
            return None
        return None if isinstance(outcome, Failure) else outcome

    work.addBoth(deliver)
    return waiting
