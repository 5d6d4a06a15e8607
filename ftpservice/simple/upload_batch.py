"""Publishes uploads that have arrived completely in batches, while the next ones arrive.

The answers keep the order of the commands. Only a command of another kind, or an upload to the same
name, waits for the disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred

from ftpservice.concurrency.task import Task
from ftpservice.simple.transfers import ReceivedUpload

__all__ = ["MAX_RUNNING_BATCHES", "UPLOADS_PER_BATCH", "UploadPublisher"]

MAX_RUNNING_BATCHES = 2
UPLOADS_PER_BATCH = 16


class UploadPublisher:
    """The uploads of one session.

    ``publish`` is awaited with a batch, and keeps an error of an upload in the upload. ``answer``
    is called with each batch that has ended, in order.
    """

    def __init__(
        self,
        publish: Callable[[Sequence[ReceivedUpload]], Awaitable[None]],
        answer: Callable[[Sequence[ReceivedUpload]], object],
    ) -> None:
        self._publish = publish
        self._answer = answer
        self._batch: list[ReceivedUpload] = []
        self._running: deque[tuple[list[ReceivedUpload], Task[None]]] = deque()
        self._paths: set[str] = set()
        self._is_delayed = False
        self._waiters: list[Deferred[None]] = []

    @property
    def is_running(self) -> bool:
        """Whether an upload has not ended."""
        return bool(self._paths)

    async def wait_for_room(self, path: str) -> None:
        """Wait until an upload to ``path`` can be added."""
        while len(self._batch) >= UPLOADS_PER_BATCH or path in self._paths:
            self.publish_soon()
            await self._batch_ended()

    def add(self, upload: ReceivedUpload) -> None:
        """Add an upload, after `wait_for_room`."""
        self._paths.add(upload.path)
        self._batch.append(upload)
        if len(self._batch) >= UPLOADS_PER_BATCH:
            self.publish_soon()

    def publish_soon(self) -> None:
        """Publish the current batch once fewer than ``MAX_RUNNING_BATCHES`` are running."""
        self._is_delayed = len(self._running) >= MAX_RUNNING_BATCHES
        if not self._is_delayed:
            self.publish_now()

    def publish_now(self) -> None:
        """Publish the current batch."""
        if self._batch:
            batch, self._batch = self._batch, []
            task = Task(self._published(batch))
            self._running.append((batch, task))
            if task.ended:
                self._advance(None)
            else:
                task.done.addCallback(self._advance)

    async def _published(self, batch: list[ReceivedUpload]) -> None:
        await self._publish(batch)

    async def wait_until_done(self) -> None:
        """Wait until all uploads have ended."""
        while self._paths:
            self.publish_soon()
            if self._paths:
                await self._batch_ended()

    async def _batch_ended(self) -> None:
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        await waiter

    def _advance(self, _none: None) -> None:
        """Answer the batches that have ended, up to the first one that runs."""
        while self._running and self._running[0][1].ended:
            batch, _task = self._running.popleft()
            self._paths.difference_update([upload.path for upload in batch])
            self._answer(batch)
        if self._is_delayed:
            self.publish_soon()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)
