"""Passwords of administrators, checked by the portal of FTP, with its delays, events and bans."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from twisted.cred.error import LoginFailed as PortalRefusal
from twisted.cred.error import UnhandledCredentials

from ftpservice.accounts.account import PeerCredentials
from ftpservice.accounts.account_record import AccountRecord, IAccountRecords, IRemoteRecords
from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable
from ftpservice.accounts.defence.login_attempts import TooManyAttempts, delay_after
from ftpservice.accounts.defence.login_refusal import LoginRefused
from ftpservice.control.factory import FTPFactory
from ftpservice.events import LoggedIn, LoginFailed, LoginRefusal, SessionInfo
from ftpservice.session.login import PortalLogin
from ftpservice.storage.errors import StorageError
from ftpservice.storage.rights import Right
from ftpservice.web.http.problems import Problem

__all__ = ["PortalAccess"]

HTTP_SESSION = SessionInfo(protocol="http")
FAILED_TEXT = "Login failed."
NO_RIGHT_TEXT = "The account has no right admin."
Pause = Callable[[float], Any]
"""Returns what to await for a time."""


class PortalAccess:
    """Checks the password of an account with the right ``admin``.

    ``checkers`` tell later whether the account still has it.
    """

    def __init__(
        self, factory: FTPFactory, checkers: Iterable[object], pause: Callable[[float], Any]
    ) -> None:
        self._factory = factory
        self._checkers = tuple(checkers)
        self._pause = pause

    async def check(self, user: str, password: str, peer: str, tls: str) -> None:
        """Return if the login is right; raises `Problem`.

        ``tls`` is the version and the cipher; empty: plaintext.
        """
        services = self._factory.services()
        attempts, login = services.login_attempts, PortalLogin()
        try:
            await attempts.admit(peer)
        except TooManyAttempts:
            self._failed(user, peer, LoginRefusal.THROTTLED, "of this address")
            raise Problem(429, "Too many failed logins from your address.") from None
        ended = attempts.abandoned
        try:
            account = await login.login(
                services.portal, _credentials(user, password, peer, bool(tls)), user
            )
            is_admin = Right.ADMIN in account.rights and not account.anonymous
            ended = attempts.succeeded
        except (PortalRefusal, UnhandledCredentials) as error:
            ended = attempts.failed
            self._failed(user, peer, *_reason(error))
            is_admin = False
        except (LoginBusy, LoginUnavailable, StorageError) as error:
            self._failed(user, peer, LoginRefusal.STORE_UNAVAILABLE, str(error))
            raise Problem(503, "Logins are not possible at the moment.") from None
        finally:
            login.end()
            ended(peer)
        if ended == attempts.failed:
            await self._pause(delay_after(1))
            raise Problem(401, FAILED_TEXT)
        if not is_admin:
            self._failed(user, peer, LoginRefusal.DISABLED, "no right admin, for the status page")
            raise Problem(403, NO_RIGHT_TEXT)
        event = LoggedIn(time.time(), 0, peer, user, tls, info=HTTP_SESSION)
        self._factory.event_sink.events.publish(event)

    def _failed(self, user: str, peer: str, reason: LoginRefusal, detail: str) -> None:
        event = LoginFailed(time.time(), 0, peer, user, reason, detail, info=HTTP_SESSION)
        self._factory.event_sink.events.publish(event)

    async def is_admin(self, user: str) -> bool:
        """Return whether an account that has logged in still may; True if that is not known."""
        is_known_to_all = True
        for checker in self._checkers:
            try:
                if IAccountRecords.providedBy(checker):
                    record = IAccountRecords(checker).lookup(user)
                elif IRemoteRecords.providedBy(checker):
                    record = await IRemoteRecords(checker).fetch(user)
                else:
                    is_known_to_all = False
                    continue
            except LoginUnavailable:
                return True
            if record is not None:
                return _is_admin(record)
        return not is_known_to_all


def _is_admin(record: AccountRecord) -> bool:
    if record.disabled or Right.ADMIN not in record.rights:
        return False
    return record.expires is None or date.today() <= record.expires


def _credentials(user: str, password: str, peer: str, is_secure: bool) -> PeerCredentials:
    name, secret = (text.encode("utf-8", "surrogateescape") for text in (user, password))
    credentials = PeerCredentials(name, secret, peer, is_secure)
    credentials.protocol = "http"
    return credentials


def _reason(error: Exception) -> tuple[LoginRefusal, str]:
    if isinstance(error, LoginRefused):
        return error.reason, error.detail
    return LoginRefusal.REFUSED, str(error)
