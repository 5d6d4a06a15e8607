"""Limits on password guessing over several processes of a machine.

The counts of an address are values in a shared table, changed under its lock, so its allowance, the
gap between its attempts and what successes forgive hold for all processes together. Attempts in
progress and attempts that wait are fields: those of a killed process no longer count. Each process
has a queue of its own; an attempt that waits for the outcome of one in another process, or for its
lock, asks again every `POLL_SECONDS`.
"""

from __future__ import annotations

import math
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.accounts.defence.login_attempts import (
    MAX_WAITING_PER_ADDRESS,
    OUTCOME_TIMEOUT_SECONDS,
    POLL_SECONDS,
    AddressAttempts,
    LoginAttempts,
)
from ftpservice.accounts.defence.networks import address_group
from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.concurrency.table_lock import TableBusy, TableError
from ftpservice.concurrency.table_section import LockedRecord, TableSection

__all__ = ["LOGIN_ATTEMPTS", "TableAttempts", "TableLoginAttempts"]

IN_PROGRESS, WAITING = 0, 1
UPDATED = 2
"""The value for that; the others are, in order: failures, forgiven, `UPDATED`, last."""
NOTHING = (0, 0, 0, 0)
UNIT = 1_000_000
"""Of failures and of seconds, which are whole numbers in the table; times are one more, 0: none."""
LOGIN_ATTEMPTS = RecordLayout("login attempts", fields=2, values=4, slots=16384, oldest=UPDATED)
EXPIRY_SECONDS = 5.0
"""Time between two looks for attempts without an outcome."""


class TableAttempts(AddressAttempts):
    """The attempts of an address: its counts in the table, and those that wait in this process."""

    __slots__ = ("_section", "_table_key", "_uncounted")

    def __init__(self, section: TableSection, key: str, now: float) -> None:
        super().__init__(key, now)
        self._section = section
        self._table_key = key.encode()
        self._uncounted = 0
        """Those that wait and are not in the table, which was locked when they came."""

    def try_admit(self, now: float, elsewhere: int = 0) -> float:
        """Admit an attempt and return 0, or return the seconds until one can be admitted."""
        return self._try_admit(now, elsewhere, is_waiting=False)

    def try_admit_waiting(self, now: float) -> float:
        """Do the same for an attempt in the queue."""
        return self._try_admit(now, 0, is_waiting=True)

    def _try_admit(self, now: float, elsewhere: int, is_waiting: bool) -> float:
        try:
            with self._section.lock(self._table_key) as record:
                self._load(record, now)
                elsewhere += record.total(IN_PROGRESS) - record.own(IN_PROGRESS)
                seconds = super().try_admit(now, elsewhere)
                _count_in_progress(self, record)
                if seconds <= 0.0 and is_waiting and not self._is_uncounted():
                    record.add(WAITING, -1)
                if seconds <= 0.0 and (self.failures or self.forgiven):
                    self._store(record)
                return seconds
        except TableError:
            return POLL_SECONDS

    def expire(self, now: float) -> None:
        """Stop counting attempts that have been without an outcome for too long."""
        before = len(self.in_progress)
        super().expire(now)
        self._section.give_back(self._table_key, IN_PROGRESS, before - len(self.in_progress))

    def may_wait(self) -> bool:
        """Count an attempt that is to wait; False if too many do."""
        try:
            with self._section.lock(self._table_key) as record:
                if record.total(WAITING) >= self.most_waiting:
                    return False
                record.add(WAITING, 1)
        except TableBusy:  # another process has no processor for a moment
            self._uncounted += super().may_wait()
            return super().may_wait()
        except TableError:
            return False
        return True

    def _is_uncounted(self) -> bool:
        """Return whether the attempt that waits no more may be one that is not in the table."""
        if not self._uncounted:
            return False
        self._uncounted -= 1
        return True

    def left_queue(self) -> None:
        """Record that an attempt waits no more, and was not admitted."""
        if not self._is_uncounted():
            self._section.give_back(self._table_key, WAITING)

    def ended(self, now: float, is_right: bool | None) -> int | None:
        """End an attempt; raises `TableError`."""
        is_admitted, key = bool(self.in_progress), self._table_key
        if is_right is not False and is_admitted and not self._section.value(key, UPDATED):
            # There is no failure that a success would make up for.
            self.failures = 0.0
            self.in_progress.popleft()
            self._section.give_back(key, IN_PROGRESS)
            return None if self.is_blank else 0
        admitted = self.in_progress[-1] if is_admitted else -math.inf
        with self._section.lock(key) as record:
            self._load(record, now)
            self.last = max(self.last, admitted)  # that of an address without history is not stored
            super().ended(now, is_right)
            if self.failures:
                self._store(record)  # before it no longer counts as in progress
            _count_in_progress(self, record)
            self._store(record)
        return None if self.is_blank else self.surplus()

    def count_elsewhere(self, now: float, failures: int, successes: int) -> None:
        """Count attempts that other nodes have admitted, and outcomes; raises `TableError`."""
        with self._section.lock(self._table_key) as record:
            self._load(record, now)
            super().count_elsewhere(now, failures, successes)
            self._store(record)

    def surplus(self) -> int:
        """Return how many attempts wait beyond the limit, in all processes."""
        waiting = self._section.total(self._table_key, WAITING)
        return waiting - MAX_WAITING_PER_ADDRESS if self.is_over_allowance else 0

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to remember in this process."""
        return not (self.in_progress or self.waiting)

    def forget(self) -> None:
        """Stop counting what is in progress."""
        self._section.give_back(self._table_key, IN_PROGRESS, len(self.in_progress))
        self.in_progress.clear()

    def _load(self, record: LockedRecord, now: float) -> None:
        failures, forgiven, updated, last = record.values() or NOTHING
        self.failures, self.forgiven = failures / UNIT, forgiven / UNIT
        self.updated = (updated - 1) / UNIT if updated else now
        self.last = (last - 1) / UNIT if last else -math.inf
        self.drain(now)

    def _store(self, record: LockedRecord) -> None:
        """Store the counts; all are 0 of an address that is not to be remembered."""
        failures, forgiven = round(self.failures * UNIT), round(self.forgiven * UNIT)
        if not (failures or forgiven or record.total(IN_PROGRESS) or record.total(WAITING)):
            if record.exists:
                record.set_values(*NOTHING)
            return
        updated = round(self.updated * UNIT) + 1
        last = 0 if self.last == -math.inf else round(self.last * UNIT) + 1
        record.set_values(failures, forgiven, updated, last)


def _count_in_progress(attempts: TableAttempts, record: LockedRecord) -> None:
    change = len(attempts.in_progress) - record.own(IN_PROGRESS)
    if change:
        record.add(IN_PROGRESS, change)


class TableLoginAttempts(LoginAttempts):
    """Decides when an address may try a password, together with other processes."""

    def __init__(self, section: TableSection, clock: IReactorTime) -> None:
        super().__init__(clock, partial(TableAttempts, section))
        self._section = section
        self._expiry: IDelayedCall | None = None

    async def admit(self, address: str) -> None:
        """Wait until ``address`` may try a password; raises `TooManyAttempts`."""
        await super().admit(address)
        if self._expiry is None:
            self._expiry = self._clock.callLater(EXPIRY_SECONDS, self._expire)

    def remembers(self, address: str) -> bool:
        """Return whether there is something to remember of an address, in any process."""
        return self._section.value(address_group(address).encode(), UPDATED) > 0

    def count_elsewhere(self, address: str, failures: int, successes: int) -> None:
        """Count what other nodes have seen of an address, now or soon."""
        try:
            super().count_elsewhere(address, failures, successes)
        except TableBusy:
            again = partial(self.count_elsewhere, address, failures, successes)
            self._clock.callLater(POLL_SECONDS, again)
        except TableError:
            return  # there is no room for the address

    def _ended(self, address: str, is_right: bool | None) -> None:
        try:
            super()._ended(address, is_right)
        except TableBusy:  # it counts as in progress meanwhile
            self._clock.callLater(POLL_SECONDS, self._ended, address, is_right)
        except TableError:
            return  # it was forgotten
        if not self._addresses and self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _advance(self, attempts: AddressAttempts) -> None:
        super()._advance(attempts)
        if attempts.waiting and isinstance(attempts, TableAttempts):
            for _ in range(min(attempts.surplus(), len(attempts.waiting))):
                self._refuse(attempts, "too many attempts wait")
            if not attempts.waiting:
                self._set_timer(attempts, 0.0)

    def _expire(self) -> None:
        """Stop counting attempts whose session ended without an outcome."""
        self._expiry, now = None, self._clock.seconds()
        for attempts in tuple(self._addresses.values()):
            if attempts.in_progress and attempts.in_progress[0] + OUTCOME_TIMEOUT_SECONDS <= now:
                attempts.expire(now)
                self._advance(attempts)
                self._forget_if_blank(attempts)
        if any(attempts.in_progress for attempts in self._addresses.values()):
            self._expiry = self._clock.callLater(EXPIRY_SECONDS, self._expire)
