"""Passwords of accounts, checked by the portal of FTP, with its delays, events and bans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from twisted.cred.error import LoginFailed as PortalRefusal
from twisted.cred.error import UnhandledCredentials
from twisted.internet.defer import Deferred, maybeDeferred

from ftpservice.accounts.account import IAccount, PeerCredentials
from ftpservice.accounts.account_record import (
    AccountRecord,
    IAccountRecords,
    IRemoteRecords,
    RecordedName,
    has_records,
)
from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable, RecordChecker
from ftpservice.accounts.defence.login_attempts import TooManyAttempts, delay_after
from ftpservice.accounts.defence.login_refusal import LoginRefused, refusal_for
from ftpservice.control.factory import FTPFactory
from ftpservice.events import LoggedIn, LoginFailed, LoginRefusal, Refused
from ftpservice.storage.errors import StorageError
from ftpservice.storage.rights import Right
from ftpservice.web.access.account_session import HTTP_SESSION, PROTOCOL, AccountSession
from ftpservice.web.http.problems import Problem

__all__ = ["PLAINTEXT_TEXT", "AccountState", "PortalAccess"]

FAILED_TEXT = "Login failed."
HOURS_TEXT = "The account may not log in at this time."
UNAVAILABLE_TEXT = "Logins are not possible at the moment."
PLAINTEXT_TEXT = "Files are not transferred without TLS; use https."
CHANGED_TEXT = "The login was ended, as the account has changed; log in again."
LIMIT_TEXT = "The account has too many sessions."


@dataclass(frozen=True)
class AccountState:
    """What is known of an account that has logged in."""

    is_in_force: bool = True
    is_admin: bool | None = None
    """Whether it has the right ``admin``; None: not known."""
    password_hash: str = ""
    """Empty: not known."""
    has_other_password: bool = False
    """Whether it has another password than that of a hash."""


class PortalAccess:
    """Checks the passwords of accounts, and begins their sessions.

    ``checkers`` tell later whether an account still is in force.
    """

    def __init__(
        self, factory: FTPFactory, checkers: Iterable[object], pause: Callable[[float], Any]
    ) -> None:
        self._factory = factory
        self._checkers = tuple(checkers)
        self._pause = pause

    async def check(self, user: str, password: str, peer: str, tls: str) -> AccountSession:
        """Return a session of the account, for `begin` or ``end``; raises `Problem`.

        ``tls`` is the version and the cipher; empty: plaintext.
        """
        attempts = self._factory.services().login_attempts
        try:
            await attempts.admit(peer)
        except TooManyAttempts:
            self._failed(user, peer, LoginRefusal.THROTTLED, "of this address")
            raise Problem(429, "Too many failed logins from your address.") from None
        session = AccountSession(self._factory, peer, tls)
        try:
            await self._log_in(session, user, password)
            session.password_hash = (await self.state(user)).password_hash
        except BaseException:
            session.end("")
            raise
        account = _account(session)
        number = session.context.peer.session
        self._factory.password_accepted(LoggedIn(time.time(), number, peer, account.name))
        return session

    async def _log_in(self, session: AccountSession, user: str, password: str) -> None:
        """Log in through the portal, and count the attempt; raises `Problem`."""
        services, peer = session.context.services, session.context.peer.label
        attempts = services.login_attempts
        ended, problem = attempts.abandoned, Problem(401, FAILED_TEXT)
        try:
            credentials = _credentials(session, user, password)
            await session.context.portal_login.login(services.portal, credentials, user)
            ended = attempts.succeeded
            return
        except (PortalRefusal, UnhandledCredentials) as error:
            ended = attempts.failed
            if isinstance(error, LoginRefused) and error.is_outside_hours:
                ended, problem = attempts.abandoned, Problem(401, HOURS_TEXT)
            self._failed(user, peer, *_reason(error))
        except (LoginBusy, LoginUnavailable, StorageError) as error:
            if isinstance(error, LoginUnavailable) and error.is_guess:
                ended = attempts.failed
            self._failed(user, peer, _temporary_reason(error), str(error))
            raise Problem(503, UNAVAILABLE_TEXT) from None
        finally:
            ended(peer)
        await self._pause(delay_after(1))
        raise problem

    async def open(self, user: str, peer: str, tls: str) -> AccountSession:
        """Return a session of an account that has given this right before, without its password.

        It is for ``begin_as_guest`` or `begin`, or ``end``. Raises `Problem` if the account could
        not log in now, whatever the reason: 403, or 503 if that is not known.
        """
        session = AccountSession(self._factory, peer, tls)
        try:
            await self._open(session, user)
        except (PortalRefusal, UnhandledCredentials):
            session.end("")
            raise Problem(403, "The account is not in force.") from None
        except (LoginBusy, LoginUnavailable, StorageError):
            session.end("")
            raise Problem(503, UNAVAILABLE_TEXT) from None
        except BaseException:
            session.end("")
            raise
        return session

    async def _open(self, session: AccountSession, user: str) -> None:
        """Log in by the record of an account; raises `LoginRefused`, and what its realm raises."""
        context = session.context
        for checker in self._checkers:
            record = await _record_of(checker, user)
            if record is None or not isinstance(checker, RecordChecker):
                continue
            peer = PeerCredentials(b"", b"", context.peer.host, context.tls_state.control)
            reasons = checker.refusals(record, peer)
            if reasons:
                raise refusal_for(reasons)
            portal = RecordPortal(context.services.portal.realm)
            await context.portal_login.login(portal, RecordedName.of(record), user)  # type: ignore[arg-type]
            return
        raise LoginRefused(LoginRefusal.UNKNOWN_NAME)

    async def begin(self, session: AccountSession, make_room: Callable[[str], bool]) -> None:
        """Begin a session of `check`; raises `Problem`. After an error it has ended.

        ``make_room`` ends another login of an account, if there is one that does nothing.
        """
        try:
            await self._begin(session, make_room)
        except BaseException:
            session.end("")
            raise

    async def _begin(self, session: AccountSession, make_room: Callable[[str], bool]) -> None:
        peer = session.context.peer.label
        name, refusal = _account(session).name, self._factory.session_refusal
        if refusal is not None and not session.is_admin:
            event = Refused(time.time(), 0, peer, name, refusal, info=HTTP_SESSION)
            self._factory.event_sink.events.publish(event)
            raise Problem(503, refusal)
        if not (session.may_transfer or session.is_admin):
            self._failed(name, peer, LoginRefusal.NO_TLS, "plaintext transfers are refused")
            raise Problem(403, PLAINTEXT_TEXT)
        limit = await session.begin()
        if limit and make_room(name):
            _account(session)
            limit = await session.begin()
        if limit:
            self._failed(name, peer, LoginRefusal.TOO_MANY_SESSIONS, f"{limit} at a time")
            raise Problem(429, LIMIT_TEXT)

    def _failed(self, user: str, peer: str, reason: LoginRefusal, detail: str) -> None:
        event = LoginFailed(time.time(), 0, peer, user, reason, detail, info=HTTP_SESSION)
        self._factory.event_sink.events.publish(event)

    async def state(self, user: str, known_hash: str = "") -> AccountState:
        """Return whether an account that has logged in is in force, as far as that is known.

        ``known_hash`` is that of the password that it has logged in with; empty: not known.
        """
        is_known_to_all = True
        for checker in self._checkers:
            try:
                record = await _record_of(checker, user)
            except LoginUnavailable:
                return AccountState()
            is_known_to_all = is_known_to_all and has_records(checker)
            if record is not None:
                new = record.password_hash
                is_other = isinstance(checker, RecordChecker) and not (
                    not known_hash or checker.is_same_password(known_hash, new)
                )
                is_admin = Right.ADMIN in record.rights
                return AccountState(_is_in_force(record), is_admin, new, is_other)
        return AccountState(not is_known_to_all)


def _account(session: AccountSession) -> IAccount:
    """Return the account of a login; raises `Problem` if the login has been ended meanwhile."""
    account = session.context.portal_login.account
    if account is None:
        raise Problem(401, CHANGED_TEXT)
    return account


class RecordPortal:
    """Asks a realm for the avatar of a record, without a checker."""

    def __init__(self, realm: Any) -> None:
        self._realm = realm

    def login(self, name: RecordedName, mind: object, *interfaces: Any) -> Deferred[Any]:
        """Return the avatar, as the realm does."""
        return maybeDeferred(self._realm.requestAvatar, name, mind, *interfaces)


async def _record_of(checker: object, user: str) -> AccountRecord | None:
    """Return the record of an account; None without one. Raises `LoginUnavailable`."""
    if IAccountRecords.providedBy(checker):
        return IAccountRecords(checker).lookup(user)
    if IRemoteRecords.providedBy(checker):
        record: AccountRecord | None = await IRemoteRecords(checker).fetch(user)
        return record
    return None


def _is_in_force(record: AccountRecord) -> bool:
    if record.disabled or (record.hours is not None and not record.hours.contain(time.time())):
        return False
    return record.expires is None or date.today() <= record.expires


def _credentials(session: AccountSession, user: str, password: str) -> PeerCredentials:
    name, secret = (text.encode("utf-8", "surrogateescape") for text in (user, password))
    context = session.context
    credentials = PeerCredentials(name, secret, context.peer.host, context.tls_state.control)
    credentials.protocol = PROTOCOL
    return credentials


def _reason(error: Exception) -> tuple[LoginRefusal, str]:
    if isinstance(error, LoginRefused):
        return error.reason, error.detail
    return LoginRefusal.REFUSED, str(error)


def _temporary_reason(error: Exception) -> LoginRefusal:
    if isinstance(error, LoginBusy):
        return LoginRefusal.BUSY
    is_store = isinstance(error, LoginUnavailable)
    return LoginRefusal.STORE_UNAVAILABLE if is_store else LoginRefusal.NO_FILES
