"""Several sessions with one server, for calls that run in parallel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

from ftpservice_client.errors import ClientError, NetworkError
from ftpservice_client.ftp.working_directory import can_change_to
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.local.threads import thread_pool_of
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.settings import Settings

__all__ = ["SessionPool"]

T = TypeVar("T")


class SessionPool:
    """Up to ``size`` session queues, made on demand; each call uses one that is free."""

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        session_factory: Callable[[], Awaitable[ClientSession]],
        size: int,
        directory: str | None = None,
    ) -> None:
        if size < 1:
            raise ValueError("a pool has at least one connection")
        self.reactor = reactor
        self.settings = settings
        self.session_factory = session_factory
        self.pool = thread_pool_of(reactor)
        """The threads for blocking calls."""
        self.directory = directory or "/"
        """The current directory of all sessions."""
        self._slots = DeferredSemaphore(size)
        self._size = size
        self._idle: list[SessionQueue] = []
        self._busy: set[SessionQueue] = set()
        self._ended: ClientError | None = None
        self._knows_directory = directory is not None

    @property
    def lost(self) -> ClientError | None:
        """Why the pool was closed; the loss of one session does not close it."""
        return self._ended

    async def open(self) -> None:
        """Make the first session."""
        self._idle.append(await self._new_queue())

    async def _new_queue(self) -> SessionQueue:
        queue = SessionQueue(self.reactor, self.settings, self.session_factory)
        await queue.open()
        if not self._knows_directory:
            self._knows_directory, self.directory = True, queue.directory
        return queue

    async def run(
        self, work: Callable[[ClientSession], Awaitable[T]], *, repeatable: bool = False
    ) -> T:
        """Run ``work`` with a session that is free; see `SessionQueue.run`."""
        await self._slots.acquire()
        try:
            if self._ended is not None:
                raise self._ended
            queue = self._idle_queue(self.directory) or await self._another_queue()
            wanted = self.directory
            self._busy.add(queue)
            try:
                if self._ended is not None:
                    raise self._ended
                if queue.directory != wanted:
                    await queue.run(
                        lambda session: session.change_directory(wanted), repeatable=True
                    )
                result = await queue.run(work, repeatable=repeatable)
                if queue.directory != wanted:
                    self.directory = queue.directory
                return result
            finally:
                self._busy.discard(queue)
                if queue.is_usable and self._ended is None:
                    self._idle.append(queue)
                else:
                    queue.abort()
        finally:
            self._slots.release()

    async def _another_queue(self) -> SessionQueue:
        """Return a new queue or, if the server allows no further session, one that is free.

        The pool uses one session fewer from then on.
        """
        while True:
            try:
                return await self._new_queue()
            except ClientError:
                if self._ended is not None or not (self._busy or self._idle):
                    raise
            # One session fewer: this call keeps the slot of it, and waits for that of another one.
            self._size -= 1
            try:
                await self._slots.acquire()
            except BaseException:
                self._size += 1  # the caller releases the slot
                raise
            queue = self._idle_queue(self.directory)
            if queue is not None:
                return queue

    def _idle_queue(self, wanted: str) -> SessionQueue | None:
        """Return an idle queue that is usable and can change to the directory ``wanted``."""
        while self._idle:
            queue = self._idle.pop()
            if queue.is_usable and can_change_to(queue.directory, wanted):
                return queue
            queue.abort()
        return None

    def quit(self) -> Deferred[None]:
        """Send QUIT on all connections and close them after all earlier calls; never fails."""
        return Deferred.fromCoroutine(self._quit())

    async def _quit(self) -> None:
        taken = 0
        try:
            while taken < self._size:
                await self._slots.acquire()
                taken += 1
            self._ended = self._ended or NetworkError("the client has quit")
            queues, self._idle = self._idle, []
            await gatherResults([queue.quit() for queue in queues])
        finally:
            for _ in range(taken):
                self._slots.release()

    def abort(self) -> None:
        """Abort all connections; calls under way fail."""
        self._ended = self._ended or NetworkError("the client closed the connection")
        queues, self._idle = [*self._idle, *self._busy], []
        for queue in queues:
            queue.abort()
