"""Calls to the operating system, made in a pool, with its errors translated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, TypeVarTuple

from ftpservice.concurrency.thread_pool import BlockingRunner, PoolOverloaded, PoolStopped
from ftpservice.storage.errors import Busy, StorageError, Unavailable
from ftpservice.storage.os_errors import translate
from ftpservice.wire.paths import VirtualPath

__all__ = ["in_pool", "in_pool_each"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def in_pool(
    runner: BlockingRunner,
    path: VirtualPath,
    function: Callable[[*Ts], T],
    *args: *Ts,
    dispose: Callable[[T], object] | None = None,
) -> T:
    """Call ``function`` in the pool; what it raises is about ``path``.

    See `BlockingRunner.run`.
    """

    def dispose_of(outcome: T | _StorageFailure) -> None:
        if dispose is not None and not isinstance(outcome, _StorageFailure):
            dispose(outcome)

    try:
        outcome = await runner.run(
            _attempted, path, function, args, dispose=None if dispose is None else dispose_of
        )
    except PoolOverloaded as error:
        raise Busy(path, "too many calls wait") from error
    except PoolStopped as error:
        raise Unavailable(path, "stopped") from error
    if isinstance(outcome, _StorageFailure):
        raise outcome.kind(outcome.path, outcome.detail)
    return outcome


async def in_pool_each(
    runner: BlockingRunner, calls: Sequence[tuple[VirtualPath, Callable[[], T]]]
) -> list[T | StorageError]:
    """Make calls one after the other in one call of the pool; what one raises is in its place.

    When the pool takes no more, none was made.
    """
    try:
        outcomes = await runner.run(_attempted_each, calls)
    except PoolOverloaded:
        return [Busy(path, "too many calls wait") for path, _function in calls]
    except PoolStopped:
        return [Unavailable(path, "stopped") for path, _function in calls]
    return [
        outcome.kind(outcome.path, outcome.detail)
        if isinstance(outcome, _StorageFailure)
        else outcome
        for outcome in outcomes
    ]


class _StorageFailure(NamedTuple):
    """A storage error on its way out of the pool.

    Not the error itself: a raised one knows the frames it passed, and some of those would know
    it. Such rings keep directories open until the collector comes by, which in an idle service
    can take hours.
    """

    kind: type[StorageError]
    path: VirtualPath
    detail: str

    @classmethod
    def of(cls, error: StorageError) -> _StorageFailure:
        return cls(type(error), error.path, error.detail)


def _attempted(
    path: VirtualPath, function: Callable[[*Ts], T], args: tuple[*Ts]
) -> T | _StorageFailure:
    """Do the call, in the thread."""
    try:
        return function(*args)
    except OSError as error:
        return _StorageFailure.of(translate(error, path))
    except StorageError as error:
        return _StorageFailure.of(error)


def _attempted_each(
    calls: Sequence[tuple[VirtualPath, Callable[[], T]]],
) -> list[T | _StorageFailure]:
    """Do the calls, in the thread."""
    return [_attempted(path, function, ()) for path, function in calls]
