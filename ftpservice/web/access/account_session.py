"""The session of an account that has logged in to the page, among those of FTP.

It is in the same registry: `who`, REPORT, `kick`, bans, the watch of accounts and the stop of the
service treat it as a session of the protocol ``http``. It has no connection of its own: requests
come over many, and each one that works on files is registered with `working`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ftpservice.control.factory import FTPFactory
from ftpservice.data.connector import ControlAddresses
from ftpservice.events import LoggedIn, SessionInfo, SessionOpened
from ftpservice.session.context import SessionContext
from ftpservice.session.transfer import RunningTransfer
from ftpservice.storage.rights import Right

__all__ = ["HTTP_SESSION", "LOCAL", "PROTOCOL", "AccountSession"]

LOCAL = "local"
"""The address of a client of a UNIX socket."""
PROTOCOL = "http"
HTTP_SESSION = SessionInfo(protocol=PROTOCOL)
"""Of the events of one who has not logged in."""
SERVER_ADDRESS = "127.0.0.1"
"""Stands for the address of the server, which matters to data connections only."""


class AccountSession:
    """A session (`ManagedSession`); ``context.portal_login`` is to log in before `begin`.

    ``tls`` is the version and the cipher of the connection; empty: plaintext.
    """

    def __init__(self, factory: FTPFactory, host: str, tls: str) -> None:
        ends = ControlAddresses(None if host == LOCAL else host, SERVER_ADDRESS)
        self._factory = factory
        self.context: SessionContext = factory.context(self, ends, PROTOCOL)
        state = self.context.tls_state
        state.control, state.description = bool(tls), tls
        self.password_hash = ""
        """That of the password of its login; empty: not known."""
        self.factors: object = None
        """What `known_factors` returned at its login; None: not known."""
        self.is_over = False
        """Whether it accepts no request any more."""
        self._has_begun = self._has_left = self._is_guest = False
        self._reason = ""
        self._work: dict[object, tuple[Callable[[], object], Callable[[], object]]] = {}
        """What is under way, with what stops it and what ends its pause."""
        self.transfers: dict[int, RunningTransfer] = {}
        """Those in progress by their number, the oldest first."""
        self.context.transfers = self.transfers

    @property
    def is_admin(self) -> bool:
        """Whether its account had the right ``admin`` when it logged in."""
        account = self.context.portal_login.account
        return account is not None and Right.ADMIN in account.rights and not account.anonymous

    @property
    def may_transfer(self) -> bool:
        """Whether files may be transferred: not in plaintext where that is refused."""
        context, account = self.context, self.context.portal_login.account
        if context.tls_state.control or account is None:
            return account is not None
        return not context.services.settings.tls.requires_data_tls(account.tls_required)

    def begin_as_guest(self) -> None:
        """Begin without a login of the account: it is not published, and counts for no limit."""
        context = self.context
        account = context.portal_login.account
        assert account is not None
        self._has_begun = self._is_guest = True
        context.begin_login(account)
        context.events.publish(SessionOpened, PROTOCOL)

    async def begin(self) -> int:
        """Begin, after the login; returns 0, or the limit of sessions that is reached."""
        context = self.context
        account, services = context.portal_login.account, context.services
        assert account is not None
        limit = account.max_sessions or services.settings.max_sessions_per_user
        limits = services.session_limits
        is_counted = limits.take("user", account.name, limit)
        if not is_counted and limits.may_obtain:
            is_counted = await limits.obtain("user", account.name, limit)
            if is_counted and self.is_over:
                limits.release("user", account.name)
                return limit
        if not is_counted:
            return limit
        self._has_begun = True
        context.events.publish(SessionOpened, PROTOCOL, user="")
        context.begin_login(account)
        context.events.publish(LoggedIn, context.tls_state.description)
        return 0

    @contextmanager
    def working(
        self, stop: Callable[[], object], end_pause: Callable[[], object] = bool
    ) -> Iterator[None]:
        """Count a request while it works; ``stop`` is called if the session is ended at once.

        ``end_pause`` is called if it ends after the requests in progress: for what waits for
        another request. The session stays registered until all have ended.
        """
        key = object()
        self._work[key] = (stop, end_pause)
        try:
            yield
        finally:
            del self._work[key]
            if self.is_over and not self._work:
                self._leave()

    def begin_transfer(self, transfer: RunningTransfer, path: str, size: int | None) -> int:
        """Publish that a transfer has started, and show it; return its number."""
        context = self.context
        context.running = transfer
        user = context.account.name
        number = context.events.begin_transfer(user, path, transfer.upload, size)
        self.transfers[number] = transfer
        return number

    def remove_transfer(self, number: int) -> None:
        """Show a transfer no more, before its end is published."""
        del self.transfers[number]
        self.context.running = next(reversed(self.transfers.values()), None)

    def end(self, reason: str) -> None:
        """End after the requests in progress; no other one is accepted."""
        if not self.is_over:
            self.is_over, self._reason = True, reason
        for _stop, end_pause in tuple(self._work.values()):
            end_pause()
        if not self._work:
            self._leave()

    @property
    def is_working(self) -> bool:
        """Whether a request of the account is being carried out."""
        return bool(self._work)

    is_busy = is_working

    def client_is_connected(self) -> bool:
        """Return whether the session has not ended."""
        return not self.is_over

    def finish_and_disconnect(self, reason: str) -> None:
        """End after the requests in progress, unless an administrator drains the service."""
        if not (self.is_admin and self._factory.session_refusal == reason):
            self.end(reason)

    def disconnect(self, reason: str) -> None:
        """End, and stop the requests in progress."""
        self.is_over, self._reason = True, self._reason or reason
        for stop, _end_pause in tuple(self._work.values()):
            stop()
        if not self._work:
            self._leave()

    yield_place = disconnect

    def abort(self) -> None:
        """End at once, whatever is still under way."""
        self.disconnect("aborted")
        self._leave()

    def _leave(self) -> None:
        """Log out, and leave the registry."""
        if self._has_left:
            return
        self._has_left = True
        context = self.context
        if self._is_guest:
            context.portal_login.end()  # before what gives its place back
        if self._has_begun:
            context.forget_login()
            waiting = context.services.session_limits.waiting
            waiting.discard(context.peer.limit_key, context.peer.session)
            context.events.close(self._reason)
        context.portal_login.end()
        self._factory.leave(self, context, False)
