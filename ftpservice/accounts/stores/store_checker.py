"""The checker of a store of accounts that is looked up at every login, such as a database.

What a login costs does not depend on whether the name is known: a look-up, and a hash or what the
store itself does with passwords. A store that is down is a temporary refusal (`LoginUnavailable`)
after `ftpservice.accounts.stores.store_calls.CALL_SECONDS` at most, never a wrong password.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from ftpservice.accounts.account import ICertificateCredentials, IPeerCredentials
from ftpservice.accounts.account_record import (
    AccountRecord,
    IRemoteRecords,
    IStartable,
    RecordedName,
)
from ftpservice.accounts.account_store import (
    FoundAccount,
    IAccountLookup,
    IAccountStore,
    IPeerAccountLookup,
    IWatchedAccounts,
)
from ftpservice.accounts.checkers import (
    MAX_WAITING_CHECKS,
    UNKNOWN_PEER,
    LoginBusy,
    LoginUnavailable,
    RecordChecker,
    name_text,
    new_check_pool,
    password_bytes,
)
from ftpservice.accounts.defence.login_refusal import LoginRefused, refusal_for
from ftpservice.accounts.hash_upgrades import HashUpgrades
from ftpservice.accounts.stores.store_calls import CALL_THREADS, StoreCalls
from ftpservice.accounts.stores.verified_logins import VerifiedLogins
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.events import LoginRefusal

__all__ = ["StoreChecker"]

MAX_UNTAKEN_LOGINS = 10_000
"""Names with a login that the watch has not taken yet; the oldest are forgotten first."""


@implementer(ICredentialsChecker, IRemoteRecords, IStartable, IWatchedAccounts)
class StoreChecker(RecordChecker):
    """Accepts the accounts of ``lookup``; the avatar id is a `RecordedName`.

    Call ``start`` before the first login. ``store``, which changes the same accounts, gets argon2id
    hashes in place of those of other programs after a login. An account that was accepted within
    ``cache_seconds`` can log in with the same password while the store is down.
    """

    def __init__(
        self,
        lookup: IAccountLookup,
        store: IAccountStore | None = None,
        cache_seconds: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(now)
        self.place = lookup.place
        self.store = store
        self.cache_seconds = cache_seconds
        self.lookup = lookup
        has_peer = IPeerAccountLookup.providedBy(lookup)
        self._look_up_from = IPeerAccountLookup(lookup).look_up_from if has_peer else None
        self._pools: list[BlockingPool] = []
        self._upgrades: HashUpgrades | None = None
        self._calls: StoreCalls | None = None
        self._logins: dict[str, AccountRecord] = {}
        """The record of each login that the watch has not taken yet."""

    def start(self, reactor: Any) -> None:
        """Create the threads, unless there are some, and connect, so that the log has problems."""
        if self._calls is not None:
            return
        calls = BlockingPool(reactor, "accounts", CALL_THREADS, MAX_WAITING_CHECKS, LoginBusy)
        self._hashing = new_check_pool(reactor)
        self._pools = [calls, self._hashing]
        self._calls = StoreCalls(self.place, calls, reactor, self.lookup.interrupt)
        self._verified = VerifiedLogins(reactor.seconds)
        if self.store is not None:
            self._upgrades = HashUpgrades(self.store, self._hashing, reactor)
        prepared = Task(self._calls.call(self.lookup.current, ())).done
        prepared.addErrback(lambda failure: failure.trap(LoginUnavailable, LoginBusy))

    def stop(self) -> None:
        """Stop the threads and close the store; logins before the next ``start`` fail."""
        if self._calls is None:
            return
        self._calls = None
        upgrades, self._upgrades = self._upgrades, None
        if upgrades is not None:
            upgrades.stop()
        for pool in self._pools:
            pool.stop_and_wait(self.interrupt)
        self.lookup.close()

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the store or its accounts, a line each (blocks).

        Call it without `start`, before or instead of it. Raises `StoreUnavailable`.
        """
        try:
            problems = self.lookup.problems()
            return problems if self.store is None else [*problems, *self.store.problems()]
        finally:
            self.lookup.close()

    def fetch(self, name: str) -> Deferred[AccountRecord | None]:
        """Look up the record of a name that another checker has accepted."""

        async def record() -> AccountRecord | None:
            return (await self._found(name, None)).record

        return Task(record()).done

    def take_logins(self, names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Return the records of the logins since the last call."""
        taken, self._logins = self._logins, {}
        return {name: taken[name] for name in names if name in taken}

    def current(self, names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Ask the store for the records of these names (blocks)."""
        records = self.lookup.current(names)
        for name in names:
            self._verified.update(name, records.get(name))
        return records

    def interrupt(self) -> None:
        """Make the calls of the store that run end."""
        self.lookup.interrupt(0.0)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """Check a login; fails with `UnauthorizedLogin`, `LoginBusy` or `LoginUnavailable`."""
        if self._calls is None:
            return fail(RuntimeError("start the checker with the reactor before the first login"))
        name = name_text(credentials.username)
        if ICertificateCredentials.providedBy(credentials):
            return Task(self._certificate_login(name, credentials)).done
        peer = IPeerCredentials(credentials, UNKNOWN_PEER)
        return Task(self._password_login(name, password_bytes(credentials.password), peer)).done

    async def _found(
        self, name: str, password: bytes | None, peer: IPeerCredentials | None = None
    ) -> FoundAccount:
        calls = self._calls
        if calls is None:
            raise LoginUnavailable(f"{self.place}: the checker is stopped")
        if self._look_up_from is None or peer is None or password is None:
            found = await calls.call(self.lookup.look_up, name, password)
        else:
            found = await calls.call(self._look_up_from, name, password, peer)
        self._verified.update(name, None if found.unusable else found.record)
        if found.is_right is False and password is not None:
            self._verified.forget(name, password)
        return found

    async def _password_login(
        self, name: str, password: bytes, peer: IPeerCredentials
    ) -> RecordedName:
        # 1. Look the account up; without the store, look into the memory.
        try:
            found = await self._found(name, password, peer)
        except LoginUnavailable:
            known = self._login_from_memory(name, password, peer)
            if known is None:
                raise
            return self._accept(known)
        # 2. Check the password, or a decoy for an unknown name.
        record, is_right = found.record, found.is_right
        is_hashed = is_right is None and not (
            record is not None and self._verified.matches(record, password)
        )
        if is_hashed:
            hashed = record.password_hash if record else self.lookup.decoy_hash(name)
            is_right = await self._hashing.run(self._matches, hashed, password)
        # 3. Only then consider other reasons for a refusal.
        if record is None:
            raise self._without_record(found)
        reasons = self.refusals(record, peer, found.unusable)
        if is_right is False and not found.unusable:
            reasons.insert(0, (LoginRefusal.WRONG_PASSWORD, ""))
        if reasons:
            raise refusal_for(reasons, self._place_of(record))
        if is_hashed and self._upgrades is not None:
            self._upgrades.after_login(record, password)
        return self._accept(self._verified.remember(record, password, is_hashed))

    def _without_record(self, found: FoundAccount) -> LoginRefused:
        if found.unusable:
            return LoginRefused(LoginRefusal.REFUSED, f"{self.place}: {found.unusable}")
        return LoginRefused(LoginRefusal.UNKNOWN_NAME, f"not in {self.place}")

    def _login_from_memory(
        self, name: str, password: bytes, peer: IPeerCredentials
    ) -> RecordedName | None:
        """Return the avatar id of a login that may be accepted while the store is down."""
        if not self.cache_seconds:
            return None
        known = self._verified.accepted_within(self.cache_seconds, name, password)
        return None if known is None or self.refusals(known.record, peer) else known

    async def _certificate_login(self, name: str, credentials: Any) -> RecordedName:
        found = await self._found(name, None)
        return self._accept(self._certificate_avatar_id(found.record, credentials, found.unusable))

    def _accept(self, avatar_id: RecordedName) -> RecordedName:
        logins, record = self._logins, avatar_id.record
        logins.setdefault(record.name, record)
        if len(logins) > MAX_UNTAKEN_LOGINS:
            del logins[next(iter(logins))]
        return avatar_id
