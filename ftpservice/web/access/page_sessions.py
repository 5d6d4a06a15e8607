"""The logins of browsers: a random cookie each, of which the server keeps a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["PageSession", "PageSessions", "cookie_name"]

IDLE_SECONDS = 30 * 60.0
"""Time without a request after which a login ends."""
LONGEST_SECONDS = 12 * 3600.0
MAX_SESSIONS = 1000
MAX_SESSIONS_PER_USER = 20
RANDOM_BYTES = 32
SECURE_COOKIE = "__Host-ftpservice"
PLAIN_COOKIE = "ftpservice"
"""Over plain HTTP, where browsers do not accept the other name."""


def cookie_name(is_secure: bool) -> str:
    """Return the name of the cookie."""
    return SECURE_COOKIE if is_secure else PLAIN_COOKIE


@dataclass(slots=True)
class PageSession:
    """The login of a browser."""

    user: str
    csrf: str
    """The value that a request has to repeat in a header if it changes something."""
    created: float
    used: float
    checked: float
    """When it was last made sure that the account still may use the page."""

    def accepts_csrf(self, given: str) -> bool:
        """Return whether the value in the header is right."""
        return hmac.compare_digest(self.csrf.encode(), given.encode("utf-8", "replace"))


class PageSessions:
    """The logins that have not ended; ``seconds`` is a clock that does not jump."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._sessions: dict[str, PageSession] = {}

    def begin(self, user: str) -> tuple[str, PageSession]:
        """Begin a login; return the value of its cookie, and the login."""
        now, secret = self._seconds(), secrets.token_urlsafe(RANDOM_BYTES)
        self._drop_ended(now)
        own = [key for key, one in self._sessions.items() if one.user == user]
        if len(own) >= MAX_SESSIONS_PER_USER:
            del self._sessions[own[0]]
        elif len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session = PageSession(user, secrets.token_urlsafe(RANDOM_BYTES), now, now, now)
        self._sessions[_key(secret)] = session
        return secret, session

    def find(self, secret: str) -> PageSession | None:
        """Return the login of a cookie, and renew it; None if there is none or it has ended."""
        key, now = _key(secret), self._seconds()
        session = self._sessions.get(key)
        if session is None:
            return None
        if _has_ended(session, now):
            del self._sessions[key]
            return None
        session.used = now
        return session

    def is_open(self, session: PageSession) -> bool:
        """Return whether a login has not ended."""
        return session in self._sessions.values() and not _has_ended(session, self._seconds())

    def end(self, session: PageSession) -> None:
        """End a login."""
        for key, one in list(self._sessions.items()):
            if one is session:
                del self._sessions[key]

    def _drop_ended(self, now: float) -> None:
        for key, session in list(self._sessions.items()):
            if _has_ended(session, now):
                del self._sessions[key]


def _has_ended(session: PageSession, now: float) -> bool:
    return now - session.used >= IDLE_SECONDS or now - session.created >= LONGEST_SECONDS


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
