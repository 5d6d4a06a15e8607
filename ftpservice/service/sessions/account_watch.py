"""Puts changes of accounts into force for the sessions that run: within two seconds.

- An account that is locked, removed or expired, or that cannot be used any more: its sessions
  get 421 at once; a transfer is aborted, and an interrupted upload can be resumed when the account
  is unlocked.
- The hours of an account end: the same, also while its store is down.
- An account with another root, other rights or options, its own or those of its groups: its
  sessions get 421 after the command in progress, and log in again with the new ones.
- Another password, retention or place in the file changes nothing for them. (A login to the page
  ends with the password: `ftpservice.web.access.request_access`.)
- A store that is down changes nothing for them either.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import IWatchedAccounts, StoreUnavailable
from ftpservice.concurrency.thread_pool import (
    INTERRUPT_SECONDS,
    BlockingPool,
    BlockingRunner,
    PoolOverloaded,
)
from ftpservice.events import AccountChanged, LoggedIn
from ftpservice.session.registry import ManagedSession

__all__ = ["WATCH_SECONDS", "AccountWatch"]

log = Logger("ftpservice.accounts")

WATCH_SECONDS = 1.0
"""Time between two looks at the stores of accounts."""
HOURS_TEXT = "The hours of the account have ended."
LOCKED_TEXT = "The account is no longer in force."
CHANGED_TEXT = "The account has changed; log in again."


class WatchedStore:
    """One store, and the sessions that it has accepted."""

    def __init__(self, checker: Any) -> None:
        self.checker = checker
        self.records: dict[int, AccountRecord] = {}
        """What each session logged in with."""
        self.is_busy = False
        """Whether a look has not ended: a store that does not answer is not asked again."""


class AccountWatch(Service):
    """Watches those of ``checkers`` that can be watched; ends the sessions of accounts that change.

    ``sessions`` has the sessions by number. ``new_logins.append`` is to be subscribed to logins:
    so a login costs no call.
    """

    def __init__(
        self,
        checkers: Iterable[object],
        sessions: Mapping[int, ManagedSession],
        reactor: Any,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._stores = [WatchedStore(one) for one in checkers if IWatchedAccounts.providedBy(one)]
        self._sessions = sessions
        self._reactor = reactor
        self._now = now
        self._pool: BlockingRunner | None = None
        self.new_logins: deque[LoggedIn] = deque()
        """Logins since the last look; ``append`` is a subscriber of `LoggedIn`, and is called when
        the password of a login of two steps was right.
        """
        self.publish: Callable[[AccountChanged], object] = bool
        """Called for each session that ends."""
        self._poll = LoopingCall(self._look)
        self._poll.clock = reactor

    def startService(self) -> None:
        """Start to watch, if there is a store that can be watched."""
        super().startService()
        if self._stores:
            self._poll.start(WATCH_SECONDS, now=False).addErrback(_unexpected)

    def stopService(self) -> Deferred[None]:
        """Stop to watch; fires when the threads have ended."""
        super().stopService()
        if self._poll.running:
            self._poll.stop()
        pool, self._pool = self._pool, None
        if pool is None:
            return succeed(None)
        interruptions = LoopingCall(self._interrupt)
        interruptions.clock = self._reactor
        interruptions.start(INTERRUPT_SECONDS).addErrback(_unexpected)
        return pool.stop().addBoth(lambda _none: interruptions.stop())

    def _interrupt(self) -> None:
        """Make the looks end that have not."""
        for store in self._stores:
            if store.is_busy:
                store.checker.interrupt()

    def _look(self) -> None:
        """Read what changed, in a thread for each store, and compare.

        Also without sessions: what is known of a store must not be older than that, or a login long
        after a change would be taken for one before it.
        """
        try:
            self._note_logins()
            self._end_outside_hours()
        except Exception:  # noqa: BLE001 - the next look follows
            _unexpected(Failure())
        if self._pool is None:
            self._pool = BlockingPool(self._reactor, "account watch", threads=len(self._stores))
        for store in self._stores:
            if store.is_busy:
                continue
            store.is_busy = True
            asked = dict(store.records)
            names = {record.name for record in asked.values()}
            looking = self._pool.run(store.checker.current, names)
            looking.addCallback(self._compare, store, asked).addErrback(_unexpected)
            looking.addBoth(self._looked, store)

    def _looked(self, _none: None, store: WatchedStore) -> None:
        store.is_busy = False

    def _note_logins(self) -> None:
        """Record what the new sessions have logged in with.

        That is the older one, if the account has changed since the last look: if the login was
        after the change, the client has to log in once more. A login of two steps is noted at both;
        what it logged in with is that of the first.
        """
        logins = {login.session: login.user for login in self.new_logins}
        self.new_logins.clear()
        for store in self._stores:
            for number in store.records.keys() - self._sessions.keys():
                del store.records[number]
            for number, name in tuple(logins.items()):
                known = store.records.get(number)
                if known is not None and known.name == name:
                    del logins[number]
                else:
                    store.records.pop(number, None)
        names = frozenset(logins.values())
        for store in self._stores:
            taken = store.checker.take_logins(names)
            accepted = [number for number, name in logins.items() if name in taken]
            for number in accepted:
                store.records[number] = taken[logins.pop(number)]

    def _end_outside_hours(self) -> None:
        """End the sessions whose hours have ended, as far as is known without asking a store."""
        now = self._now()
        is_inside: dict[int, bool] = {}  # by the `id` of the hours: many accounts have the same
        for store in self._stores:
            for number, record in list(store.records.items()):
                hours, session = record.hours, self._sessions.get(number)
                if hours is None or session is None:
                    continue
                if id(hours) not in is_inside:
                    is_inside[id(hours)] = hours.contain(now)
                if not is_inside[id(hours)]:
                    self._changed(number, record.name, "hours ended")
                    del store.records[number]
                    session.disconnect(HOURS_TEXT)

    def _compare(
        self,
        current: Mapping[str, AccountRecord],
        store: WatchedStore,
        asked: Mapping[int, AccountRecord],
    ) -> None:
        for number, before in asked.items():
            session = self._sessions.get(number)
            if session is None or store.records.get(number) is not before:
                continue  # it has ended, or logged in again meanwhile
            now = current.get(before.name)
            if now is None or not self._is_in_force(now, now is before):
                self._changed(number, before.name, "locked or removed")
                session.disconnect(LOCKED_TEXT)
            elif now is not before and _terms(now) != _terms(before):
                self._changed(number, before.name, "changed")
                session.finish_and_disconnect(CHANGED_TEXT)
                if session.is_working:  # a lock, or the end of its hours, does not wait
                    store.records[number] = now
                    continue
            else:
                continue
            del store.records[number]

    def _changed(self, number: int, name: str, what: str) -> None:
        """Publish that the session of an account ends."""
        self.publish(AccountChanged(self._now(), number, "", name, what))

    def _is_in_force(self, record: AccountRecord, is_same: bool) -> bool:
        """Return whether a record allows logins; ``is_same``: its hours were looked at before."""
        if record.disabled:
            return False
        if not is_same and record.hours is not None and not record.hours.contain(self._now()):
            return False
        return record.expires is None or date.fromtimestamp(self._now()) <= record.expires


def _terms(record: AccountRecord) -> AccountRecord:
    """Return a record without what does not matter to a session that runs.

    Whether a value is its own or that of a group does not matter either.
    """
    return replace(record, password_hash="", line=0, retention=None, groups=(), without=frozenset())


def _unexpected(failure: Failure) -> None:
    """Log an error, unless it is logged where it occurs: of a store, or for want of a thread."""
    if not failure.check(StoreUnavailable, PoolOverloaded):
        log.failure("the accounts of sessions that run could not be compared", failure)
