"""Makes any checkers work together behind one portal, Twisted's own above all, and its realms.

A portal keeps one checker for each kind of credentials, so those for passwords are asked in a
row. Twisted's own want this of us: ``memory:`` has its names as ``str`` when it was made from a
string, as ``bytes`` when made by a program; ``file:`` and ``unix`` read files at every login, and
are safe to ask in a thread, for they keep nothing but a cache that is swapped whole. ``unix``
needs the module ``crypt``, which Python has no more from 3.13 on. Strangers' checkers are asked
as they are, on the reactor's thread.

Twisted's checkers return avatar ids as bytes, and Twisted's FTP realms want them as text: bytes
give a shell that mixes both in its paths (``FTPRealm``), or none (``SystemFTPRealm``).
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable
from importlib.util import find_spec
from typing import Any

from twisted.cred.checkers import (
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.error import LoginFailed, Unauthorized, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.plugins.cred_unix import UNIXChecker
from twisted.protocols.ftp import BaseFTPRealm
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.accounts.account import ICertificateCredentials
from ftpservice.accounts.account_record import IAccountRecords, IStartable
from ftpservice.accounts.checkers import LoginBusy, name_text, password_bytes
from ftpservice.accounts.login_refusal import LoginRefused, combined_refusal
from ftpservice.accounts.password_pool import PasswordCheckPool, PasswordCheckRunner
from ftpservice.concurrency.task import Task
from ftpservice.events import LoginRefusal

__all__ = [
    "CertificateCheckers",
    "PasswordCheckers",
    "UnusableChecker",
    "portal_checkers",
    "with_text_names",
]

log = Logger("ftpservice.accounts")

AvatarId = Any
"""``bytes`` by the contract, ``str`` from some of Twisted's own, ``()`` for anonymous."""


class UnusableChecker(ValueError):
    """A checker that could never let anybody in here; says which and why."""


def portal_checkers(checkers: Iterable[ICredentialsChecker]) -> list[ICredentialsChecker]:
    """Return what to give to ``Portal`` for these checkers, asked in this order.

    Raises `UnusableChecker`.
    """
    passwords: list[ICredentialsChecker] = []
    certified: list[ICredentialsChecker] = []
    others: list[ICredentialsChecker] = []
    for checker in checkers:
        _vet(checker)
        takes_passwords = IUsernamePassword in checker.credentialInterfaces
        (passwords if takes_passwords else others).append(checker)
        if ICertificateCredentials in checker.credentialInterfaces:
            certified.append(checker)
    together: list[ICredentialsChecker] = [PasswordCheckers(passwords)] if passwords else []
    return [*together, *([CertificateCheckers(certified)] if certified else []), *others]


def _vet(checker: ICredentialsChecker) -> None:
    kinds = checker.credentialInterfaces
    if IUsernamePassword not in kinds and IAnonymous not in kinds:
        name = type(checker).__name__
        raise UnusableChecker(f"{name} checks neither passwords nor anonymous logins")
    if isinstance(checker, UNIXChecker) and find_spec("crypt") is None:
        raise UnusableChecker(
            "unix: this Python cannot check system passwords (no module crypt); use passwd:"
        )


def with_text_names(portal: Portal) -> Portal:
    """Return ``portal``; one with a realm of `twisted.protocols.ftp` gets its names as text.

    The portal that is returned asks the same checkers, also those registered later.
    """
    if not isinstance(portal.realm, BaseFTPRealm):
        return portal
    text = Portal(TextNameRealm(portal.realm))
    text.checkers = portal.checkers
    return text


@implementer(IRealm)
class TextNameRealm:
    """Hands avatar ids on as text: UTF-8 with ``surrogateescape``."""

    def __init__(self, realm: BaseFTPRealm) -> None:
        self._realm = realm

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: Any) -> Any:
        """Ask the realm."""
        name = name_text(avatarId) if isinstance(avatarId, bytes) else avatarId
        return self._realm.requestAvatar(name, mind, *interfaces)


@implementer(ICredentialsChecker, IStartable)
class PasswordCheckers:
    """Asks one checker after the other until one lets the user in.

    If none does, the refusal is that of the first one that knows the name.
    One that fails in a way of its own is logged and lets nobody in; `LoginBusy` ends the asking.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self, checkers: Iterable[ICredentialsChecker], pool: PasswordCheckRunner | None = None
    ) -> None:
        self.checkers = tuple(checkers)
        self._pool = pool

    def start(self, reactor: Any) -> None:
        """Start every checker that wants it, and the threads for Twisted's own."""
        for checker in self.checkers:
            if IStartable.providedBy(checker):
                checker.start(reactor)
        if self._pool is None:
            self._pool = PasswordCheckPool(reactor)

    def stop(self) -> None:
        """Stop what was started."""
        for checker in self.checkers:
            if IStartable.providedBy(checker):
                checker.stop()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()

    def records(self) -> list[IAccountRecords]:
        """Return those of the checkers that know more of an account than its password."""
        return [checker for checker in self.checkers if IAccountRecords.providedBy(checker)]

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        """Check a name and password; fails with `UnauthorizedLogin` or `LoginBusy`."""
        return Task(self._avatar_id(credentials)).done

    async def _avatar_id(self, credentials: Any) -> AvatarId:
        checkers = self.checkers if credentials.username else ()
        return await _first(checkers, lambda checker: self._ask(checker, credentials))

    async def _ask(self, checker: ICredentialsChecker, credentials: Any) -> AvatarId:
        if type(checker) in (FilePasswordDB, UNIXChecker):
            if self._pool is None:
                raise RuntimeError("start the checkers with the reactor before the first login")
            return await self._pool.run(
                _asked_in_thread, checker, CleartextCredentials(credentials)
            )
        if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
            credentials = CleartextCredentials(credentials)
            if credentials.username not in checker.users:
                credentials.username = name_text(credentials.username)
        return await maybeDeferred(checker.requestAvatarId, credentials)


@implementer(ICredentialsChecker)
class CertificateCheckers:
    """Asks one checker after the other about a client's certificate; others start and stop them."""

    credentialInterfaces = (ICertificateCredentials,)

    def __init__(self, checkers: Iterable[ICredentialsChecker]) -> None:
        self.checkers = tuple(checkers)

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        """Check a name and the names in a certificate; fails like `PasswordCheckers`."""

        async def ask(checker: ICredentialsChecker) -> AvatarId:
            return await maybeDeferred(checker.requestAvatarId, credentials)

        return Task(_first(self.checkers, ask)).done


async def _first(
    checkers: Iterable[ICredentialsChecker],
    ask: Callable[[ICredentialsChecker], Awaitable[AvatarId]],
) -> AvatarId:
    refusals: list[LoginRefused] = []
    for checker in checkers:
        try:
            return await ask(checker)
        except (LoginBusy, CancelledError):
            raise
        except LoginRefused as error:
            refusals.append(error)
        except (LoginFailed, Unauthorized) as error:
            refusals.append(LoginRefused(LoginRefusal.REFUSED, _by(checker, error)))
        except Exception as error:  # noqa: BLE001 - a stranger's checker may fail in any way
            log.failure("{checker} failed", checker=type(checker).__name__)
            refusals.append(LoginRefused(LoginRefusal.CHECKER_FAILED, _by(checker, error)))
    raise combined_refusal(refusals)


def _by(checker: ICredentialsChecker, error: Exception) -> str:
    """Say which checker refuses, and what it says about it."""
    said = str(error)
    return f"by checker {type(checker).__name__}" + (f": {said}" if said else "")


def _asked_in_thread(checker: Any, credentials: CleartextCredentials) -> AvatarId:
    """Return the answer of a checker that has it at once; its Deferred stays in this thread."""
    answers: list[AvatarId] = []
    maybeDeferred(checker.requestAvatarId, credentials).addBoth(answers.append)
    (answer,) = answers
    if not isinstance(answer, Failure):
        return answer
    if isinstance(answer.value, ValueError):  # a NUL, or bytes that are not UTF-8
        raise UnauthorizedLogin("nobody has such a name or password")
    return answer.raiseException()


@implementer(IUsernamePassword)
class CleartextCredentials:
    """A name and password as Twisted's own checkers take them, compared in constant time."""

    username: Any

    def __init__(self, credentials: Any) -> None:
        name = credentials.username
        self.username = name if isinstance(name, bytes) else password_bytes(name)
        self.password = password_bytes(credentials.password)

    def checkPassword(self, password: bytes | str) -> bool:
        """Compare with the right password."""
        return hmac.compare_digest(self.password, password_bytes(password))
