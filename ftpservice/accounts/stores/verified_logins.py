"""Logins that a store has accepted: they save hashes, and bridge a time without the store.

Only a keyed digest of name and password is kept (BLAKE2b, a key of this process, never on disk).
The record that the store has now is looked up for every login; only its hash is not computed again
for a password that matched the same hash before. While the store is down, a login may be
accepted from memory for a bounded time after the store was last asked about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from ftpservice.accounts.account_record import AccountRecord, RecordedName
from ftpservice.accounts.verified_passwords import MAX_REMEMBERED, LoginDigests

__all__ = ["REHASH_SECONDS", "VerifiedLogins"]

REHASH_SECONDS = 600.0
"""How long a password is accepted without another hash."""


@dataclass(frozen=True, slots=True)
class VerifiedLogin:
    """An accepted login; times in seconds of the clock."""

    digest: bytes
    hashed_at: float
    """When the password was last hashed."""
    accepted_at: float
    """When the store was last asked."""
    avatar_id: RecordedName


class VerifiedLogins:
    """The accepted logins of one store, by name. Use it on the reactor thread, but for `update`."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._digest = LoginDigests().digest
        self._logins: dict[str, VerifiedLogin] = {}

    def matches(self, record: AccountRecord, password: bytes) -> bool:
        """Return whether the password has matched the hash of this record a short time ago."""
        login = self._logins.get(record.name)
        return (
            login is not None
            and self._seconds() <= login.hashed_at + REHASH_SECONDS
            and login.avatar_id.record.password_hash == record.password_hash
            and compare_digest(login.digest, self._digest(record.name, password))
        )

    def remember(self, record: AccountRecord, password: bytes, is_hashed: bool) -> RecordedName:
        """Remember an accepted login, and return its avatar id; ``is_hashed``: just now."""
        now, before = self._seconds(), self._logins.pop(record.name, None)
        hashed_at = now if is_hashed or before is None else before.hashed_at
        avatar_id = RecordedName.of(record)
        digest = self._digest(record.name, password)
        self._logins[record.name] = VerifiedLogin(digest, hashed_at, now, avatar_id)
        while len(self._logins) > MAX_REMEMBERED:
            self._logins.pop(next(iter(self._logins)), None)
        return avatar_id

    def update(self, name: str, record: AccountRecord | None) -> None:
        """Forget a login if the store has another password or no usable account of that name."""
        login = self._logins.get(name)
        if login is None:
            return
        known = login.avatar_id.record
        if record is None or record.disabled or record.password_hash != known.password_hash:
            self._logins.pop(name, None)

    def forget(self, name: str, password: bytes) -> None:
        """Forget a login with this password: the store refuses it now."""
        login = self._logins.get(name)
        if login is not None and compare_digest(login.digest, self._digest(name, password)):
            self._logins.pop(name, None)  # `update` may have forgotten it meanwhile

    def accepted_within(self, seconds: float, name: str, password: bytes) -> RecordedName | None:
        """Return the avatar id of a login that the store accepted within this time."""
        login = self._logins.get(name)
        if login is None or self._seconds() > login.accepted_at + seconds:
            return None
        if not compare_digest(login.digest, self._digest(name, password)):
            return None
        return login.avatar_id
