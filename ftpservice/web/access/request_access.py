"""Who makes a request: a program with a token, or a browser with the cookie of a login.

Without TLS a request is accepted where a password of FTP would be. A browser also sends the
cookie with requests that pages of other sites cause; so `SameSite=Strict`, and a request that may
change something needs the header ``Origin`` of this site and a value that only our page knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ftpservice.accounts.account import owner_of
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.page_sessions import PAGE_COOKIE, PageSession, PageSessions
from ftpservice.web.access.portal_access import AccountState, PortalAccess
from ftpservice.web.access.scopes import Caller, Scope
from ftpservice.web.access.second_step import SecondStep
from ftpservice.web.access.token_access import TokenAccess
from ftpservice.web.http.problems import Problem

__all__ = ["TLS_TEXT", "RequestAccess"]

TLS_TEXT = "Use https: without TLS, requests of other machines are not accepted."
ORIGIN_TEXT = "The request does not come from the status page."
SAFE_METHODS = (b"GET", b"HEAD")
CHECK_SECONDS = 2.0
"""Time between two looks whether the account of a login is still in force."""
MAX_NAME_LENGTH = 1024
"""Of the name that logs in: a wrong one is in the log, the journal and the page."""
EVERYTHING, NOTHING = frozenset(Scope), frozenset[Scope]()
LOG_OUT_TEXT = "The user has logged out."
INVALID_TEXT = "The account is no longer in force."
PASSWORD_TEXT = "The account has another password."
FACTORS_TEXT = "The second factors of the account have changed."


class RequestAccess:
    """Tells the caller of a request, and begins and ends the logins of browsers.

    ``allows`` is asked whether a password may come over a connection: with TLS or not, from an
    address.
    """

    def __init__(
        self,
        tokens: TokenAccess,
        portal: PortalAccess,
        sessions: PageSessions,
        allows: Callable[[bool, str], bool],
        seconds: Callable[[], float],
    ) -> None:
        self._tokens = tokens
        self._portal = portal
        self._sessions = sessions
        self._allows = allows
        self._seconds = seconds
        self.second_step: SecondStep | None = None
        """What asks for second factors; None: passwords are enough."""

    async def caller(self, request: Any, *, has_json: bool = True) -> Caller:
        """Return the caller; raises `Problem`. ``has_json``: a body is to be JSON."""
        self._check_transport(request)
        caller = await self._tokens.caller(request)
        if caller is not None:
            return caller
        session = await self._session(request)
        if session is None:
            raise Problem(401, "This needs a login, or a token: Authorization: Bearer TOKEN.")
        if request.method not in SAFE_METHODS:
            _check_origin(request, has_json)
            if not session.accepts_csrf(request.getHeader("x-csrf-token") or ""):
                raise Problem(403, ORIGIN_TEXT)
        return Caller(session.user, EVERYTHING if session.is_admin else NOTHING, session.account)

    async def log_in(self, request: Any) -> dict[str, Any]:
        """Begin a login with the name and the password in the body; raises `Problem`."""
        self._check_transport(request)
        _check_origin(request)
        user, password = _given(request)
        account = await self._portal.check(user, password, request.peer_host, request.tls)
        if self.second_step is not None:
            try:
                wanted = await self.second_step.begin(request, user, account)
            except BaseException:
                account.end("")
                raise
            if wanted is not None:
                return {"user": user, "second_factor": wanted}
        return await self._begin(request, user, account)

    async def finish_log_in(self, request: Any) -> dict[str, Any]:
        """Complete a login that needs a second factor, which is in the body; raises `Problem`."""
        self._check_transport(request)
        _check_origin(request)
        if self.second_step is None:
            raise Problem(404, "There are no second factors.")
        user, account = await self.second_step.finish(request)
        return await self._begin(request, user, account)

    async def confirm_password(self, request: Any, user: str, password: str) -> None:
        """Return if a password is right, of somebody who has logged in; raises `Problem`."""
        account = await self._portal.check(user, password, request.peer_host, request.tls)
        account.end("")

    async def _begin(self, request: Any, user: str, account: AccountSession) -> dict[str, Any]:
        """Begin the login of an account whose credentials are right; raises `Problem`."""
        await self._portal.begin(account, self._sessions.end_unused)
        secret, session = self._sessions.begin(user, account)
        PAGE_COOKIE.set(request, secret)
        return _told(session)

    async def current(self, request: Any) -> dict[str, Any]:
        """Return the login of a browser; raises `Problem`."""
        self._check_transport(request)
        session = await self._session(request)
        if session is None:
            raise Problem(401, "There is no login.")
        return _told(session)

    async def log_out(self, request: Any) -> dict[str, Any]:
        """End the login of a browser; raises `Problem`."""
        await self.caller(request)
        session = await self._session(request)
        if session is not None:
            self._sessions.end(session, LOG_OUT_TEXT)
            PAGE_COOKIE.set(request, "", seconds=0)
        return {}

    def _check_transport(self, request: Any) -> None:
        if not self._allows(request.isSecure(), request.peer_host):
            raise Problem(403, TLS_TEXT)

    async def _session(self, request: Any) -> PageSession | None:
        session = self._sessions.find(PAGE_COOKIE.read(request))
        if session is not None and self._seconds() - session.checked >= CHECK_SECONDS:
            session.checked = self._seconds()
            state = await self._portal.state(session.user, session.account.password_hash)
            reason = await self._end_reason(session, state)
            if reason:
                self._sessions.end(session, reason)
                return None
            if state.is_admin is not None:
                session.is_admin = state.is_admin
            if session.account.is_over:  # meanwhile
                return None
        return session

    async def _end_reason(self, session: PageSession, state: AccountState) -> str:
        """Return why the login of an account has to end; empty: it goes on."""
        if not state.is_in_force:
            return INVALID_TEXT
        if state.has_other_password:
            return PASSWORD_TEXT
        step = self.second_step
        has_changed = step is not None and await step.has_changed(session.account)
        return FACTORS_TEXT if has_changed else ""


def _told(session: PageSession) -> dict[str, Any]:
    return {
        "user": session.user,
        "owner": owner_of(session.account.context.account),
        "csrf": session.csrf,
        "admin": session.is_admin,
        "files": session.account.may_transfer,
    }


def _check_origin(request: Any, has_json: bool = True) -> None:
    """Raise `Problem` for a request that another site may have caused."""
    origin, host = request.getHeader("origin") or "", request.getHeader("host") or ""
    try:
        is_own = urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        is_own = False
    if not is_own:
        raise Problem(403, ORIGIN_TEXT)
    kind = request.getHeader("content-type") or ""
    if has_json and not kind.startswith("application/json"):
        raise Problem(415, "The body has the type application/json.")


def _given(request: Any) -> tuple[str, str]:
    try:
        given = json.loads(request.content.getvalue())
        user, password = given["user"], given["password"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Problem(400, "A login has the members user and password.") from None
    if not isinstance(user, str) or not isinstance(password, str):
        raise Problem(400, "The members user and password are strings.")
    try:
        (user + password).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Problem(400, "The members user and password are text.") from None
    if len(user) > MAX_NAME_LENGTH:
        raise Problem(400, f"The name has more than {MAX_NAME_LENGTH} characters.")
    return user, password
