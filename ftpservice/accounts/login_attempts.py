"""Limits on guessing passwords (RFC 2577 §5): a growing delay in a session, a turn per address.

An address starts with an allowance of failures that comes back with time. Beyond it, its attempts
are let through one at a time, further and further apart, a few wait, and the rest are refused.
Rules kept:

- Counted is the address (of IPv6 the /64), never the name: a stranger cannot lock an owner out.
- Attempts under way count as failures until their outcome is known, so a hundred at once get no
  more guesses than a hundred in a row. Waiting for those costs an honest crowd nothing, as the
  checks themselves stand in line.
- A success forgives a little, and only so much in a time: an account of one's own is no way to
  guess at those of others for ever.
- What is remembered is bounded; the addresses seen longest ago are forgotten first.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.accounts.networks import address_group

__all__ = [
    "FAILURE_ALLOWANCE",
    "MAX_FAILURES_PER_SESSION",
    "LoginAttempts",
    "TooManyAttempts",
    "delay_after",
]

MAX_FAILURES_PER_SESSION = 5
"""The failed login that ends a session."""
FIRST_DELAY_SECONDS = 0.25
MAX_SESSION_DELAY_SECONDS = 5.0

FAILURE_ALLOWANCE = 20
"""Failures of an address that cost its later attempts nothing."""
MAX_REMEMBERED_FAILURES = 2 * FAILURE_ALLOWANCE
"""Failures counted at most, so that who comes to the address later need not wait for hours."""
RECOVERY_SECONDS = 600.0
"""Seconds in which a whole allowance comes back, evenly."""
MAX_GAP_SECONDS = 10.0
"""Seconds between attempts of an address beyond its allowance, at most."""
MAX_WAITING_PER_ADDRESS = 8
"""Attempts of such an address that may wait for their turn."""
MAX_WAITING_TOTAL = 1000
"""Attempts that may wait for the outcome of others of their address."""
OUTCOME_TIMEOUT_SECONDS = 30.0
"""Seconds after which an attempt without an outcome no longer keeps its place."""
FORGIVEN_PER_SUCCESS = 1.0
MAX_FORGIVEN = 5.0
"""Failures that successes make undone, in the time of ``RECOVERY_SECONDS``."""
MAX_ADDRESSES = 10_000


class TooManyAttempts(Exception):
    """An address has failed too often, and others of its attempts are waiting already."""


def delay_after(failures: int) -> float:
    """Return the seconds that the latest of a session's ``failures`` costs."""
    if failures <= 0:
        return 0.0
    return min(MAX_SESSION_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures, 32))


@dataclass
class LeakyBucket:
    """An amount that drains evenly: ``share`` of it in the time of ``RECOVERY_SECONDS``."""

    share: float
    most: float
    level: float = 0.0
    when: float = 0.0

    def at(self, now: float) -> float:
        """Return what is left of it."""
        drained = max(0.0, now - self.when) * self.share / RECOVERY_SECONDS
        self.level, self.when = max(0.0, self.level - drained), now
        return self.level

    def add(self, amount: float, now: float) -> None:
        """Change it."""
        self.level = min(self.most, max(0.0, self.at(now) + amount))


@dataclass
class AddressAttempts:
    """What is known of one address."""

    failures: LeakyBucket = field(
        default_factory=lambda: LeakyBucket(FAILURE_ALLOWANCE, MAX_REMEMBERED_FAILURES)
    )
    forgiven: LeakyBucket = field(default_factory=lambda: LeakyBucket(MAX_FORGIVEN, MAX_FORGIVEN))
    under_way: deque[float] = field(default_factory=deque)
    """When each attempt without an outcome was admitted."""
    last: float = -math.inf
    """When the last attempt was admitted."""
    waiting: deque[Deferred[None]] = field(default_factory=deque)
    timer: IDelayedCall | None = None
    advancing: bool = False

    def expire(self, now: float) -> None:
        """Forget attempts whose outcome nobody told."""
        while self.under_way and self.under_way[0] + OUTCOME_TIMEOUT_SECONDS <= now:
            self.under_way.popleft()

    def over(self, now: float) -> bool:
        """Tell whether the allowance is used up."""
        return self.failures.at(now) > FAILURE_ALLOWANCE - 1

    def wait(self, now: float) -> float:
        """Return the seconds until the next attempt may go, if nothing happens meanwhile."""
        self.expire(now)
        failures = self.failures.at(now)
        outcome = self.under_way[0] + OUTCOME_TIMEOUT_SECONDS - now if self.under_way else 0.0
        if not self.over(now):
            return outcome if failures + len(self.under_way) > FAILURE_ALLOWANCE - 1 else 0.0
        excess = min(32, int(failures - FAILURE_ALLOWANCE + 1))
        gap = min(MAX_GAP_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (1 + excess))
        return max(outcome, self.last + gap - now, 0.0)

    def admit(self, now: float) -> None:
        """Let an attempt go."""
        self.under_way.append(now)
        self.last = now

    def settle(self) -> None:
        """Take an attempt from those under way: its outcome is known."""
        if self.under_way:
            self.under_way.popleft()

    def is_blank(self, now: float) -> bool:
        """Tell whether there is nothing to remember."""
        amounts = self.failures.at(now) + self.forgiven.at(now)
        return amounts == 0.0 and not self.under_way and not self.waiting


class LoginAttempts:
    """Decides when an address may try a password, by how its attempts before went.

    After each `admit` say how it went: `failed`, `succeeded`, or `abandoned` when there was no
    outcome (too busy, the session was cut). Unsaid, the attempt keeps its place for
    ``OUTCOME_TIMEOUT_SECONDS`` seconds.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._ledgers: OrderedDict[str, AddressAttempts] = OrderedDict()

    async def admit(self, address: str) -> None:
        """Wait until ``address`` may try; raises `TooManyAttempts`.

        Cancelling gives up the place in the line.
        """
        ledger = self._ledger(address)
        now = self._clock.seconds()
        if not ledger.waiting and ledger.wait(now) <= 0.0:
            ledger.admit(now)
            return
        if len(ledger.waiting) >= (
            MAX_WAITING_PER_ADDRESS if ledger.over(now) else MAX_WAITING_TOTAL
        ):
            raise TooManyAttempts(address)
        turn: Deferred[None] = Deferred(lambda cancelled: self._leave(ledger, cancelled))
        ledger.waiting.append(turn)
        self._advance(ledger)
        await turn

    def failed(self, address: str) -> None:
        """Count a wrong password, or a name that is none."""
        ledger = self._ledger(address)
        ledger.settle()
        now = self._clock.seconds()
        ledger.failures.add(1.0, now)
        while ledger.over(now) and len(ledger.waiting) > MAX_WAITING_PER_ADDRESS:
            ledger.waiting.pop().errback(TooManyAttempts(address))
        self._advance(ledger)

    def succeeded(self, address: str) -> None:
        """Count a right password, and forgive a little of what was wrong before."""
        ledger = self._ledger(address)
        ledger.settle()
        now = self._clock.seconds()
        left = MAX_FORGIVEN - ledger.forgiven.at(now)
        forgiven = max(0.0, min(FORGIVEN_PER_SUCCESS, left, ledger.failures.at(now)))
        ledger.failures.add(-forgiven, now)
        ledger.forgiven.add(forgiven, now)
        self._settled(address, ledger)

    def abandoned(self, address: str) -> None:
        """Give back the place of an attempt that had no outcome."""
        ledger = self._ledger(address)
        ledger.settle()
        self._settled(address, ledger)

    def _settled(self, address: str, ledger: AddressAttempts) -> None:
        self._advance(ledger)
        key = address_group(address)
        if ledger.is_blank(self._clock.seconds()) and self._ledgers.get(key) is ledger:
            del self._ledgers[key]

    def _ledger(self, address: str) -> AddressAttempts:
        key = address_group(address)
        ledger = self._ledgers.setdefault(key, AddressAttempts())
        self._ledgers.move_to_end(key)
        while len(self._ledgers) > MAX_ADDRESSES:
            _, oldest = self._ledgers.popitem(last=False)
            self._dismiss(oldest)
        return ledger

    def _dismiss(self, ledger: AddressAttempts) -> None:
        while ledger.waiting:
            ledger.waiting.pop().errback(TooManyAttempts("too many addresses"))
        self._set_timer(ledger)

    def _leave(self, ledger: AddressAttempts, turn: Deferred[None]) -> None:
        ledger.waiting.remove(turn)
        self._set_timer(ledger)

    def _advance(self, ledger: AddressAttempts) -> None:
        """Let go whoever may; an attempt that ends meanwhile does not make this call nest."""
        if ledger.advancing:
            return
        ledger.advancing = True
        try:
            while ledger.waiting and ledger.wait(self._clock.seconds()) <= 0.0:
                ledger.admit(self._clock.seconds())
                ledger.waiting.popleft().callback(None)
        finally:
            ledger.advancing = False
        self._set_timer(ledger)

    def _set_timer(self, ledger: AddressAttempts) -> None:
        if ledger.timer is not None and ledger.timer.active():
            ledger.timer.cancel()
        ledger.timer = None
        if ledger.waiting:
            wait = ledger.wait(self._clock.seconds())
            ledger.timer = self._clock.callLater(max(wait, 0.001), self._advance, ledger)
