"""Uploads whose bytes are all here: they are published together, while the next ones are begun.

Their answers keep their order. Nobody waits for the disk but the next command of another kind, or
an upload to the same name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred

from ftpservice.concurrency.task import Task
from ftpservice.simple.transfers import ReceivedUpload

__all__ = ["MAX_RUNNING_BATCHES", "UPLOADS_PER_BATCH", "UploadPublisher"]

MAX_RUNNING_BATCHES = 2
"""Batches that are on their way at a time."""
UPLOADS_PER_BATCH = 16
"""Uploads of a batch."""

UploadBatch = list[ReceivedUpload]


class UploadPublisher:
    """Those of one session; ``tell`` is called with those of a batch when it is over, in order.

    ``publish`` is to bring a batch to its end, whatever comes, and to keep what went wrong in it.
    """

    def __init__(
        self,
        publish: Callable[[Sequence[ReceivedUpload]], Awaitable[None]],
        tell: Callable[[Sequence[ReceivedUpload]], object],
    ) -> None:
        self._publish = publish
        self._tell = tell
        self._gathered: UploadBatch = []
        self._running: deque[tuple[UploadBatch, Task[None]]] = deque()
        self._paths: set[str] = set()
        self._is_wanted = False
        self._bells: list[Deferred[None]] = []

    @property
    def running(self) -> bool:
        """Whether one is on its way."""
        return bool(self._paths)

    async def wait_for_room(self, path: str) -> None:
        """Wait until one to ``path`` may be taken."""
        while len(self._gathered) >= UPLOADS_PER_BATCH or path in self._paths:
            self.send()
            await self._one_ends()

    def take(self, upload: ReceivedUpload) -> None:
        """Take one, there being room for it; it is told of in the end."""
        self._paths.add(upload.path)
        self._gathered.append(upload)
        if len(self._gathered) >= UPLOADS_PER_BATCH:
            self.send()

    def send(self) -> None:
        """Publish those that were taken, as soon as there are not too many on their way."""
        self._is_wanted = len(self._running) >= MAX_RUNNING_BATCHES
        if not self._is_wanted:
            self.publish_now()

    def publish_now(self) -> None:
        """Publish those that were taken."""
        if self._gathered:
            batch, self._gathered = self._gathered, []
            task = Task(self._published(batch))
            self._running.append((batch, task))
            if task.ended:
                self._advance(None)
            else:
                task.done.addCallback(self._advance)

    async def _published(self, batch: UploadBatch) -> None:
        await self._publish(batch)

    async def settle(self) -> None:
        """Wait until all are over."""
        while self._paths:
            self.send()
            if self._paths:
                await self._one_ends()

    async def _one_ends(self) -> None:
        bell: Deferred[None] = Deferred()
        self._bells.append(bell)
        await bell

    def _advance(self, _none: None) -> None:
        """Tell of the batches that are over and have nobody before them."""
        while self._running and self._running[0][1].ended:
            batch, _task = self._running.popleft()
            self._paths.difference_update([upload.path for upload in batch])
            self._tell(batch)
        if self._is_wanted:
            self.send()
        bells, self._bells = self._bells, []
        for bell in bells:
            bell.callback(None)
