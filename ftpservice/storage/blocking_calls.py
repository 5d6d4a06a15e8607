"""Blocking calls made in a thread pool, with the errors of the operating system translated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar, TypeVarTuple

from ftpservice.concurrency.thread_pool import (
    BlockingRunner,
    CallOverdue,
    PoolOverloaded,
    PoolStopped,
)
from ftpservice.storage.errors import OutOfResources, StorageError, Unavailable
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
    takes_long: bool = False,
) -> T:
    """Call ``function`` in the pool and return its result.

    An `OSError` is raised as the `StorageError` that it means for ``path``; `OutOfResources` if the
    pool is full, `Unavailable` if it has stopped or the call is overdue. ``dispose`` and
    ``takes_long``: see `BlockingRunner.run`.
    """

    def dispose_of(outcome: T | _StorageFailure) -> None:
        if dispose is not None and not isinstance(outcome, _StorageFailure):
            dispose(outcome)

    try:
        outcome = await runner.run(
            _attempted,
            path,
            function,
            args,
            dispose=None if dispose is None else dispose_of,
            takes_long=takes_long,
        )
    except PoolOverloaded as error:
        raise OutOfResources(path, "no thread is free") from error
    except PoolStopped as error:
        raise Unavailable(path, "stopped") from error
    except CallOverdue as error:
        raise Unavailable(path, str(error)) from error
    if isinstance(outcome, _StorageFailure):
        raise outcome.kind(outcome.path, outcome.detail)
    return outcome


async def in_pool_each(
    runner: BlockingRunner, calls: Sequence[tuple[VirtualPath, Callable[[], T]]]
) -> list[T | StorageError]:
    """Make several calls in one call of the pool; return the result or the error of each.

    If the pool is full or has stopped, none of them is made.
    """
    try:
        outcomes = await runner.run(_attempted_each, calls, takes_long=True)
    except PoolOverloaded:
        return [OutOfResources(path, "no thread is free") for path, _function in calls]
    except PoolStopped:
        return [Unavailable(path, "stopped") for path, _function in calls]
    except CallOverdue as error:
        return [Unavailable(path, str(error)) for path, _function in calls]
    return [
        outcome.kind(outcome.path, outcome.detail)
        if isinstance(outcome, _StorageFailure)
        else outcome
        for outcome in outcomes
    ]


class _StorageFailure(NamedTuple):
    """A storage error on its way out of the pool, without its traceback.

    A raised error refers to the frames that it passed, and some of those refer to it. Such cycles
    keep directories open until the garbage collector runs, which can take hours in an idle service.
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
    """Make the call, in the thread."""
    try:
        return function(*args)
    except OSError as error:
        return _StorageFailure.of(translate(error, path))
    except StorageError as error:
        return _StorageFailure.of(error)


def _attempted_each(
    calls: Sequence[tuple[VirtualPath, Callable[[], T]]],
) -> list[T | _StorageFailure]:
    """Make the calls, in the thread."""
    return [_attempted(path, function, ()) for path, function in calls]
