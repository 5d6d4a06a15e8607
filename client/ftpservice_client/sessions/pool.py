"""Several sessions behind the API of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

from ftpservice_client.errors import ClientError, NetworkError
from ftpservice_client.ftp.working_directory import can_change_to
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.sessions.queue import SessionQueue
from ftpservice_client.settings import Settings

__all__ = ["SessionPool"]

T = TypeVar("T")


class SessionPool:
    """Up to ``size`` lines, made when they are wanted; calls go over one that is free."""

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        dial: Callable[[], Awaitable[ClientSession]],
        size: int,
        directory: str | None = None,
    ) -> None:
        if size < 1:
            raise ValueError("a pool has one connection at least")
        self.reactor = reactor
        self.settings = settings
        self.dial = dial
        self.directory = directory or "/"
        self._places = DeferredSemaphore(size)
        self._size = size
        self._idle: list[SessionQueue] = []
        self._busy: set[SessionQueue] = set()
        self._ended: ClientError | None = None
        self._is_placed = directory is not None

    @property
    def lost(self) -> ClientError | None:
        """Why it is of no more use; what befalls one of its sessions is no reason."""
        return self._ended

    async def open(self) -> None:
        """Make the first session."""
        line = await self._new()
        self._idle.append(line)

    async def _new(self) -> SessionQueue:
        line = SessionQueue(self.reactor, self.settings, self.dial)
        await line.open()
        if not self._is_placed:
            self._is_placed, self.directory = True, line.directory
        return line

    async def ask(self, work: Callable[[ClientSession], Awaitable[T]], *, again: bool = False) -> T:
        """Do something over a session that is free; see `SessionQueue.ask`."""
        await self._places.acquire()
        try:
            if self._ended is not None:
                raise self._ended
            line = self._free(self.directory) or await self._new()
            self._busy.add(line)
            try:
                if self._ended is not None:
                    raise self._ended
                return await self._over(line, work, again)
            finally:
                self._busy.discard(line)
                if line.is_live and self._ended is None:
                    self._idle.append(line)
                else:
                    line.abort()
        finally:
            self._places.release()

    def _free(self, wanted: str) -> SessionQueue | None:
        """Return a line that is not in use, can go there, and was not ended meanwhile."""
        while self._idle:
            line = self._idle.pop()
            if line.is_live and can_change_to(line.directory, wanted):
                return line
            line.abort()
        return None

    async def _over(
        self, line: SessionQueue, work: Callable[[ClientSession], Awaitable[T]], again: bool
    ) -> T:
        wanted = self.directory
        if line.directory != wanted:
            await line.ask(lambda session: session.change_directory(wanted), again=True)
        result = await line.ask(work, again=again)
        if line.directory != wanted:
            self.directory = line.directory
        return result

    def quit(self) -> Deferred[None]:
        """Say goodbye over all, when all that was asked before is done; never fails."""
        return Deferred.fromCoroutine(self._quit())

    async def _quit(self) -> None:
        taken = 0
        try:
            while taken < self._size:
                await self._places.acquire()
                taken += 1
            self._ended = self._ended or NetworkError("the client has quit")
            lines, self._idle = self._idle, []
            await gatherResults([line.quit() for line in lines])
        finally:
            for _ in range(taken):
                self._places.release()

    def abort(self) -> None:
        """Break all off."""
        self._ended = self._ended or NetworkError("the client broke the connection")
        lines, self._idle = [*self._idle, *self._busy], []
        for line in lines:
            line.abort()
