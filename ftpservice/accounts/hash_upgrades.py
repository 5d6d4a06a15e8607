"""After a login with a hash of another program, the hash is replaced by argon2id.

Only then is the password at hand. The store replaces the hash if it is still the one that the
password was checked against, so that a new password set meanwhile stays. With 50,000 accounts in a
file a change takes seconds, so changes are collected, and take at most a twentieth of the time. A
hash that is not replaced when the service stops is replaced at the next login.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import AccountStoreError, IAccountStore
from ftpservice.accounts.foreign_hashes.verification import is_whole_password_hashed
from ftpservice.accounts.password_hash import hash_password, needs_rehash
from ftpservice.concurrency.thread_pool import BlockingPool

__all__ = ["HashUpgrades"]

log = Logger("ftpservice.accounts")

PAUSE_SECONDS = 1.0
"""The least time between two changes of the store."""
PAUSE_FACTOR = 20.0
"""The least time between two changes, as a multiple of the time that the last one took."""
RETRY_SECONDS = 600.0
"""How long hashes stay as they are after the store could not be changed."""
MAX_PENDING = 1000
MAX_REPLACED = 10_000


class HashUpgrades:
    """The hashes to be replaced in one store.

    ``pool`` runs the hashing and the changes of the store. Use it on the reactor thread only.
    """

    def __init__(self, store: IAccountStore, pool: BlockingPool, clock: IReactorTime) -> None:
        self._store = store
        self._pool = pool
        self._clock = clock
        self._pending: set[str] = set()
        """The names whose new hash is being made or written."""
        self._made: dict[str, tuple[str, str]] = {}
        """The old and the new hash by name, to be written."""
        self._replaced: OrderedDict[str, str] = OrderedDict()
        """The old hash by the new one, of those that were made last."""
        self._next_write = 0.0
        self._retry_at = 0.0
        self._delayed: IDelayedCall | None = None
        self._is_writing = False
        self._last_problem = ""

    def after_login(self, record: AccountRecord, password: bytes) -> None:
        """Replace the hash of an account, if it is not argon2id, after ``password`` matched it."""
        old, name = record.password_hash, record.name
        if (
            not needs_rehash(old)
            or name in self._pending
            or len(self._pending) >= MAX_PENDING
            or self._clock.seconds() < self._retry_at
            or not is_whole_password_hashed(old, password)
        ):
            return
        self._pending.add(name)
        made = self._pool.run(hash_password, password)
        made.addCallbacks(self._hash_made, self._no_hash, (name, old), {}, (name,))

    def stop(self) -> None:
        """Write nothing more, but for a change in progress."""
        if self._delayed is not None:
            self._delayed.cancel()
            self._delayed = None
        self._retry_at = float("inf")

    def _hash_made(self, new: str, name: str, old: str) -> None:
        self._made[name] = old, new
        self._replaced[new] = old
        if len(self._replaced) > MAX_REPLACED:
            self._replaced.popitem(last=False)
        self._schedule()

    def is_replacement(self, old: str, new: str) -> bool:
        """Return whether a hash was made here of the password of the old one."""
        return self._replaced.get(new) == old

    def _no_hash(self, failure: Failure, name: str) -> None:
        """Leave the hash for the next login: the pool is busy or stopped."""
        self._pending.discard(name)
        log.debug("no new hash for {name!r}: {error}", name=name, error=failure.value)

    def _schedule(self) -> None:
        if self._is_writing or self._delayed is not None or not self._made:
            return
        delay = self._next_write - self._clock.seconds()
        if delay > 0:
            self._delayed = self._clock.callLater(delay, self._write)
        else:
            self._write()

    def _write(self) -> None:
        self._delayed = None
        self._is_writing = True
        hashes, self._made = self._made, {}
        began = self._clock.seconds()
        written = self._pool.run(self._store.replace_hashes, hashes)
        written.addBoth(self._written, frozenset(hashes), began)

    def _written(self, result: Any, names: frozenset[str], began: float) -> None:
        self._is_writing = False
        self._pending -= names
        now = self._clock.seconds()
        self._next_write = now + max(PAUSE_SECONDS, PAUSE_FACTOR * (now - began))
        if isinstance(result, Failure):
            self._retry_at = max(self._retry_at, now + RETRY_SECONDS)
            self._pending -= self._made.keys()
            self._made.clear()
            self._report(result)
            return
        self._last_problem = ""
        if result:
            log.info(
                "{place}: {count} password hashes of other programs replaced by argon2id",
                place=self._store.place,
                count=len(result),
            )
        self._schedule()

    def _report(self, failure: Failure) -> None:
        """Log why hashes stay as they are, once for each reason."""
        problem = repr(failure.value)
        if problem == self._last_problem:
            return
        self._last_problem = problem
        if failure.check(AccountStoreError):
            log.warn(
                "password hashes of other programs cannot be replaced and stay in use: {error}",
                error=failure.value,
            )
        else:
            log.failure("password hashes of other programs cannot be replaced", failure)
