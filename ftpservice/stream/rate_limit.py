"""Keeping to a number of bytes per second, without a thread and with few wake-ups.

A `RateLimiter` is a bucket that fills with time. What is in it goes to whoever asks; when it is
empty those who ask wait, and what flows in is shared between them evenly, byte by byte, however
much each has asked for. That is not computed byte by byte: ``_level`` is how much each of them
would have been given since the first began to wait, so one who begins at level ``l`` and wants
``n`` bytes has them at level ``l + n``, and the lowest of these continues next. The level
rises by what flowed in divided by those who wait. One timer is set for the next one, and not
sooner than `MIN_PAUSE_SECONDS`: what flows in meanwhile is kept, up to `BURST_SECONDS` seconds'
worth, so nothing is lost.
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
"""Seconds between two wake-ups, and that a chunk is to last."""
BURST_SECONDS = 0.2
"""Seconds whose bytes may be used at once after an idle time."""
MIN_CHUNK_SIZE = 512
"""Bytes of the smallest chunk, however low the rate."""
NEGLIGIBLE_BYTES = 0.01
"""Bytes that may be missing: counting in fractions is not exact."""


@dataclass(order=True, slots=True)
class _WaitingShare:
    """One who waits."""

    due: float
    number: int
    began: float = field(compare=False)
    given: Deferred[None] = field(default_factory=Deferred, compare=False)


class RateLimiter:
    """``rate`` bytes per second (more than 0), for all who take from it together; begins empty."""

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
        """Bytes per second; to be changed at any time."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._earn()
        self._rate = rate
        self._set_timer()

    async def take(self, size: int) -> None:
        """Wait until ``size`` more bytes may pass; cancelling gives back what there was of them."""
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
        """Add what has accrued since the last time; beyond the demand, no more than a burst."""
        now = self._clock.seconds()
        wanted = sum(share.due - self._level for share in self._waiting)
        earned = max(0.0, now - self._since) * self._rate
        self._saved = min(self._saved + earned, wanted + BURST_SECONDS * self._rate)
        self._since = now

    def _needed(self) -> float:
        """Return the bytes to come until the first of those who wait has all of its own."""
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
        """Distribute the available bytes among the waiting transfers.

        Which may ask again meanwhile.
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
    """Several limits that hold at once; at least one."""

    def __init__(self, *throttles: RateLimiter) -> None:
        self._throttles = throttles

    @property
    def chunk(self) -> int:
        """Bytes to move at a time, so that they flow evenly."""
        rate = min(throttle.rate for throttle in self._throttles)
        return max(MIN_CHUNK_SIZE, min(CHUNK_SIZE, int(rate * MIN_PAUSE_SECONDS)))

    async def take(self, size: int) -> None:
        """Wait until ``size`` more bytes may pass by every limit."""
        for throttle in self._throttles:
            await throttle.take(size)


@dataclass
class _SharedUse:
    throttle: RateLimiter
    users: int = 0


class SharedRateLimiters:
    """Throttles under keys: each is made for the first who joins, and dropped with the last."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._uses: dict[Hashable, _SharedUse] = {}

    @property
    def in_use(self) -> int:
        """How many there are."""
        return len(self._uses)

    def join(self, key: Hashable, rate: float) -> RateLimiter:
        """Return the throttle of ``key``; if it had another rate it has this from now on."""
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
