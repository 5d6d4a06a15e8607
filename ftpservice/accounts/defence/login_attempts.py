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

`AddressAttempts` has what is counted of an address, and changes it as a whole: `TableAttempts` does
so for several processes. The queue, which `LoginAttempts` has, is of one process.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.accounts.defence.networks import address_group

__all__ = [
    "FAILURE_ALLOWANCE",
    "MAX_FAILURES_PER_SESSION",
    "POLL_SECONDS",
    "AddressAttempts",
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
POLL_SECONDS = 0.1
"""Time between two looks for the outcomes of attempts in another process."""


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
        "failures",
        "forgiven",
        "in_progress",
        "is_advancing",
        "key",
        "last",
        "timer",
        "updated",
        "waiting",
    )

    def __init__(self, key: str, now: float) -> None:
        self.key = key
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

    def expire(self, now: float) -> None:
        """Stop counting attempts that have been without an outcome for too long."""
        in_progress = self.in_progress
        while in_progress and in_progress[0] + OUTCOME_TIMEOUT_SECONDS <= now:
            in_progress.popleft()

    def try_admit(self, now: float, elsewhere: int = 0) -> float:
        """Admit an attempt and return 0, or return the seconds until one can be admitted.

        ``elsewhere`` is the number of those in progress in other processes.
        """
        self.drain(now)
        in_progress = self.in_progress
        if in_progress:
            self.expire(now)
        outcome = in_progress[0] + OUTCOME_TIMEOUT_SECONDS - now if in_progress else 0.0
        if elsewhere:
            outcome = POLL_SECONDS
        if self.failures <= FAILURE_ALLOWANCE - 1:
            is_full = self.failures + len(in_progress) + elsewhere > FAILURE_ALLOWANCE - 1
            seconds = outcome if is_full else 0.0
        else:
            excess = min(32, int(self.failures - FAILURE_ALLOWANCE + 1))
            gap = min(MAX_GAP_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** (1 + excess))
            seconds = max(outcome, self.last + gap - now)
        if seconds > 0.0:
            return seconds
        in_progress.append(now)
        self.last = now
        return 0.0

    def try_admit_waiting(self, now: float) -> float:
        """Do the same for an attempt in the queue."""
        return self.try_admit(now)

    def may_wait(self) -> bool:
        """Count an attempt that is to wait; False if too many do."""
        return len(self.waiting) < self.most_waiting

    @property
    def most_waiting(self) -> int:
        """How many attempts may wait."""
        return MAX_WAITING_PER_ADDRESS if self.is_over_allowance else MAX_WAITING_TOTAL

    def left_queue(self) -> None:
        """Record that an attempt waits no more, and was not admitted."""

    def ended(self, now: float, is_right: bool | None) -> int | None:
        """End an attempt whose password was right or wrong; None: it had no outcome.

        Returns how many are to leave the queue; None if there is nothing to remember.
        """
        if self.in_progress:
            self.in_progress.popleft()
        self.drain(now)
        if is_right:
            if self.failures:
                self._forgive(FORGIVEN_PER_SUCCESS)
        elif is_right is not None:
            self.failures = min(MAX_REMEMBERED_FAILURES, self.failures + 1.0)
        if not (self.failures or self.forgiven or self.in_progress or self.waiting):
            return None
        return len(self.waiting) - MAX_WAITING_PER_ADDRESS if self.is_over_allowance else 0

    def _forgive(self, most: float) -> None:
        """Let successes make up for failures."""
        forgiven = max(0.0, min(most, MAX_FORGIVEN - self.forgiven, self.failures))
        self.failures -= forgiven
        self.forgiven += forgiven

    def count_elsewhere(self, now: float, failures: int, successes: int) -> None:
        """Count attempts that other nodes have admitted, and their outcomes."""
        self.drain(now)
        self.failures = min(MAX_REMEMBERED_FAILURES, self.failures + failures)
        self._forgive(FORGIVEN_PER_SUCCESS * successes)
        if self.is_over_allowance:
            self.last = max(self.last, now)

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to remember here."""
        return not (self.failures or self.forgiven or self.in_progress or self.waiting)

    def forget(self) -> None:
        """Stop counting what is in progress."""


class LoginAttempts:
    """Decides when an address may try a password.

    After each `admit`, call `failed`, `succeeded`, or `abandoned` if there was no outcome (the
    check was refused, the session ended). Without that the attempt counts as a failure for
    ``OUTCOME_TIMEOUT_SECONDS``.
    """

    def __init__(
        self,
        clock: IReactorTime,
        attempts_of: Callable[[str, float], AddressAttempts] = AddressAttempts,
    ) -> None:
        self._clock = clock
        self._new_attempts = attempts_of
        self._addresses: OrderedDict[str, AddressAttempts] = OrderedDict()

    async def admit(self, address: str) -> None:
        """Wait until ``address`` may try a password; raises `TooManyAttempts`.

        Cancelling leaves the queue.
        """
        attempts = self._attempts_of(address)
        if not attempts.waiting and attempts.try_admit(self._clock.seconds()) <= 0.0:
            return
        if not attempts.may_wait():
            self._forget_if_blank(attempts)
            raise TooManyAttempts(address)
        turn: Deferred[None] = Deferred(lambda cancelled: self._leave(attempts, cancelled))
        attempts.waiting.append(turn)
        self._advance(attempts)
        await turn

    def failed(self, address: str) -> None:
        """Count a wrong password or an unknown name."""
        self._ended(address, False)

    def succeeded(self, address: str) -> None:
        """Count a right password, which makes up for one failure."""
        self._ended(address, True)

    def abandoned(self, address: str) -> None:
        """Remove an attempt that had no outcome."""
        self._ended(address, None)

    def remembers(self, address: str) -> bool:
        """Return whether there is something to remember of an address."""
        return address_group(address) in self._addresses

    def count_elsewhere(self, address: str, failures: int, successes: int) -> None:
        """Count what other nodes have seen of an address."""
        attempts = self._attempts_of(address)
        try:
            attempts.count_elsewhere(self._clock.seconds(), failures, successes)
        finally:
            self._forget_if_blank(attempts)

    def _ended(self, address: str, is_right: bool | None) -> None:
        attempts = self._attempts_of(address)
        surplus = attempts.ended(self._clock.seconds(), is_right)
        if surplus is None:
            self._addresses.pop(attempts.key, None)
            return
        while surplus > 0 and attempts.waiting:
            self._refuse(attempts, address)
            surplus -= 1
        if attempts.waiting:
            self._advance(attempts)

    def _attempts_of(self, address: str) -> AddressAttempts:
        key = address_group(address)
        attempts = self._addresses.get(key)
        if attempts is None:
            attempts = self._addresses[key] = self._new_attempts(key, self._clock.seconds())
            while len(self._addresses) > MAX_ADDRESSES:
                _, oldest = self._addresses.popitem(last=False)
                while oldest.waiting:
                    self._refuse(oldest, "too many addresses")
                oldest.forget()
                self._set_timer(oldest, 0.0)
        else:
            self._addresses.move_to_end(key)
        return attempts

    def _refuse(self, attempts: AddressAttempts, why: str) -> None:
        turn = attempts.waiting.pop()
        attempts.left_queue()
        turn.errback(TooManyAttempts(why))

    def _forget_if_blank(self, attempts: AddressAttempts) -> None:
        if attempts.is_blank and self._addresses.get(attempts.key) is attempts:
            del self._addresses[attempts.key]

    def _leave(self, attempts: AddressAttempts, turn: Deferred[None]) -> None:
        attempts.waiting.remove(turn)
        attempts.left_queue()
        self._advance(attempts)
        self._forget_if_blank(attempts)

    def _advance(self, attempts: AddressAttempts) -> None:
        """Admit waiting attempts; does not nest when one of them ends at once."""
        if attempts.is_advancing:
            return
        attempts.is_advancing, seconds = True, 0.0
        try:
            while attempts.waiting:
                seconds = attempts.try_admit_waiting(self._clock.seconds())
                if seconds > 0.0:
                    break
                attempts.waiting.popleft().callback(None)
        finally:
            attempts.is_advancing = False
        self._set_timer(attempts, seconds)

    def _set_timer(self, attempts: AddressAttempts, seconds: float) -> None:
        if attempts.timer is not None and attempts.timer.active():
            attempts.timer.cancel()
        attempts.timer = None
        if attempts.waiting:
            attempts.timer = self._clock.callLater(max(seconds, 0.001), self._advance, attempts)
