"""Rate limits in bytes per second, without threads and with few wake-ups.

A `RateLimiter` is a token bucket that fills with time. Available bytes are granted at once. If
there are none, callers wait, and bytes that accrue are shared between the waiting callers evenly,
however many each has requested. The sharing is not computed byte by byte: ``_level`` is the number
of bytes that each caller would have received since the first one began to wait. A caller that
begins at level ``l`` and requests ``n`` bytes is served at level ``l + n``; the lowest of these is
served next. The level rises by the accrued bytes divided by the number of callers. One timer is set
for the next one, at least `MIN_PAUSE_SECONDS` ahead: bytes that accrue meanwhile are kept, up to
`BURST_SECONDS` seconds' worth, so nothing is lost.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.stream.pump import CHUNK_SIZE

__all__ = [
    "BURST_SECONDS",
    "MIN_CHUNK_SIZE",
    "MIN_PAUSE_SECONDS",
    "RateLimiter",
    "RateLimiters",
    "SharedRateLimiters",
]

MIN_PAUSE_SECONDS = 0.05
"""Minimum seconds between two wake-ups, and the duration of a chunk."""
BURST_SECONDS = 0.2
"""After an idle time, bytes of so many seconds are available at once."""
MIN_CHUNK_SIZE = 512
"""Bytes of the smallest chunk, however low the rate."""
NEGLIGIBLE_BYTES = 0.01
"""Tolerance in bytes: fractions are not exact."""


@dataclass(order=True, slots=True)
class _WaitingShare:
    """One waiting caller."""

    due: float
    number: int
    began: float = field(compare=False)
    given: Deferred[None] = field(default_factory=Deferred, compare=False)


class RateLimiter:
    """A limit of ``rate`` bytes per second (more than 0), shared by all callers.

    It begins empty.
    """

    def __init__(self, clock: IReactorTime, rate: float) -> None:
        self._clock = clock
        self._rate = rate
        self._since = clock.seconds()
        self._saved = 0.0
        self._level = 0.0
        self._waiting: list[_WaitingShare] = []
        self._numbers = count()
        self._call: IDelayedCall | None = None

    @property
    def rate(self) -> float:
        """Bytes per second; may be changed at any time."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._earn()
        self._rate = rate
        self._set_timer()

    @property
    def is_idle(self) -> bool:
        """Whether nothing has passed for a while."""
        if self._waiting:
            return False
        self._earn()
        return self._saved >= BURST_SECONDS * self._rate

    async def take(self, size: int) -> None:
        """Wait until ``size`` more bytes may pass; cancelling returns the bytes granted so far."""
        if not self._waiting:
            self._earn()
            if size <= self._saved:
                self._saved -= size
                return
        share = _WaitingShare(self._level + size, next(self._numbers), self._level)
        heappush(self._waiting, share)
        self._set_timer()
        try:
            await share.given
        except BaseException:
            self._withdraw(share)
            raise

    def _earn(self) -> None:
        """Add what has accrued since the last time; beyond the demand, at most a burst."""
        now = self._clock.seconds()
        wanted = sum(share.due - self._level for share in self._waiting)
        earned = max(0.0, now - self._since) * self._rate
        self._saved = min(self._saved + earned, wanted + BURST_SECONDS * self._rate)
        self._since = now

    def _needed(self) -> float:
        """Return the number of bytes that must accrue until the first waiting caller is served."""
        return (self._waiting[0].due - self._level) * len(self._waiting) - self._saved

    def _set_timer(self) -> None:
        if not self._waiting:
            return
        delay = max(
            MIN_PAUSE_SECONDS, self._needed() / self._rate - (self._clock.seconds() - self._since)
        )
        call = self._call
        if call is None or not call.active():
            self._call = self._clock.callLater(delay, self._share_out)
        elif call.getTime() > self._clock.seconds() + delay:
            call.reset(delay)

    def _share_out(self) -> None:
        """Distribute the available bytes among the waiting callers.

        These may request more meanwhile.
        """
        self._earn()
        while self._waiting and self._needed() <= NEGLIGIBLE_BYTES:
            self._saved = -self._needed()
            first = heappop(self._waiting)
            self._level = first.due
            first.given.callback(None)
        if self._waiting:
            self._level += max(0.0, self._saved) / len(self._waiting)
            self._saved = min(0.0, self._saved)
        else:
            self._level = 0.0
        self._set_timer()

    def _withdraw(self, share: _WaitingShare) -> None:
        if share in self._waiting:
            self._waiting.remove(share)
            heapify(self._waiting)
            self._saved += self._level - share.began
            self._set_timer()
        if not self._waiting and self._call is not None and self._call.active():
            self._call.cancel()


class RateLimiters:
    """Several limits that apply together; at least one."""

    def __init__(self, *throttles: RateLimiter) -> None:
        self._throttles = throttles

    @property
    def chunk(self) -> int:
        """Number of bytes to move at a time for an even flow."""
        rate = min(throttle.rate for throttle in self._throttles)
        return max(MIN_CHUNK_SIZE, min(CHUNK_SIZE, int(rate * MIN_PAUSE_SECONDS)))

    async def take(self, size: int) -> None:
        """Wait until every limit lets ``size`` more bytes pass."""
        for throttle in self._throttles:
            await throttle.take(size)


@dataclass
class _SharedUse:
    throttle: RateLimiter
    users: int = 0


class SharedRateLimiters:
    """Rate limiters by key, shared by all users of a key; dropped with the last user."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._uses: dict[Hashable, _SharedUse] = {}

    @property
    def in_use(self) -> int:
        """The number of rate limiters."""
        return len(self._uses)

    def join(self, key: Hashable, rate: float) -> RateLimiter:
        """Return the rate limiter of ``key``; its rate is ``rate`` from now on."""
        use = self._uses.get(key)
        if use is None:
            use = self._uses[key] = _SharedUse(RateLimiter(self._clock, rate))
        if use.throttle.rate != rate:
            use.throttle.rate = rate
        use.users += 1
        return use.throttle

    def leave(self, key: Hashable) -> None:
        """Undo one `join`."""
        use = self._uses[key]
        use.users -= 1
        if use.users == 0:
            del self._uses[key]
