"""Ends what people get by a share link when the link is removed, or its account locked or removed.

Each request looks at the link and the account once, when it begins; a download may last for hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.concurrency.thread_pool import PoolOverloaded
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.portal_access import PortalAccess
from ftpservice.web.http.problems import Problem
from ftpservice.web.shares.share_file import Share
from ftpservice.web.shares.shares import Shares

__all__ = ["WATCH_SECONDS", "ShareWatch"]

log = Logger("ftpservice")

WATCH_SECONDS = 2.0
REMOVED_TEXT = "The share link was removed."
LOCKED_TEXT = "The account is no longer in force."


class ShareWatch:
    """Looks at the links and accounts of running requests, while there are any."""

    def __init__(self, shares: Shares, portal: PortalAccess, clock: IReactorTime) -> None:
        self._shares = shares
        self._portal = portal
        self._running: dict[AccountSession, Share] = {}
        self._looks = LoopingCall(self._look_logged)
        self._looks.clock = clock

    @contextmanager
    def watching(self, session: AccountSession, share: Share) -> Iterator[None]:
        """Disconnect a session if its link or account is in force no more."""
        self._running[session] = share
        if not self._looks.running:
            self._looks.start(WATCH_SECONDS, now=False)
        try:
            yield
        finally:
            del self._running[session]
            if not self._running:
                self._looks.stop()

    def _look_logged(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._look()).addErrback(_unexpected)

    async def _look(self) -> None:
        """Ask once for each link and each account."""
        for share in set(self._running.values()):
            if await self._shares.was_removed(share):
                self._end({share}, REMOVED_TEXT)
        for user in {share.user for share in self._running.values()}:
            if not (await self._portal.state(user)).is_in_force:
                self._end({one for one in self._running.values() if one.user == user}, LOCKED_TEXT)

    def _end(self, shares: Set[Share], reason: str) -> None:
        for session in [session for session, one in self._running.items() if one in shares]:
            session.disconnect(reason)


def _unexpected(failure: Failure) -> None:
    """Log an error, unless it is told where it occurs; the next look follows."""
    if not failure.check(Problem, PoolOverloaded):
        log.failure("the links of running share downloads could not be looked at", failure)
