"""A limit to how long a call may take, from when it is made to its end."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ftpservice_client.errors import Timeout

__all__ = ["with_timeout"]

T = TypeVar("T")


def with_timeout(call: Deferred[T], seconds: float | None, clock: IReactorTime) -> Deferred[T]:
    """Have a call cancelled after so many seconds; it fails with `Timeout` then. None: never.

    What it came to just then, all the same, is what it came to.
    """

    def late(result: T | Failure, _seconds: float) -> T | Failure:
        if isinstance(result, Failure) and result.check(CancelledError):
            return Failure(Timeout(f"it was not done in {seconds:g} seconds"))
        return result

    return call if seconds is None else call.addTimeout(seconds, clock, late)
