"""Passwords that were verified before: a repeated login needs neither a hash nor a thread.

An argon2 hash takes tens of milliseconds and a thread. A client that logs in for each file would
pay it each time, and delay every login that waits for a check. So after a successful check a keyed
digest of the name and password is kept in memory (BLAKE2b, a key of this process, never on disk);
the same name and password are then accepted by comparing two digests, in microseconds. Rules:

- Only a success is remembered. A wrong password, an unknown name, and a right password of an
  account that is refused for another reason all take the slow way, and the same time.
- A digest holds for one reading of the file (`VerifiedPasswords.contents`); with other contents all
  are forgotten.
- After a change of the file that the kernel tells of (`file_changes`), the slow way is taken, which
  reads it. For other changes the file must have been checked within ``RECHECK_SECONDS``.
- After ``REMEMBERED_SECONDS`` a password is hashed again; the number of digests is bounded.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from hashlib import blake2b
from hmac import compare_digest

from ftpservice.accounts.account_record import AccountRecord, RecordedName
from ftpservice.accounts.passwd_file import PasswdContents

__all__ = [
    "MAX_REMEMBERED",
    "RECHECK_SECONDS",
    "REMEMBERED_SECONDS",
    "LoginDigests",
    "VerifiedPasswords",
]

RECHECK_SECONDS = 1.0
"""How long the contents of the file are taken to be current."""
REMEMBERED_SECONDS = 600.0
"""How long a verified password is accepted without another hash."""
MAX_REMEMBERED = 10_000
"""Names; the oldest are forgotten first."""
DIGEST_BYTES = 32


class LoginDigests:
    """Keyed digests of names and passwords, which only this process can compute."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(DIGEST_BYTES)

    def digest(self, name: str, password: bytes) -> bytes:
        """Return the digest of a login, `DIGEST_BYTES` long; compare it in constant time."""
        encoded = name.encode("utf-8", "surrogateescape")
        data = b"%d:%b%b" % (len(encoded), encoded, password)
        return blake2b(data, digest_size=DIGEST_BYTES, key=self._key).digest()


Verified = tuple[bytes, float, RecordedName]
"""The digest, when it was verified, and the avatar id with the record it was verified against."""


class VerifiedPasswords:
    """The digests of one file of accounts. Use it from the reactor thread only."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._digest = LoginDigests().digest
        self._verified: dict[str, Verified] = {}
        self._unknown = secrets.token_bytes(DIGEST_BYTES)
        """Compared with where the name is not remembered."""
        self.contents: PasswdContents | None = None
        """What the digests were verified against."""
        self._current_until = 0.0

    def now(self) -> float:
        """Return the time, for `checked`."""
        return self._seconds()

    def checked(self, contents: PasswdContents, since: float) -> None:
        """Record that a check of the file that began at ``since`` resulted in ``contents``."""
        if contents is not self.contents:
            self._verified.clear()
            self.contents = contents
        self._current_until = since + RECHECK_SECONDS

    def remember(self, name: str, password: bytes, record: AccountRecord) -> RecordedName:
        """Remember that a login was accepted; returns its avatar id."""
        now, verified = self._seconds(), self._verified
        avatar_id = RecordedName.of(record)
        verified.pop(name, None)
        verified[name] = self._digest(name, password), now, avatar_id
        while len(verified) > MAX_REMEMBERED:
            del verified[next(iter(verified))]
        return avatar_id

    def find(self, name: str, password: bytes) -> RecordedName | None:
        """Return the avatar id of an earlier login with this password, if it still holds."""
        digest = self._digest(name, password)
        known, verified_at, avatar_id = self._verified.get(name, (self._unknown, 0.0, None))
        now = self._seconds()
        is_same = compare_digest(known, digest)
        if avatar_id is None or not is_same or now > self._current_until:
            return None
        if now > verified_at + REMEMBERED_SECONDS:
            return None
        return avatar_id
