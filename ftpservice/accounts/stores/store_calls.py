"""Calls of a store of accounts in threads, each with a time-out.

A store that does not answer must not make every login wait. While it is down, one call at a time
tries it; others fail at once. The first call that succeeds ends that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as CallTimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.wire.units import seconds_text

__all__ = ["CALL_SECONDS", "CALL_THREADS", "StoreCalls"]

log = Logger("ftpservice.accounts")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CALL_SECONDS = 2.0
"""How long a call may take; a second less than a login may take if a store is down."""
CALL_THREADS = 8


class StoreCalls:
    """Calls of one store. Use it on the reactor thread only.

    After a time-out ``interrupt`` is called with the time that it took, so that the thread becomes
    free.
    """

    def __init__(
        self,
        place: str,
        pool: BlockingRunner,
        clock: IReactorTime,
        interrupt: Callable[[float], object],
    ) -> None:
        self._place = place
        self._pool = pool
        self._clock = clock
        self._interrupt = interrupt
        self._problem: str | None = None
        """Why the store is down; None if it answered the last call."""
        self._is_trying = False
        """Whether a call tries the store while it is down."""

    async def call(self, function: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Call a method of the store in a thread; raises `LoginUnavailable`, `LoginBusy`."""
        tries = self._problem is not None
        if tries and self._is_trying:
            raise LoginUnavailable(f"{self._place}: {self._problem}")
        self._is_trying = self._is_trying or tries
        try:
            asked: Deferred[T] = self._pool.run(function, *arguments)
            result = await asked.addTimeout(CALL_SECONDS, self._clock)
        except (LoginBusy, CancelledError):
            raise
        except Exception as error:
            raise self._down(error) from error
        finally:
            if tries:
                self._is_trying = False
        if self._problem is not None:
            self._problem = None
            log.info("{place}: the account store answers again", place=self._place)
        return result

    def _down(self, error: Exception) -> LoginUnavailable:
        """Record that the store is down, and log it at the first time."""
        is_first = self._problem is None
        if isinstance(error, StoreUnavailable):
            self._problem = str(error)
        elif isinstance(error, CallTimedOut):
            self._interrupt(CALL_SECONDS)
            self._problem = f"no answer within {seconds_text(CALL_SECONDS)}"
        else:
            self._problem = type(error).__name__
            if is_first:
                log.failure("{place}: the account store failed", place=self._place)
        if is_first:
            log.error(
                "{place}: the account store is down, its logins are refused with 421: {problem}",
                place=self._place,
                problem=self._problem,
            )
        return LoginUnavailable(f"{self._place}: {self._problem}")
