"""The timeout of a call."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ftpservice.wire.units import seconds_text
from ftpservice_client.errors import Timeout

__all__ = ["with_timeout"]

T = TypeVar("T")


def with_timeout(call: Deferred[T], seconds: float | None, clock: IReactorTime) -> Deferred[T]:
    """Cancel a call after ``seconds``, so that it fails with `Timeout`; None: no limit.

    A result or another error that arrives in spite of the cancellation is passed on.
    """

    def late(result: T | Failure, limit: float) -> T | Failure:
        if isinstance(result, Failure) and result.check(CancelledError):
            return Failure(Timeout(f"not done in {seconds_text(limit)}"))
        return result

    return call if seconds is None else call.addTimeout(seconds, clock, late)
