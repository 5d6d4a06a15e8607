"""The logins of browsers: a random cookie each, of which the server keeps a hash."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.login_cookie import LoginCookie
from ftpservice.web.access.random_secrets import hash_of, new_secret

__all__ = ["PAGE_COOKIE", "PageSession", "PageSessions"]

IDLE_SECONDS = 30 * 60.0
"""Time without a request after which a login ends."""
LONGEST_SECONDS = 12 * 3600.0
LONGEST_UNKNOWN_SECONDS = 4 * 3600.0
"""The same, if nobody can tell whether the account gets another password: its store (LDAP, PAM,
HTTP) checks passwords and does not show what it compares them with."""
SWEEP_SECONDS = 30.0
"""Time between two looks for logins that have ended, while there are any."""
IDLE_TEXT = "The login was not used for too long."
LONGEST_TEXT = "The longest time of a login has passed."
STOP_TEXT = "The service is stopping."
DISPLACED_TEXT = "Other logins to the page took its place."
MAX_SESSIONS = 1000
MAX_SESSIONS_PER_USER = 20
PAGE_COOKIE = LoginCookie("ftpservice")


@dataclass(slots=True, eq=False)
class PageSession:
    """The login of a browser."""

    user: str
    account: AccountSession
    """Its session among those of FTP; the login ends with it."""
    is_admin: bool
    """Whether it may see and steer the service."""
    csrf: str
    """The value that a request has to repeat in a header if it changes something."""
    created: float
    used: float
    checked: float
    """When it was last made sure that the account still is in force."""

    @property
    def longest_seconds(self) -> float:
        """The longest time of the login."""
        is_known = bool(self.account.password_hash)
        return LONGEST_SECONDS if is_known else LONGEST_UNKNOWN_SECONDS

    def accepts_csrf(self, given: str) -> bool:
        """Return whether the value in the header is right."""
        return hmac.compare_digest(self.csrf.encode(), given.encode("utf-8", "replace"))


class PageSessions:
    """The logins that have not ended; ``clock`` does not jump."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._sessions: dict[str, PageSession] = {}
        self._sweep: IDelayedCall | None = None

    def begin(self, user: str, account: AccountSession) -> tuple[str, PageSession]:
        """Begin a login; return the value of its cookie, and the login."""
        now, secret = self._clock.seconds(), new_secret()
        self._drop_ended(now)
        own = [session for session in self._sessions.values() if session.user == user]
        if len(own) >= MAX_SESSIONS_PER_USER:
            self.end(own[0], DISPLACED_TEXT)
        elif len(self._sessions) >= MAX_SESSIONS:
            self.end(next(iter(self._sessions.values())), DISPLACED_TEXT)
        token = new_secret()
        session = PageSession(user, account, account.is_admin, token, now, now, now)
        self._sessions[hash_of(secret)] = session
        if self._sweep is None:
            self._sweep = self._clock.callLater(SWEEP_SECONDS, self._look)
        return secret, session

    def find(self, secret: str) -> PageSession | None:
        """Return the login of a cookie, and renew it; None if there is none or it has ended."""
        now, session = self._clock.seconds(), self._sessions.get(hash_of(secret))
        if session is None:
            return None
        if _end_text(session, now) is not None:
            self._drop_ended(now)
            return None
        session.used = now
        return session

    def end(self, session: PageSession, reason: str) -> None:
        """End a login, after the requests in progress."""
        for key, one in list(self._sessions.items()):
            if one is session:
                del self._sessions[key]
        session.account.end(reason)

    def end_unused(self, user: str) -> bool:
        """End the oldest login of an account that does nothing now; False if there is none."""
        for session in self._sessions.values():
            if session.user == user and not session.account.is_working:
                self.end(session, DISPLACED_TEXT)
                return True
        return False

    def stop(self) -> None:
        """End all logins, each after its requests in progress."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for session in list(self._sessions.values()):
            session.account.end(STOP_TEXT)
        self._sessions.clear()

    def _look(self) -> None:
        self._sweep = None
        self._drop_ended(self._clock.seconds())
        if self._sessions:
            self._sweep = self._clock.callLater(SWEEP_SECONDS, self._look)

    def _drop_ended(self, now: float) -> None:
        for key, session in list(self._sessions.items()):
            reason = _end_text(session, now)
            if reason is not None:
                del self._sessions[key]
                session.account.end(reason)
            elif session.account.is_working:
                session.used = now


def _end_text(session: PageSession, now: float) -> str | None:
    """Return why a login has ended; None if it has not."""
    if session.account.is_over:
        return ""
    if now - session.created >= session.longest_seconds:
        return LONGEST_TEXT
    is_idle = now - session.used >= IDLE_SECONDS and not session.account.is_working
    return IDLE_TEXT if is_idle else None
