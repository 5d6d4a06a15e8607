"""Limits on password guessing (RFC 2577 §5): a delay per session, and a queue per address.

An address has an allowance of failures, which recovers over time. Beyond the allowance its
attempts are admitted one at a time, with a growing gap; a few wait, the rest are refused. Rules:

- The address is counted (of IPv6 the /64), never the name: a stranger cannot lock out an owner.
- An attempt in progress counts as a failure until its outcome is known, so a hundred attempts at
  once get no more guesses than a hundred in sequence. That costs honest clients nothing: the
  password checks are queued anyway.
- A success makes up for one failure, and for a limited number of them in a time: an attacker's
  own account does not help to guess at others for ever.
- Memory is bounded: the addresses that were seen longest ago are forgotten first.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.accounts.defence.networks import address_group

__all__ = [
    "FAILURE_ALLOWANCE",
    "MAX_FAILURES_PER_SESSION",
    "LoginAttempts",
    "TooManyAttempts",
    "delay_after",
]

MAX_FAILURES_PER_SESSION = 5
"""The number of failed logins that ends a session."""
FIRST_DELAY_SECONDS = 0.25
MAX_SESSION_DELAY_SECONDS = 5.0

FAILURE_ALLOWANCE = 20
"""Failures of an address that do not delay its later attempts."""
MAX_REMEMBERED_FAILURES = 2 * FAILURE_ALLOWANCE
"""The maximum that is counted, so that the next user of the address does not wait for hours."""
RECOVERY_SECONDS = 600.0
"""Time in which a whole allowance recovers, linearly."""
MAX_GAP_SECONDS = 10.0
"""The longest gap between attempts of an address beyond its allowance."""
MAX_WAITING_PER_ADDRESS = 8
"""Attempts that may wait, of an address beyond its allowance."""
MAX_WAITING_TOTAL = 1000
"""Attempts that may wait, of an address within its allowance, for the outcome of others."""
OUTCOME_TIMEOUT_SECONDS = 30.0
"""Time after which an attempt without a reported outcome no longer counts."""
FORGIVEN_PER_SUCCESS = 1.0
MAX_FORGIVEN = 5.0
"""Failures that successes make up for, within ``RECOVERY_SECONDS``."""
MAX_ADDRESSES = 10_000


class TooManyAttempts(Exception):
    """The address has failed too often, and too many of its attempts are waiting."""


def delay_after(failures: int) -> float:
    """Return the seconds to delay the reply to the latest of a session's failed logins."""
    if failures <= 0:
        return 0.0
    return min(MAX_SESSION_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures, 32))


class AddressAttempts:
    """The attempts of one address. ``failures`` and ``forgiven`` drain linearly over time."""

    __slots__ = (
        "failures", "forgiven", "in_progress", "is_advancing", "last", "timer", "updated", "waiting"
    )  # fmt: skip

    def __init__(self, now: float) -> None:
        self.failures = self.forgiven = 0.0
        self.updated = now
        """When ``failures`` and ``forgiven`` were last drained."""
        self.in_progress: deque[float] = deque()
        """When each attempt without an outcome was admitted."""
        self.last = -math.inf
        """When the latest attempt was admitted."""
        self.waiting: deque[Deferred[None]] = deque()
        self.timer: IDelayedCall | None = None
        self.is_advancing = False

    def drain(self, now: float) -> None:
        """Let the counts recover up to ``now``."""
        share = max(0.0, now - self.updated) / RECOVERY_SECONDS
        self.updated = now
        self.failures = max(0.0, self.failures - share * FAILURE_ALLOWANCE)
        self.forgiven = max(0.0, self.forgiven - share * MAX_FORGIVEN)

    @property
    def is_over_allowance(self) -> bool:
        """Whether the allowance is used up."""
        return self.failures > FAILURE_ALLOWANCE - 1

    def seconds_to_wait(self, now: float) -> float:
        """Return the seconds until the next attempt can be admitted, if nothing else happens."""
        self.drain(now)
        in_progress = self.in_progress
        while in_progress and in_progress[0] + OUTCOME_TIMEOUT_SECONDS <= now:
            in_progress.popleft()
        outcome = in_progress[0] + OUTCOME_TIMEOUT_SECONDS - now if in_progress else 0.0
        if self.failures <= FAILURE_ALLOWANCE - 1:
            is_full = self.failures + len(in_progress) > FAILURE_ALLOWANCE - 1
            return outcome if is_full else 0.0
        excess = min(32, int(self.failures - FAILURE_ALLOWANCE + 1))
        gap = min(MAX_GAP_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (1 + excess))
        return max(outcome, self.last + gap - now, 0.0)


class LoginAttempts:
    """Decides when an address may try a password.

    After each `admit`, call `failed`, `succeeded`, or `abandoned` if there was no outcome (the
    check was refused, the session ended). Without that the attempt counts as a failure for
    ``OUTCOME_TIMEOUT_SECONDS``.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._addresses: OrderedDict[str, AddressAttempts] = OrderedDict()

    async def admit(self, address: str) -> None:
        """Wait until ``address`` may try a password; raises `TooManyAttempts`.

        Cancelling leaves the queue.
        """
        attempts = self._attempts_of(address)
        now = self._clock.seconds()
        if not attempts.waiting and attempts.seconds_to_wait(now) <= 0.0:
            attempts.in_progress.append(now)
            attempts.last = now
            return
        attempts.drain(now)
        most = MAX_WAITING_PER_ADDRESS if attempts.is_over_allowance else MAX_WAITING_TOTAL
        if len(attempts.waiting) >= most:
            raise TooManyAttempts(address)
        turn: Deferred[None] = Deferred(lambda cancelled: self._leave(attempts, cancelled))
        attempts.waiting.append(turn)
        self._advance(attempts)
        await turn

    def failed(self, address: str) -> None:
        """Count a wrong password or an unknown name."""
        attempts = self._ended(address)
        attempts.failures = min(MAX_REMEMBERED_FAILURES, attempts.failures + 1.0)
        while attempts.is_over_allowance and len(attempts.waiting) > MAX_WAITING_PER_ADDRESS:
            attempts.waiting.pop().errback(TooManyAttempts(address))
        self._advance(attempts)

    def succeeded(self, address: str) -> None:
        """Count a right password, which makes up for one failure."""
        attempts = self._ended(address)
        left = MAX_FORGIVEN - attempts.forgiven
        forgiven = max(0.0, min(FORGIVEN_PER_SUCCESS, left, attempts.failures))
        attempts.failures -= forgiven
        attempts.forgiven += forgiven
        self._forget_if_blank(address, attempts)

    def abandoned(self, address: str) -> None:
        """Remove an attempt that had no outcome."""
        self._forget_if_blank(address, self._ended(address))

    def _attempts_of(self, address: str) -> AddressAttempts:
        key = address_group(address)
        attempts = self._addresses.get(key)
        if attempts is None:
            attempts = self._addresses[key] = AddressAttempts(self._clock.seconds())
            while len(self._addresses) > MAX_ADDRESSES:
                _, oldest = self._addresses.popitem(last=False)
                while oldest.waiting:
                    oldest.waiting.pop().errback(TooManyAttempts("too many addresses"))
                self._set_timer(oldest)
        else:
            self._addresses.move_to_end(key)
        return attempts

    def _ended(self, address: str) -> AddressAttempts:
        """Return the attempts of an address, less the one whose outcome is reported."""
        attempts = self._attempts_of(address)
        if attempts.in_progress:
            attempts.in_progress.popleft()
        attempts.drain(self._clock.seconds())
        return attempts

    def _forget_if_blank(self, address: str, attempts: AddressAttempts) -> None:
        if attempts.waiting:
            self._advance(attempts)
        if attempts.failures or attempts.forgiven or attempts.in_progress or attempts.waiting:
            return
        key = address_group(address)
        if self._addresses.get(key) is attempts:
            del self._addresses[key]

    def _leave(self, attempts: AddressAttempts, turn: Deferred[None]) -> None:
        attempts.waiting.remove(turn)
        self._set_timer(attempts)

    def _advance(self, attempts: AddressAttempts) -> None:
        """Admit waiting attempts; does not nest when one of them ends at once."""
        if attempts.is_advancing:
            return
        attempts.is_advancing = True
        try:
            while attempts.waiting and attempts.seconds_to_wait(self._clock.seconds()) <= 0.0:
                attempts.last = self._clock.seconds()
                attempts.in_progress.append(attempts.last)
                attempts.waiting.popleft().callback(None)
        finally:
            attempts.is_advancing = False
        self._set_timer(attempts)

    def _set_timer(self, attempts: AddressAttempts) -> None:
        if attempts.timer is not None and attempts.timer.active():
            attempts.timer.cancel()
        attempts.timer = None
        if attempts.waiting:
            seconds = attempts.seconds_to_wait(self._clock.seconds())
            attempts.timer = self._clock.callLater(max(seconds, 0.001), self._advance, attempts)
