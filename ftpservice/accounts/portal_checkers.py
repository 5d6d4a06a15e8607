"""Combines checkers, ours and Twisted's, behind one portal, and adapts Twisted's FTP realms.

A portal has one checker for each credentials interface, so several checkers for passwords are
called in turn. Twisted's own checkers need this care:

- ``memory:`` has its names as ``str`` if it was made from a string, and as ``bytes`` if it was made
  by a program.
- ``file:`` and ``unix`` read files at every login. They are safe to call in a thread: their only
  state is a cache that is replaced as a whole.
- ``unix`` needs the module ``crypt``, which was removed in Python 3.13.

Other checkers are called on the reactor thread.

Twisted's checkers return avatar ids as bytes, and Twisted's FTP realms expect text: with bytes
``FTPRealm`` returns a shell that mixes both types in its paths, and ``SystemFTPRealm`` fails.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Iterable
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
from twisted.internet.defer import TimeoutError as CheckTimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.plugins.cred_unix import UNIXChecker
from twisted.protocols.ftp import BaseFTPRealm
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.accounts.account import ICertificateCredentials
from ftpservice.accounts.account_record import IAccountRecords, IStartable, RecordedName
from ftpservice.accounts.checkers import (
    LoginBusy,
    LoginUnavailable,
    PasswordFileChecker,
    name_text,
    new_check_pool,
    password_bytes,
)
from ftpservice.accounts.defence.login_refusal import LoginRefused, combined_refusal
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingPool
from ftpservice.events import LoginRefusal

__all__ = [
    "CertificateCheckers",
    "PasswordCheckers",
    "UnusableChecker",
    "portal_checkers",
    "with_text_names",
]

log = Logger("ftpservice.accounts")

MAX_CHECK_SECONDS = 3.0
"""How long a login may take if one of the stores is down."""
GUESSES = (LoginRefusal.WRONG_PASSWORD, LoginRefusal.REFUSED)

AvatarId = Any
"""``bytes`` by the interface, ``str`` from some of Twisted's checkers, ``()`` for anonymous."""


class UnusableChecker(ValueError):
    """A checker that could never accept a login here; ``str`` of it names the checker and why."""


def portal_checkers(checkers: Iterable[ICredentialsChecker]) -> list[ICredentialsChecker]:
    """Return the checkers to register with a ``Portal``; they call these ones in this order.

    Raises `UnusableChecker`, also for an object that is not a checker.
    """
    passwords: list[ICredentialsChecker] = []
    certified: list[ICredentialsChecker] = []
    others: list[ICredentialsChecker] = []
    for checker in checkers:
        _require_usable(checker)
        takes_passwords = IUsernamePassword in checker.credentialInterfaces
        (passwords if takes_passwords else others).append(checker)
        if ICertificateCredentials in checker.credentialInterfaces:
            certified.append(checker)
    if len(passwords) == 1 and type(passwords[0]) is PasswordFileChecker:
        return [*passwords, *others]  # it does all that the two classes below would add
    combined: list[ICredentialsChecker] = [PasswordCheckers(passwords)] if passwords else []
    return [*combined, *([CertificateCheckers(certified)] if certified else []), *others]


def _require_usable(checker: ICredentialsChecker) -> None:
    kinds = getattr(checker, "credentialInterfaces", None)
    if kinds is None or isinstance(checker, type):
        raise UnusableChecker(f"{checker!r} is not an object with ICredentialsChecker")
    if IUsernamePassword not in kinds and IAnonymous not in kinds:
        name = type(checker).__name__
        raise UnusableChecker(f"{name} checks neither passwords nor anonymous logins")
    if isinstance(checker, UNIXChecker) and find_spec("crypt") is None:
        raise UnusableChecker(
            "unix: this Python has no module crypt for system passwords; use passwd:"
        )


def with_text_names(portal: Portal) -> Portal:
    """Return a portal whose realm gets avatar ids as text, if that is one of Twisted's FTP realms.

    It shares its checkers with ``portal``, including those registered later.
    """
    if not isinstance(portal.realm, BaseFTPRealm):
        return portal
    text = Portal(TextNameRealm(portal.realm))
    text.checkers = portal.checkers
    return text


@implementer(IRealm)
class TextNameRealm:
    """Passes avatar ids to a realm as text: UTF-8 with ``surrogateescape``."""

    def __init__(self, realm: BaseFTPRealm) -> None:
        self._realm = realm

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: Any) -> Any:
        """Return the avatar of the realm."""
        name = name_text(avatarId) if isinstance(avatarId, bytes) else avatarId
        return self._realm.requestAvatar(name, mind, *interfaces)


@implementer(ICredentialsChecker, IStartable)
class PasswordCheckers:
    """Calls checkers in turn until one accepts the login; see `Answers`.

    `LoginBusy` is raised at once.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self, checkers: Iterable[ICredentialsChecker], pool: BlockingPool | None = None
    ) -> None:
        self.checkers = tuple(checkers)
        self._pool = pool
        self._clock: IReactorTime | None = None

    def start(self, reactor: Any) -> None:
        """Start every `IStartable` checker, and the threads for Twisted's checkers."""
        for checker in self.checkers:
            if IStartable.providedBy(checker):
                checker.start(reactor)
        if self._pool is None:
            self._pool = new_check_pool(reactor)
        self._clock = reactor

    def stop(self) -> None:
        """Stop what `start` has started."""
        for checker in self.checkers:
            if IStartable.providedBy(checker):
                checker.stop()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop_and_wait()

    def records(self) -> list[IAccountRecords]:
        """Return those of the checkers that have account records."""
        return [checker for checker in self.checkers if IAccountRecords.providedBy(checker)]

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        """Check a name and password; fails as `Answers` says, or with `LoginBusy`."""
        return Task(self._avatar_id(credentials)).done

    async def _avatar_id(self, credentials: Any) -> AvatarId:
        checkers = self.checkers if credentials.username else ()
        answers, clock = Answers(), self._clock
        ends = clock.seconds() + MAX_CHECK_SECONDS if clock is not None else 0.0
        for checker in checkers:
            asked = Task(self._check(checker, credentials)).done
            if answers.unavailable is not None and clock is not None:
                asked.addTimeout(max(0.0, ends - clock.seconds()), clock)
            if await answers.add(checker, asked):
                return answers.avatar_id
        raise answers.refusal()

    async def _check(self, checker: ICredentialsChecker, credentials: Any) -> AvatarId:
        if type(checker) in (FilePasswordDB, UNIXChecker):
            if self._pool is None:
                raise RuntimeError("start the checkers with the reactor before the first login")
            return await self._pool.run(
                _avatar_id_in_thread, checker, CleartextCredentials(credentials)
            )
        if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
            credentials = CleartextCredentials(credentials)
            if credentials.username not in checker.users:
                credentials.username = name_text(credentials.username)
        return await maybeDeferred(checker.requestAvatarId, credentials)


@implementer(ICredentialsChecker)
class CertificateCheckers:
    """Calls checkers in turn for a client certificate; does not start or stop them."""

    credentialInterfaces = (ICertificateCredentials,)

    def __init__(self, checkers: Iterable[ICredentialsChecker]) -> None:
        self.checkers = tuple(checkers)

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        """Check a name and the names in a certificate; fails like `PasswordCheckers`."""
        return Task(self._avatar_id(credentials)).done

    async def _avatar_id(self, credentials: Any) -> AvatarId:
        answers = Answers()
        for checker in self.checkers:
            if await answers.add(checker, maybeDeferred(checker.requestAvatarId, credentials)):
                return answers.avatar_id
        raise answers.refusal()


class Answers:
    """The answers of several checkers to one login, in their order.

    - The first store of accounts that has the name decides. Others are asked all the same, so that
      the time does not tell which store has the name. If the password is wrong, a checker without
      records, such as Twisted's, may still accept it: the records are then those of the store.
    - A store that is down is passed over. If no other accepts the login, the outcome is
      `LoginUnavailable`, unless a store before it has decided. It counts as a guess if another
      checker may have the name and refused its password.
    - Otherwise the refusal is the first one that is not vague (`LoginRefused.is_vague`). An
      unexpected error of a checker is logged and counts as a refusal.
    """

    def __init__(self) -> None:
        self.avatar_id: AvatarId = None
        self.unavailable: LoginUnavailable | None = None
        self._decision: LoginRefused | None = None
        """The refusal of the first store that has the name."""
        self._refusals: list[LoginRefused] = []

    async def add(self, checker: ICredentialsChecker, asked: Awaitable[AvatarId]) -> bool:
        """Wait for an answer; returns whether the login is accepted, with ``avatar_id``."""
        try:
            avatar_id = await asked
        except (LoginBusy, CancelledError):
            raise
        except (LoginUnavailable, CheckTimedOut) as error:
            if self._decision is None and self.unavailable is None:
                self.unavailable = LoginUnavailable(str(error) or _by(checker, error))
        except LoginRefused as error:
            self._refuse(error)
        except (LoginFailed, Unauthorized) as error:
            self._refuse(LoginRefused(LoginRefusal.REFUSED, _by(checker, error)))
        except Exception as error:  # noqa: BLE001 - a checker may fail in any way
            log.failure("{checker} failed", checker=type(checker).__name__)
            self._refuse(LoginRefused(LoginRefusal.CHECKER_FAILED, _by(checker, error)))
        else:
            self.avatar_id = avatar_id
            return self._is_accepted(avatar_id)
        return False

    def refusal(self) -> LoginRefused | LoginUnavailable:
        """Return the outcome if no checker has accepted the login."""
        if self.unavailable is None:
            return combined_refusal(self._refusals)
        is_guess = any(refusal.reason in GUESSES for refusal in self._refusals)
        return LoginUnavailable(str(self.unavailable), is_guess)

    def _refuse(self, refusal: LoginRefused) -> None:
        self._refusals.append(refusal)
        decides = not refusal.is_vague and refusal.reason is not LoginRefusal.CHECKER_FAILED
        if decides and self._decision is None:
            self._decision = refusal

    def _is_accepted(self, avatar_id: AvatarId) -> bool:
        decision = self._decision
        if decision is None:
            return True
        is_wrong = decision.reason is LoginRefusal.WRONG_PASSWORD
        return is_wrong and not isinstance(avatar_id, RecordedName)


def _by(checker: ICredentialsChecker, error: Exception) -> str:
    """Return which checker refused, and its own message."""
    message = str(error)
    return f"by checker {type(checker).__name__}" + (f": {message}" if message else "")


def _avatar_id_in_thread(checker: Any, credentials: CleartextCredentials) -> AvatarId:
    """Return the result of a checker that has it at once; its Deferred stays in this thread."""
    results: list[AvatarId] = []
    maybeDeferred(checker.requestAvatarId, credentials).addBoth(results.append)
    (result,) = results
    if not isinstance(result, Failure):
        return result
    if isinstance(result.value, ValueError):  # a NUL, or bytes that are not UTF-8
        raise UnauthorizedLogin("not a possible name or password")
    return result.raiseException()


@implementer(IUsernamePassword)
class CleartextCredentials:
    """A name and password for Twisted's checkers, compared in constant time."""

    username: Any

    def __init__(self, credentials: Any) -> None:
        name = credentials.username
        self.username = name if isinstance(name, bytes) else password_bytes(name)
        self.password = password_bytes(credentials.password)

    def checkPassword(self, password: bytes | str) -> bool:
        """Compare with the account's password."""
        return hmac.compare_digest(self.password, password_bytes(password))
