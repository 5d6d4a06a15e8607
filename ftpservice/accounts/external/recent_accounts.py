"""The records of accounts that have logged in, for the watch of running sessions.

The watch asks every second; another program is asked less often, and the records of the last logins
are used between. Where the program cannot be asked without a password, they are all there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Lock

from ftpservice.accounts.account_record import AccountRecord

__all__ = ["RecentAccounts"]

WATCH_SECONDS = 2.0
"""The least time between two looks."""
PAUSE_FACTOR = 5.0
"""The least time between two looks, in durations of the last one."""
MAX_REMEMBERED = 10_000
"""Accounts beside those with a session."""

Look = Callable[[Sequence[str]], Mapping[str, AccountRecord]]


class RecentAccounts:
    """The records of one store; may be used in several threads.

    ``look`` blocks, and returns those accounts of some names that there are; None without a way to
    ask.
    """

    def __init__(self, look: Look | None, seconds: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._seconds = seconds
        self._records: dict[str, AccountRecord] = {}
        self._lock = Lock()
        self._next_look = 0.0

    def remember(self, record: AccountRecord) -> None:
        """Keep the record of a login."""
        with self._lock:
            self._records.pop(record.name, None)
            self._records[record.name] = record

    def current(self, names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Return the records of these names; asks for them if it is time (blocks)."""
        began = self._seconds()
        is_due = began >= self._next_look or not self._records.keys() >= set(names)
        if self._look is not None and names and is_due:
            found = self._look(sorted(names))
            ended = self._seconds()
            self._next_look = ended + max(WATCH_SECONDS, PAUSE_FACTOR * (ended - began))
            with self._lock:
                for name in names:
                    self._records.pop(name, None)
                self._records |= found
        with self._lock:
            self._forget_oldest(names)
            return {name: self._records[name] for name in names if name in self._records}

    def _forget_oldest(self, names: Collection[str]) -> None:
        too_many = len(self._records) - len(names) - MAX_REMEMBERED
        if too_many > 0:
            others = [name for name in self._records if name not in names]
            for name in others[:too_many]:
                del self._records[name]
