"""The checker of ``passwd.db``, and what it shares with the checkers of other stores of accounts.

Every login that is refused costs the same, with a known name or an unknown one: one check of the
file and one hash of the usual cost, both in a thread. Only then are other reasons for a refusal
considered. A login that was accepted before takes a shorter way (`verified_passwords`). Refusals
are `LoginRefused`; their reason is for the log, not for the client.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from threading import Lock
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.accounts.account import (
    ICertificateCredentials,
    IPeerCredentials,
    PeerCredentials,
)
from ftpservice.accounts.account_record import (
    AccountRecord,
    CertificateUse,
    IAccountRecords,
    IStartable,
    RecordedName,
)
from ftpservice.accounts.account_store import IAccountStore, IWatchedAccounts
from ftpservice.accounts.defence.login_refusal import LoginRefused, RefusalReason, refusal_for
from ftpservice.accounts.defence.networks import is_in_networks
from ftpservice.accounts.hash_upgrades import HashUpgrades
from ftpservice.accounts.passwd_file import PasswdContents, PasswordFile
from ftpservice.accounts.password_hash import cost_of, is_costly, verify
from ftpservice.accounts.verified_passwords import VerifiedPasswords
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.events import LoginRefusal
from ftpservice.wire.units import count_text

__all__ = [
    "CHECK_THREADS",
    "MAX_WAITING_CHECKS",
    "SHIPPED_HASH",
    "UNKNOWN_PEER",
    "LoginBusy",
    "LoginUnavailable",
    "PasswordFileChecker",
    "RecordChecker",
    "name_text",
    "new_check_pool",
    "password_bytes",
    "shipped_accounts",
]

log = Logger("ftpservice.accounts")

SHIPPED_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$qmKbqAHLawfeCntIIxWKdA"
    "$pS5W5qufctnpy4arA+8cD5gmOSWZRBbvhbLd3GJVHmE"
)
"""The hash of ``demo`` in the ``passwd.db`` that is published with the sources."""
UNKNOWN_PEER = PeerCredentials(b"", b"", None, secured=False)
"""What is assumed of the client if the credentials do not describe it."""

CHECK_THREADS = 2
"""Each needs the memory of one hash, and they leave the other processors to the transfers."""
MAX_WAITING_CHECKS = 1000
"""With 30 ms for a hash the last one waits 15 seconds."""

Checked = tuple[PasswdContents, AccountRecord | None, bool]
"""The contents of the file, the record of the name, and whether the password is right."""


class LoginBusy(Exception):
    """Too many logins are waiting for their check, or for a costly one; nothing was checked.

    Not a `twisted.cred.error.LoginFailed`, because it must not count as a failed login.
    """


class LoginUnavailable(Exception):
    """An account store that may have the account is down; ``str`` of it says which, for the log.

    Not a `twisted.cred.error.LoginFailed`, because it must not count as a failed login. With
    ``is_guess`` another store has refused the password: the address is delayed as for a failure,
    so that nobody can guess without limit while a store is down.
    """

    def __init__(self, detail: str = "", is_guess: bool = False) -> None:
        super().__init__(detail)
        self.is_guess = is_guess


def new_check_pool(reactor: IReactorFromThreads) -> BlockingPool:
    """Return threads for password checks; calls fail with `LoginBusy` if too many wait."""
    return BlockingPool(reactor, "login", CHECK_THREADS, MAX_WAITING_CHECKS, LoginBusy)


def shipped_accounts(records: Iterable[AccountRecord]) -> list[str]:
    """Return the names of the accounts in force that have the published password."""
    return [
        record.name
        for record in records
        if record.password_hash == SHIPPED_HASH and not record.disabled
    ]


def name_text(name: bytes | str) -> str:
    """Return a name as in account records: UTF-8 with ``surrogateescape``."""
    return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


def password_bytes(password: bytes | str) -> bytes:
    """Return a password as the client sent it."""
    if isinstance(password, bytes):
        return password
    return password.encode("utf-8", "surrogateescape")


class RecordChecker:
    """What the checkers of account records have in common: the reasons to refuse a login.

    ``refuse_shipped`` refuses the accounts of `shipped_accounts`, including those that a later
    change of the store adds.
    """

    credentialInterfaces = (IUsernamePassword, ICertificateCredentials)
    place: str
    """Where the accounts are, for messages."""
    _upgrades: HashUpgrades | None = None

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.refuse_shipped = False
        self._now = now
        self._costly_check = Lock()
        """Held during a check of `is_costly`, so that other logins have a thread at any time."""

    def is_same_password(self, old: str, new: str) -> bool:
        """Return whether two hashes are of one password: one may have replaced the other."""
        return old == new or (
            self._upgrades is not None and self._upgrades.is_replacement(old, new)
        )

    def _matches(self, hashed: str, password: bytes) -> bool:
        """Hash a password (blocks); raises `LoginBusy` during another costly check."""
        if not is_costly(hashed):
            return verify(hashed, password)
        if not self._costly_check.acquire(blocking=False):
            raise LoginBusy
        try:
            return verify(hashed, password)
        finally:
            self._costly_check.release()

    def _certificate_avatar_id(
        self, record: AccountRecord | None, credentials: Any, unusable: str = ""
    ) -> RecordedName:
        """Return the avatar id of a login by certificate alone; raises `LoginRefused`."""
        if record is None or record.certificate is not CertificateUse.LOGIN:
            raise LoginRefused(
                LoginRefusal.REFUSED, "the account does not allow logins by certificate"
            )
        names = credentials.certificate_names
        peer = PeerCredentials(b"", b"", credentials.peer, True, names)
        reasons = self.refusals(record, peer, unusable)
        if record.name not in names:
            reasons.insert(0, (LoginRefusal.OTHER_CERTIFICATE, ""))
        if reasons:
            raise refusal_for(reasons, self._place_of(record))
        return RecordedName.of(record)

    def refusals(
        self, record: AccountRecord, peer: IPeerCredentials, unusable: str = ""
    ) -> list[RefusalReason]:
        """Return every reason to refuse this login although the password is right.

        ``unusable`` says why what the store has of the account cannot be used.
        """
        reasons: list[RefusalReason] = []
        if self.refuse_shipped and record.password_hash == SHIPPED_HASH:
            reasons.append((LoginRefusal.SHIPPED_PASSWORD, "it is published with the sources"))
        if unusable:
            reasons.append((LoginRefusal.UNUSABLE_LINE, unusable))
        elif record.disabled:
            reasons.append((LoginRefusal.DISABLED, ""))
        if record.expires is not None or record.hours is not None:
            reasons += _time_refusals(record, self._now())
        if record.networks and not is_in_networks(peer.peer, record.networks):
            allowed = ", ".join(map(str, record.networks))
            reasons.append((LoginRefusal.WRONG_NETWORK, f"only from {allowed}"))
        if record.tls_required and not peer.secured:
            reasons.append((LoginRefusal.NO_TLS, "the account requires it"))
        if record.certificate is CertificateUse.REQUIRED:
            reasons += _certificate_refusals(record, peer)
        return reasons

    def _place_of(self, record: AccountRecord) -> str:
        return f"line {record.line} of {self.place}" if record.line else self.place


@implementer(ICredentialsChecker, IAccountRecords, IStartable, IWatchedAccounts)
class PasswordFileChecker(RecordChecker):
    """Accepts the accounts of a file; the avatar id is a `RecordedName`.

    Call ``start`` before the first login. ``store``, which changes the same file, gets argon2id
    hashes in place of those of other programs after a login; without it hashes stay as they are.
    """

    def __init__(
        self,
        file: PasswordFile,
        pool: BlockingPool | None = None,
        now: Callable[[], float] = time.time,
        store: IAccountStore | None = None,
    ) -> None:
        if not isinstance(file, PasswordFile):
            raise TypeError(f"file is a PasswordFile, not {file!r}")
        super().__init__(now)
        self.file, self.place = file, file.path
        self._store = store
        self._upgrades: HashUpgrades | None = None
        self._pool = pool
        self._verified = VerifiedPasswords()
        self._watched = file.contents
        """The contents of the file when the watch last looked."""

    def start(self, reactor: Any) -> None:
        """Create the thread pool, unless there is one, and log what a check costs."""
        if self._pool is None:
            self._pool = new_check_pool(reactor)
            costs = [cost_of(record.password_hash) for record in self.records()] or [(0, 0)]
            log.info(
                "{path}: {accounts}; a password check takes up to {memory} MiB and"
                " {passes}, {threads} checks at a time",
                path=self.file.path,
                accounts=count_text(len(self.records()), "account"),
                memory=-(-max(memory for memory, _ in costs) // 1024),
                passes=count_text(max(passes for _, passes in costs), "pass"),
                threads=CHECK_THREADS,
            )
        if self._store is not None and self._upgrades is None:
            self._upgrades = HashUpgrades(self._store, self._pool, reactor)

    def stop(self) -> None:
        """Stop the thread pool; logins before the next ``start`` fail."""
        upgrades, self._upgrades = self._upgrades, None
        if upgrades is not None:
            upgrades.stop()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop_and_wait()
        self.file.changes.close()

    def lookup(self, name: str) -> AccountRecord | None:
        """Return the record of ``name``, as of the last login."""
        return self.file.lookup(name)

    def records(self) -> Sequence[AccountRecord]:
        """Return all usable records, as of the last login."""
        return tuple(self.file.contents.accounts.values())

    def take_logins(self, names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Return the records of the last look, or of now for accounts that are new since."""
        before, now = self._watched, self.file.contents
        found = ((name, before.lookup(name) or now.lookup(name)) for name in names)
        return {name: record for name, record in found if record is not None}

    def current(self, names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Read the file if it changed (blocks), and return the records of these names."""
        self._watched = contents = self.file.refresh()
        found = ((name, contents.lookup(name)) for name in names)
        return {name: record for name, record in found if record is not None}

    def interrupt(self) -> None:
        """Do nothing: reading a file ends by itself."""

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """Check a name and password; fails with `UnauthorizedLogin` or `LoginBusy`.

        For accounts with ``tls-cert=login`` a certificate can replace the password.
        """
        pool = self._pool
        if pool is None:
            return fail(RuntimeError("start the checker with the reactor before the first login"))
        name = name_text(credentials.username)
        if ICertificateCredentials.providedBy(credentials):
            refreshed = pool.run(self.file.refresh)
            return refreshed.addCallback(self._certificate_login, name, credentials)
        password = password_bytes(credentials.password)
        known = self._verified.find(name, password)
        changes = self.file.changes
        if (
            known is not None
            and not changes.pending(0)
            and changes.is_known
            and self._verified.contents is self.file.contents  # `current` may have read it since
            and not self.refusals(known.record, IPeerCredentials(credentials, UNKNOWN_PEER))
        ):
            return succeed(known)
        checked = pool.run(self._check, name, password)
        since = self._verified.now()
        return checked.addCallback(self._password_login, name, password, credentials, since)

    def _check(self, name: str, password: bytes) -> Checked:
        """Read the file and hash the password (blocks); costs the same for an unknown name."""
        try:
            contents = self.file.refresh()
            record = contents.lookup(name)
            hashed = record.password_hash if record is not None else contents.decoys.hash_for(name)
            return contents, record, self._matches(hashed, password)
        except LoginBusy:
            raise
        except Exception as error:
            log.failure("the password check failed")
            raise LoginRefused(LoginRefusal.CHECKER_FAILED, repr(error)) from error

    def _password_login(
        self, checked: Checked, name: str, password: bytes, credentials: Any, since: float
    ) -> bytes | tuple[()]:
        contents, record, is_right = checked
        self._verified.checked(contents, since)
        if record is None:
            raise LoginRefused(LoginRefusal.UNKNOWN_NAME, f"not in {self.place}")
        peer = IPeerCredentials(credentials, UNKNOWN_PEER)
        reasons = self.refusals(record, peer, _unusable(contents, name))
        if not is_right and name not in contents.closed:
            reasons.insert(0, (LoginRefusal.WRONG_PASSWORD, ""))
        if reasons:
            raise refusal_for(reasons, self._place_of(record))
        if self._upgrades is not None:
            self._upgrades.after_login(record, password)
        return self._verified.remember(name, password, record)

    def _certificate_login(
        self, contents: PasswdContents, name: str, credentials: Any
    ) -> bytes | tuple[()]:
        unusable = _unusable(contents, name)
        return self._certificate_avatar_id(contents.lookup(name), credentials, unusable)


def _unusable(contents: PasswdContents, name: str) -> str:
    """Return why an account cannot be used; empty if it can."""
    return contents.unusable(name) if name in contents.closed else ""


def _time_refusals(record: AccountRecord, now: float) -> list[RefusalReason]:
    """Return the reasons to refuse a login at this time."""
    reasons: list[RefusalReason] = []
    if record.expires is not None and date.fromtimestamp(now) > record.expires:
        reasons.append((LoginRefusal.EXPIRED, f"on {record.expires.isoformat()}"))
    if record.hours is not None and not record.hours.contain(now):
        reasons.append((LoginRefusal.OUTSIDE_HOURS, f"only {record.hours}"))
    return reasons


def _certificate_refusals(record: AccountRecord, peer: IPeerCredentials) -> list[RefusalReason]:
    names = peer.certificate_names
    if record.name in names:
        return []
    if not names:
        return [(LoginRefusal.NO_CERTIFICATE, "the account requires it")]
    return [(LoginRefusal.OTHER_CERTIFICATE, f"the certificate names {', '.join(sorted(names))}")]
