"""Delivers events to a webhook: at least once, in order, over restarts.

Events go to the spool in batches. From there the oldest one is sent until the receiver accepts it,
with growing pauses; the others wait behind it, so the order stays. An event is dropped, counted and
logged if the spool is full, if the receiver refuses it for good (a 4xx other than 408, 409, 425 and
429), or after three days; but not before some attempts of this run have failed, as a service that
was down for days has asked nobody meanwhile.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.activity.hooks.hook_settings import HookSettings
from ftpservice.activity.hooks.webhook_request import Answer, Verdict, WebhookClient
from ftpservice.activity.hooks.webhook_spool import Delivery, WebhookSpool
from ftpservice.activity.logs.event_fields import visible_text
from ftpservice.backends.gates.run_record import HOOK_OUTCOMES, RunRecord
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner, PoolOverloaded
from ftpservice.events import Event
from ftpservice.wire.units import count_text

__all__ = ["GIVE_UP_SECONDS", "WebhookHook"]

log = Logger("ftpservice.hooks")

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
SPOOL_PAUSE_SECONDS = 5.0
"""Time after which a spool that failed is tried again."""
GIVE_UP_SECONDS = 3 * 86_400.0
FAILURES_BEFORE_GIVE_UP = 12
"""Attempts in a row, in some twenty minutes."""
SPOOL_ERRORS = (sqlite3.Error, OSError, PoolOverloaded)


class _Wait:
    """A pause that ends early when there is something to do."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiter: Deferred[None] | None = None
        self._call: IDelayedCall | None = None

    async def pause(self, seconds: float | None = None) -> None:
        """Wait for `wake`, or for ``seconds``."""
        self._waiter = Deferred()
        if seconds is not None:
            self._call = self._reactor.callLater(seconds, self.wake)
        await self._waiter

    def wake(self) -> None:
        """End the pause."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.called:
            waiter.callback(None)


class WebhookHook:
    """The webhook of ``settings``, with its spool in ``directory``."""

    is_exclusive = True
    """Two of one name cannot work at a time: they have one spool."""

    def __init__(
        self,
        settings: HookSettings,
        directory: Path,
        reactor: Any,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._name = settings.name
        self._most = settings.max_waiting
        path = directory / f"{settings.name}.spool"
        self._spool = WebhookSpool(path, settings.max_waiting, seconds)
        self._client = WebhookClient(settings.webhook, settings.secret_file, settings.time_limit)
        self._pool: BlockingRunner = BlockingPool(reactor, f"hook {self._name}", threads=2)
        self._reactor = reactor
        self._seconds = seconds
        self._incoming: deque[tuple[str, float, bytes]] = deque()
        self._dropped = 0
        self.record = RunRecord(settings.name, HOOK_OUTCOMES)
        self._problem = ""
        """Why the spool does not work; empty: it works."""
        self._damaged = 0
        """How often that was reported of the spool."""
        self._failures = 0
        """Attempts in a row without an answer."""
        self._is_stopped = False
        self._to_store, self._to_send = _Wait(reactor), _Wait(reactor)
        self._tasks: list[Deferred[None]] = []

    @property
    def pending(self) -> int:
        """The events that wait, in memory and in the spool."""
        return len(self._incoming) + self._spool.count

    def deliver(self, _event: Event, document: Mapping[str, Any]) -> None:
        """Store an event, soon, and send it after those before it."""
        if len(self._incoming) >= self._most:
            self._drop(1)
            return
        body = _body(document)
        self._incoming.append((document["id"], self._seconds(), body))
        self._to_store.wake()

    def start(self) -> None:
        """Send what an earlier run has left, and what comes."""
        self._tasks = [Task(self._store()).done, Task(self._send()).done]
        for task in self._tasks:
            task.addErrback(_unexpected, self._name)

    async def stop(self) -> None:
        """Store what is not stored yet, and end."""
        self._is_stopped = True
        self._client.stop()
        self._to_store.wake()
        self._to_send.wake()
        for task in self._tasks:
            await task
        await self._pool.stop()
        self._spool.close()
        if self._incoming or self._dropped:
            self._drop(len(self._incoming))
            self._report_dropped()

    async def _store(self) -> None:
        """Move events to the spool, those that have come meanwhile in one step."""
        while not (self._is_stopped and not self._incoming):
            if not self._incoming:
                await self._to_store.pause()
                continue
            batch = list(self._incoming)
            try:
                self._drop(await self._pool.run(self._spool.add, batch))
            except SPOOL_ERRORS as error:
                self._report_spool(str(error))
                if self._is_stopped:
                    return
                await self._to_store.pause(SPOOL_PAUSE_SECONDS)
                continue
            for _ in batch:
                self._incoming.popleft()
            self._report_damage()
            self._to_send.wake()

    async def _send(self) -> None:
        """Send the oldest event until it is delivered or given up, then the next one."""
        pause = 0.0
        while not self._is_stopped:
            try:
                delivery = await self._pool.run(self._spool.first)
                self._report_damage()
                if delivery is None:
                    await self._to_send.pause()
                    continue
                now = self._seconds()
                answer = await self._pool.run(self._client.post, delivery, now)
                if self._is_stopped and answer.verdict is Verdict.FAILED:
                    return
                if await self._is_settled(delivery, answer, now):
                    pause = 0.0
                    continue
            except SPOOL_ERRORS as error:
                self._report_spool(str(error))
            pause = min(LONGEST_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, pause * 2))
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Wait for a time, whatever comes meanwhile, or for the end."""
        ends = self._reactor.seconds() + seconds
        while not self._is_stopped and (left := ends - self._reactor.seconds()) > 0:
            await self._to_send.pause(left)

    async def _is_settled(self, delivery: Delivery, answer: Answer, now: float) -> bool:
        """Remove a delivery that is over; tell whether it is."""
        self._failures = self._failures + 1 if answer.verdict is Verdict.FAILED else 0
        is_old = now - delivery.made > GIVE_UP_SECONDS
        may_give_up = is_old and self._failures >= FAILURES_BEFORE_GIVE_UP
        if answer.verdict is Verdict.FAILED and not may_give_up:
            self.record.problem_at = now
            if not delivery.attempts:
                log.warn(
                    "the hook {name}: {detail}; it is tried again",
                    name=self._name,
                    detail=answer[1],
                )
            return False
        await self._pool.run(self._spool.remove, delivery.number)
        has_failed = answer.verdict is not Verdict.DELIVERED
        outcome = "failed" if has_failed else "delivered"
        self.record.add_delivery(_document(delivery.body), now, outcome)
        if has_failed:
            log.error(
                "the hook {name}: event {id} is given up: {detail}",
                name=self._name,
                id=delivery.id,
                detail=answer.detail,
            )
        elif self._dropped:
            self._report_dropped()
        elif not self.record.counts["failed"] and not self.record.counts["dropped"]:
            self.record.problem_at = 0.0  # it was late, and nothing is lost
        return True

    def _drop(self, count: int) -> None:
        if count and not self._dropped:
            log.error("the hook {name}: its spool is full, events are dropped", name=self._name)
        self._dropped += count
        self.record.count("dropped", count)

    def _report_spool(self, problem: str) -> None:
        """Log why the spool does not work, once until it is another reason."""
        if problem != self._problem:
            log.error("the spool of the hook {name}: {reason}", name=self._name, reason=problem)
        self._problem = problem
        self.record.problem_at = self._seconds()

    def _report_damage(self) -> None:
        self._problem = ""
        count, self._damaged = self._spool.damaged - self._damaged, self._spool.damaged
        if count:
            log.error(
                "the spool of the hook {name} is damaged: its events are lost; it is kept as "
                "{path}, and a new one is begun",
                name=self._name,
                path=str(self._spool.damaged_path),
            )

    def _report_dropped(self) -> None:
        count, self._dropped = self._dropped, 0
        missed = count_text(count, "event")
        log.error("the hook {name} has missed {missed}", name=self._name, missed=missed)


def _document(body: bytes) -> Mapping[str, Any]:
    """Return the document of a delivery; an empty one if the spool is damaged."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _body(document: Mapping[str, Any]) -> bytes:
    """Return JSON that is valid Unicode: receivers refuse names that are not, for good."""
    try:
        return json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        shown = {
            key: visible_text(value) if isinstance(value, str) else value
            for key, value in document.items()
        }
        return json.dumps(shown, ensure_ascii=False).encode("utf-8", "replace")


def _unexpected(failure: Failure, name: str) -> None:
    if not failure.check(CancelledError):
        log.failure("the hook {name} has ended", failure, name=name)
