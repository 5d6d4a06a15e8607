"""One session with a server at a time, for calls that run one after the other.

When a session is lost, the next call may use a new one (`Settings.retries`), which first returns to
the same directory. A call that is safe to repeat, or that can resume, is itself tried again.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.task import deferLater

from ftpservice.concurrency.batched_checks import BatchedChecks
from ftpservice_client.errors import ClientError, NetworkError, ServerBusy
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.local.threads import thread_pool_of
from ftpservice_client.settings import Settings

__all__ = ["SessionQueue"]

T = TypeVar("T")
MAX_BACKOFF_SECONDS = 60.0


class SessionQueue:
    """Runs calls over one session; ``session_factory`` connects and logs in."""

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        session_factory: Callable[[], Awaitable[ClientSession]],
    ) -> None:
        self.reactor = reactor
        self.settings = settings
        self.session_factory = session_factory
        self.pool = thread_pool_of(reactor)
        """The threads for blocking calls."""
        self.directory = "/"
        """The current directory of the session."""
        self._lock = DeferredLock()
        self._session: ClientSession | None = None
        self._ended: ClientError | None = None
        self._waiting: Deferred[Any] | None = None
        """What `abort` cancels."""

    @property
    def is_usable(self) -> bool:
        """Whether another call may succeed."""
        return self._ended is None and (
            bool(self.settings.retries)
            or (self._session is not None and self._session.lost is None)
        )

    @property
    def lost(self) -> ClientError | None:
        """Why the session was lost, until there is a new one."""
        return None if self._session is None else self._session.lost

    async def open(self) -> None:
        """Make the first session."""
        self._session = session = await self.session_factory()
        self.directory = session.directory

    async def run(
        self, work: Callable[[ClientSession], Awaitable[T]], *, repeatable: bool = False
    ) -> T:
        """Run ``work`` with the session, after all earlier calls; return its result.

        ``repeatable``: whether it may be repeated over a new session after a lost connection.
        """
        await self._lock.acquire()
        failures = 0
        try:
            while True:
                working = False
                try:
                    known = self._session
                    is_live = known is not None and known.lost is None and self._ended is None
                    session = known if known is not None and is_live else await self._renewed()
                    working = True
                    result = await work(session)
                except (NetworkError, ServerBusy) as error:
                    failures += 1
                    await self._pause(failures, error, may_repeat=repeatable or not working)
                else:
                    self.directory = session.directory
                    return result
        finally:
            self._lock.release()

    async def _renewed(self) -> ClientSession:
        """Return a new session in place of a lost one; raises why there is none."""
        if self._ended is not None:
            raise self._ended.with_traceback(None)  # each call that is refused would add to it
        lost = self.lost
        if lost is not None and not self.settings.retries:
            raise lost.with_traceback(None)
        self._session = None
        session = await self._unless_aborted(self._new_session())
        try:
            if session.directory != self.directory:
                await self._unless_aborted(self._return_to_directory(session))
        except BaseException:
            session.abort()  # the next call must not run in another directory
            raise
        self._session = session
        return session

    async def _new_session(self) -> ClientSession:
        return await self.session_factory()

    async def _return_to_directory(self, session: ClientSession) -> None:
        await session.change_directory(self.directory)

    async def _unless_aborted(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that `abort` cancels."""
        self._waiting = waiting = Deferred.fromCoroutine(work)
        try:
            return await waiting
        except CancelledError:
            if self._waiting is None and self._ended is not None:
                raise self._ended from None
            raise
        finally:
            self._waiting = None

    async def _pause(self, failures: int, error: ClientError, *, may_repeat: bool) -> None:
        """Wait before the next attempt; raises ``error`` if there is none."""
        settings = self.settings
        if self._ended is not None or failures > settings.retries or not may_repeat:
            raise error
        seconds = min(MAX_BACKOFF_SECONDS, settings.backoff * 2 ** (failures - 1))
        varied = seconds * random.uniform(0.5, 1.5)
        await self._unless_aborted(self._sleep(varied))

    async def _sleep(self, seconds: float) -> None:
        await deferLater(self.reactor, seconds, lambda: None)

    def quit(self) -> Deferred[None]:
        """Send QUIT and close the connection after all earlier calls; never fails."""
        return Deferred.fromCoroutine(self._quit())

    async def _quit(self) -> None:
        await self._lock.acquire()
        try:
            ended, self._ended = self._ended, NetworkError("the client has quit")
            session, self._session = self._session, None
            if ended is None and session is not None and session.lost is None:
                await session.quit()
                BatchedChecks.of(self.reactor).check_soon(self.reactor)
        except ClientError:
            pass  # the connection is closed, which is the purpose
        finally:
            self._lock.release()

    def abort(self) -> None:
        """Abort the connection; calls under way fail."""
        self._ended = self._ended or NetworkError("the client closed the connection")
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        if self._session is not None:
            self._session.abort()
