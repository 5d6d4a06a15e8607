"""One job at a time, with a thread of its own and within a time limit."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpservice.concurrency.thread_pool import BlockingRunner, InlineRunner
from ftpservice.service.acme.limited_job import STOP_SECONDS, LimitedJob

SECONDS = 10.0


class HeldRunner(InlineRunner):
    """A pool whose stop does not end before it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped: Deferred[None] = Deferred()

    def stop(self) -> Deferred[None]:
        super().stop()
        return self.stopped


class Jobs:
    def __init__(self) -> None:
        self.clock = Clock()
        self.pools: list[HeldRunner] = []
        self.ends = 0
        self.waiting: Deferred[None] = Deferred()
        self.was_cancelled = False
        self.job = LimitedJob(self.clock, SECONDS, self._pool, self._ended)

    def _pool(self, _reactor: Any) -> HeldRunner:
        self.pools.append(HeldRunner())
        return self.pools[-1]

    def _ended(self) -> None:
        self.ends += 1

    async def at_once(self, _pool: BlockingRunner) -> None:
        pass

    async def wait(self, _pool: BlockingRunner) -> None:
        try:
            await self.waiting
        except CancelledError:
            self.was_cancelled = True

    async def fail(self, _pool: BlockingRunner) -> None:
        raise ZeroDivisionError


def test_a_job_ends_and_the_next_one_has_another_thread() -> None:
    jobs = Jobs()
    for number in (1, 2):
        jobs.job.start(jobs.at_once)
        assert (jobs.ends, jobs.job.is_running, len(jobs.pools)) == (number, False, number)
    assert jobs.clock.getDelayedCalls() == []


def test_a_job_is_cancelled_at_its_time_limit() -> None:
    jobs = Jobs()
    jobs.job.start(jobs.wait)
    jobs.clock.advance(SECONDS - 1)
    assert jobs.job.is_running
    jobs.clock.advance(1)
    assert jobs.was_cancelled
    assert (jobs.ends, jobs.job.is_running) == (1, False)


def test_an_unexpected_error_is_logged_and_ends_the_job() -> None:
    jobs, lines = Jobs(), list[str]()

    def note(event: Any) -> None:
        lines.append(str(event.get("log_failure")))

    globalLogPublisher.addObserver(note)
    jobs.job.start(jobs.fail)
    globalLogPublisher.removeObserver(note)
    assert jobs.ends == 1
    assert "ZeroDivisionError" in lines[0]


def test_a_stop_cancels_the_job_and_waits_for_its_thread() -> None:
    jobs = Jobs()
    jobs.job.start(jobs.wait)
    stopping = jobs.job.stop()
    assert jobs.was_cancelled
    assert not stopping.called
    jobs.pools[0].stopped.callback(None)
    assert stopping.called


def test_a_stop_does_not_wait_for_ever_for_a_thread_that_hangs() -> None:
    jobs = Jobs()
    jobs.job.start(jobs.wait)
    stopping = jobs.job.stop()
    jobs.clock.advance(STOP_SECONDS)
    assert stopping.called
    jobs.pools[0].stopped.callback(None)  # later
    assert jobs.clock.getDelayedCalls() == []


def test_a_stop_without_a_job_is_immediate() -> None:
    assert Jobs().job.stop().called
