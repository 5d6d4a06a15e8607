"""Checks names and passwords against a ``passwd.db``.

The same for every login, known or not: one look at the file, one hash of the common cost, both in
a thread, and only then the reasons to refuse. Refusals are `LoginRefused`, whose reason is for the
log and not for the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
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
from ftpservice.accounts.login_conditions import login_problems
from ftpservice.accounts.login_refusal import LoginRefused, Problem, refusal_for
from ftpservice.accounts.passwd_file import PasswordFile
from ftpservice.accounts.passwd_line import PasswdContents
from ftpservice.accounts.password_hash import cost_of, verify
from ftpservice.accounts.password_pool import (
    THREAD_COUNT,
    LoginBusy,
    PasswordCheckPool,
    PasswordCheckRunner,
)
from ftpservice.concurrency.task import Task
from ftpservice.events import LoginRefusal

__all__ = [
    "SHIPPED_HASH",
    "LoginBusy",
    "PasswordFileChecker",
    "name_text",
    "password_bytes",
    "shipped_accounts",
]

log = Logger("ftpservice.accounts")

SHIPPED_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$qmKbqAHLawfeCntIIxWKdA"
    "$pS5W5qufctnpy4arA+8cD5gmOSWZRBbvhbLd3GJVHmE"
)
"""The hash of ``demo`` in the ``passwd.db`` that everybody gets with the sources."""
UNKNOWN_ORIGIN = PeerCredentials(b"", b"", None, secured=False)
"""Where those come from whose credentials do not say."""


def shipped_accounts(records: Iterable[AccountRecord]) -> list[str]:
    """Return the names of the accounts in force whose password the whole world knows."""
    return [
        record.name
        for record in records
        if record.password_hash == SHIPPED_HASH and not record.disabled
    ]


def name_text(name: bytes | str) -> str:
    """Return a name as records spell it: UTF-8 with ``surrogateescape``."""
    return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


def password_bytes(password: bytes | str) -> bytes:
    """Return a password as the client sent it."""
    if isinstance(password, bytes):
        return password
    return password.encode("utf-8", "surrogateescape")


@implementer(ICredentialsChecker, IAccountRecords, IStartable)
class PasswordFileChecker:
    """Lets in who is in the file; the avatar id is a `RecordedName`.

    ``start`` it before the first login. ``refuse_shipped`` closes the accounts of
    `shipped_accounts`, also those that a later change of the file brings in.
    """

    credentialInterfaces = (IUsernamePassword, ICertificateCredentials)

    def __init__(
        self,
        file: PasswordFile,
        pool: PasswordCheckRunner | None = None,
        today: Callable[[], date] = date.today,
    ) -> None:
        self.file = file
        self.refuse_shipped = False
        self._pool = pool
        self._today = today

    def start(self, reactor: Any) -> None:
        """Make the threads' pool and log what checks cost; does nothing if there is one."""
        if self._pool is None:
            self._pool = PasswordCheckPool(reactor)
            costs = [cost_of(record.password_hash) for record in self.records()] or [(0, 0)]
            log.info(
                "{path}: {accounts} accounts; a password check takes up to {memory} MiB and"
                " {passes} passes, {threads} checks at a time",
                path=self.file.path,
                accounts=len(self.records()),
                memory=-(-max(memory for memory, _ in costs) // 1024),
                passes=max(passes for _, passes in costs),
                threads=THREAD_COUNT,
            )

    def stop(self) -> None:
        """End the pool; logins before the next ``start`` fail."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()

    def lookup(self, name: str) -> AccountRecord | None:
        """Return the account ``name`` as of the last login."""
        return self.file.lookup(name)

    def records(self) -> Sequence[AccountRecord]:
        """Return all usable accounts as of the last login."""
        return tuple(self.file.contents.accounts.values())

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """Check a name and password; fails with `UnauthorizedLogin` or `LoginBusy`.

        In place of the password a certificate will do, for the accounts that say so.
        """
        if ICertificateCredentials.providedBy(credentials):
            return Task(self._certified_id(credentials)).done
        return Task(self._avatar_id(credentials)).done

    def _running(self) -> PasswordCheckRunner:
        if self._pool is None:
            raise RuntimeError("start the checker with the reactor before the first login")
        return self._pool

    async def _certified_id(self, credentials: Any) -> bytes | tuple[()]:
        name = name_text(credentials.username)
        contents = await self._running().run(self.file.refresh)
        record = contents.lookup(name)
        if record is None or record.certificate is not CertificateUse.LOGIN:
            raise LoginRefused(LoginRefusal.REFUSED, "the account does not log in by certificate")
        origin = PeerCredentials(b"", b"", credentials.peer, True, credentials.certificate_names)
        found = [*self._problems(contents, record, origin)]
        if name not in credentials.certificate_names:
            found.insert(0, (LoginRefusal.OTHER_CERTIFICATE, ""))
        if found:
            raise refusal_for(found, self._where(record))
        return RecordedName.of(record)

    async def _avatar_id(self, credentials: Any) -> bytes | tuple[()]:
        name, password = name_text(credentials.username), password_bytes(credentials.password)
        contents, record, fits = await self._running().run(self._verified, name, password)
        if record is None:
            raise LoginRefused(LoginRefusal.UNKNOWN_NAME, f"not in {self.file.path}")
        found = [*self._problems(contents, record, IPeerCredentials(credentials, UNKNOWN_ORIGIN))]
        if not fits and name not in contents.closed:
            found.insert(0, (LoginRefusal.WRONG_PASSWORD, ""))
        if found:
            raise refusal_for(found, self._where(record))
        return RecordedName.of(record)

    def _verified(
        self, name: str, password: bytes
    ) -> tuple[PasswdContents, AccountRecord | None, bool]:
        """Read and hash (blocks); the same work whether or not there is such an account."""
        contents = self.file.refresh()
        record = contents.lookup(name)
        hashed = record.password_hash if record is not None else contents.decoys.hash_for(name)
        return contents, record, verify(hashed, password)

    def _problems(
        self, contents: PasswdContents, record: AccountRecord, origin: IPeerCredentials
    ) -> Iterator[Problem]:
        """Yield what keeps the owner of the right password from logging in, here and now."""
        if self.refuse_shipped and record.password_hash == SHIPPED_HASH:
            yield LoginRefusal.SHIPPED_PASSWORD, "it is published with the sources"
        yield from login_problems(contents, record, origin, self._today())

    def _where(self, record: AccountRecord) -> str:
        return f"line {record.line} of {self.file.path}" if record.line else self.file.path
