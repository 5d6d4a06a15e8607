"""Uploads whose bytes are all here: some are published while the next ones are begun.

Their answers keep their order. Nobody waits for the disk but the next command of another kind, or
an upload to the same name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.flow.task import Task

__all__ = ["MOST", "Uploads"]

MOST = 2
"""Uploads that are on their way at a time."""


class Uploads:
    """Those of one session; ``tell`` is called with each and what it failed with, in order."""

    def __init__(self, tell: Callable[[str, BaseException | None], object]) -> None:
        self._tell = tell
        self._running: deque[tuple[str, str, Task[None]]] = deque()
        self._failures: dict[str, BaseException] = {}
        self._bell: Deferred[None] | None = None

    async def room(self, path: str) -> None:
        """Wait until one to ``path`` may begin."""
        while len(self._running) >= MOST or any(path == other for other, *_ in self._running):
            await self._one_ends()

    def begin(self, path: str, text: str, task: Task[None]) -> None:
        """Take one that has begun, there being room for it; ``text`` is told in the end."""
        self._running.append((path, text, task))
        if task.returned:
            self._advance(None)
        else:
            task.done.addErrback(self._failed, path).addCallback(self._advance)

    @property
    def running(self) -> bool:
        """Whether one is on its way."""
        return bool(self._running)

    async def settle(self) -> None:
        """Wait until all are over."""
        while self._running:
            await self._one_ends()

    async def _one_ends(self) -> None:
        self._bell = Deferred()
        await self._bell

    def _failed(self, failure: Failure, path: str) -> None:
        assert failure.value is not None
        self._failures[path] = failure.value

    def _advance(self, _none: None) -> None:
        """Tell of those that are over and have nobody before them."""
        while self._running and self._running[0][2].ended:
            path, text, _task = self._running.popleft()
            self._tell(text, self._failures.pop(path, None))
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.callback(None)
