"""A pool for calls that may never return, as those to a filesystem of another machine.

Nothing can end such a call: it occupies its thread until the other machine answers. But nobody has
to wait for it:

- Whoever waits for a call is told after ``time_limit`` seconds, `LONG_FACTOR` times that for calls
  that take long. What the call returns later is disposed of as after a cancel.
- While a call is overdue, those that take no long have `SHORT_LIMIT_SECONDS` at most.
- While all threads have overdue calls, further calls fail at once.
- The pool can be stopped.

So it needs a clock. What runs in other pools is not delayed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.concurrency.thread_pool import BlockingPool, CallOverdue, PooledCall
from ftpservice.wire.units import seconds_text

__all__ = ["LONG_FACTOR", "WatchedPool"]

LONG_FACTOR = 10
"""How much more time a call has that moves many bytes, or waits until they are on the disk."""
SHORT_LIMIT_SECONDS = 2.0
"""Time for a call while another one is overdue."""
LOOKS_PER_LIMIT = 8
"""How often overdue calls are looked for; one is noticed up to an eighth of its time late."""
MAX_STOP_SECONDS = 3.0
"""Time that `stop` waits for calls."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class WatchedPool(BlockingPool):
    """The pool; ``reactor`` has a clock, too. ``what`` is what does not answer, for the log."""

    def __init__(
        self, reactor: Any, name: str, what: str, time_limit: float, threads: int = 8
    ) -> None:
        super().__init__(reactor, name, threads)
        self._clock = reactor
        self._what = what
        self._limit = time_limit
        self._since: dict[PooledCall[Any], float] = {}
        """When the calls were begun that somebody waits for; in that order."""
        self._in_threads: set[PooledCall[Any]] = set()
        self._look_due: IDelayedCall | None = None
        self._is_silent = False
        """Whether it is logged that calls are overdue."""

    @property
    def overdue(self) -> int:
        """The number of calls that run and that nobody waits for any more."""
        return sum(call.is_cancelled for call in tuple(self._in_threads))

    def run(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        dispose: Callable[[T], object] | None = None,
        takes_long: bool = False,
    ) -> Deferred[T]:
        """Call ``function`` in a thread; fails with `CallOverdue` after its time."""
        if self._in_threads and self.overdue >= self._most:
            self._count_refusal()
            return fail(CallOverdue(f"{self._what} does not answer"))
        return super().run(function, *args, dispose=dispose, takes_long=takes_long)

    def stop(self) -> Deferred[None]:
        """Refuse further calls; fires when all threads have ended, or after some seconds."""
        ended = super().stop()
        if ended.called:
            return ended
        stopped: Deferred[None] = Deferred()

        def stop_waiting(_none: object = None) -> None:
            if giving_up.active():
                giving_up.cancel()
            if self._look_due is not None:
                self._look_due.cancel()
                self._look_due = None
            if not stopped.called:
                stopped.callback(None)

        giving_up = self._clock.callLater(MAX_STOP_SECONDS, stop_waiting)
        ended.addCallback(stop_waiting)
        return stopped

    def _begin(self, call: PooledCall[Any]) -> None:
        call.function = partial(self._call, call, call.function)
        self._since[call] = self._clock.seconds()
        if self._look_due is None:
            self._look_later()
        super()._begin(call)

    def _call(self, call: PooledCall[Any], function: Callable[[], T]) -> T:
        """Make the call, in the thread."""
        self._in_threads.add(call)
        try:
            return function()
        finally:
            self._in_threads.discard(call)

    def _look_later(self) -> None:
        seconds = min(self._limit, SHORT_LIMIT_SECONDS) / LOOKS_PER_LIMIT
        self._look_due = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        """Fail the calls whose time is over."""
        self._look_due = None
        now, limit = self._clock.seconds(), self._limit
        short = min(limit, SHORT_LIMIT_SECONDS) if self.overdue else limit
        for call, since in tuple(self._since.items()):
            most = limit * LONG_FACTOR if call.takes_long else short
            if not call.is_cancelled and now - since < most:
                continue
            del self._since[call]
            if not call.is_cancelled:
                text = f"{self._what} has not answered in {seconds_text(round(now - since, 1))}"
                call.result.errback(Failure(CallOverdue(text)))
        self._tell(bool(self.overdue))
        if self._since or self._in_threads:
            self._look_later()

    def _tell(self, is_silent: bool) -> None:
        """Log when calls become overdue, and when none is any more."""
        if is_silent != self._is_silent:
            self._is_silent = is_silent
            if is_silent:
                _log.error("{what} does not answer: calls fail until it does", what=self._what)
            else:
                _log.info("{what} answers again", what=self._what)


_log = Logger("ftpservice")
