"""Puts changes of accounts into force for the sessions that run: within `WATCH_SECONDS`.

- An account that is locked, removed or expired, or whose line cannot be used any more: its sessions
  get 421 at once; a transfer is aborted, and an interrupted upload can be resumed when the account
  is unlocked.
- An account with another root, other rights or options: its sessions get 421 after the command in
  progress, and log in again with the new ones.
- Another password or another place in the file changes nothing for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.checkers import PasswordFileChecker
from ftpservice.accounts.passwd_line import PasswdContents
from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.events import LoggedIn
from ftpservice.session.registry import ManagedSession

__all__ = ["WATCH_SECONDS", "AccountWatch"]

log = Logger("ftpservice.accounts")

WATCH_SECONDS = 2.0
"""Time between two looks at the files of accounts."""
LOCKED_TEXT = "The account is no longer in force."
CHANGED_TEXT = "The account has changed; log in again."


class AccountWatch(Service):
    """Watches the files of ``checkers``, and ends the sessions of accounts that change.

    ``sessions`` has the sessions by number. ``new_logins.append`` is to be subscribed to logins:
    so a login costs no call.
    """

    def __init__(
        self,
        checkers: Iterable[object],
        sessions: Mapping[int, ManagedSession],
        reactor: Any,
        today: Callable[[], date] = date.today,
    ) -> None:
        self._checkers = [found for found in checkers if isinstance(found, PasswordFileChecker)]
        self._sessions = sessions
        self._reactor = reactor
        self._today = today
        self._pool: BlockingRunner | None = None
        self.new_logins: deque[LoggedIn] = deque()
        """Logins since the last look; ``append`` is a subscriber of `LoggedIn`."""
        self._records: dict[int, AccountRecord] = {}
        """What each session logged in with."""
        self._contents = self._current_contents()
        """The contents of the files at the last look."""
        self._poll = LoopingCall(self._look)
        self._poll.clock = reactor

    def startService(self) -> None:
        """Start to watch, if there is a file."""
        super().startService()
        if self._checkers:
            self._poll.start(WATCH_SECONDS, now=False).addErrback(_unexpected)

    def stopService(self) -> Deferred[None]:
        """Stop to watch; fires when the thread has ended."""
        super().stopService()
        if self._poll.running:
            self._poll.stop()
        pool, self._pool = self._pool, None
        return succeed(None) if pool is None else pool.stop()

    def _look(self) -> Deferred[None]:
        """Read changed files in a thread, and compare.

        Also without sessions: the contents of the last look must not be older than that, or a
        login long after a change would be taken for one before it.
        """
        while self.new_logins:
            self._note(self.new_logins.popleft())
        for number in self._records.keys() - self._sessions.keys():
            del self._records[number]
        if self._pool is None:
            self._pool = BlockingPool(self._reactor, "account files", threads=1)
        comparing = self._pool.run(self._refresh).addCallback(self._compare)
        return comparing.addErrback(_unexpected)  # the next look follows

    def _note(self, login: LoggedIn) -> None:
        """Record what a session has logged in with.

        That is the older one, if the account has changed since the last look: if the login was
        after the change, the client has to log in once more.
        """
        record = _record(login.user, (*self._contents, *self._current_contents()))
        if record is None:  # accepted by another checker
            self._records.pop(login.session, None)
        else:
            self._records[login.session] = record

    def _current_contents(self) -> list[PasswdContents]:
        return [checker.file.contents for checker in self._checkers]

    def _refresh(self) -> None:
        for checker in self._checkers:
            checker.file.refresh()

    def _compare(self, _none: None) -> None:
        self._contents = self._current_contents()
        for number, before in tuple(self._records.items()):
            session = self._sessions.get(number)
            if session is None:
                continue
            now = _record(before.name, self._contents)
            if not self._is_in_force(now):
                log.info("session {number}: the account was locked or removed", number=number)
                session.disconnect(LOCKED_TEXT)
            elif now is not before and now is not None and _terms(now) != _terms(before):
                log.info("session {number}: the account has changed", number=number)
                session.finish_and_disconnect(CHANGED_TEXT)
            else:
                continue
            del self._records[number]

    def _is_in_force(self, record: AccountRecord | None) -> bool:
        if record is None or record.disabled:
            return False
        return record.expires is None or self._today() <= record.expires


def _record(name: str, files: Iterable[PasswdContents]) -> AccountRecord | None:
    found = (contents.lookup(name) for contents in files)
    return next((record for record in found if record is not None), None)


def _terms(record: AccountRecord) -> AccountRecord:
    """Return a record without what does not matter to a session that runs."""
    return replace(record, password_hash="", line=0)


def _unexpected(failure: Failure) -> None:
    log.failure("the accounts of sessions that run could not be compared", failure)
