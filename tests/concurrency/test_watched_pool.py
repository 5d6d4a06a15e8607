"""Calls that hang: who waits is told in time, and others are not delayed."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock, deferLater
from twisted.logger import globalLogPublisher

from ftpservice.concurrency.thread_pool import CallOverdue, run_unattended
from ftpservice.concurrency.watched_pool import (
    LONG_FACTOR,
    MAX_STOP_SECONDS,
    SHORT_LIMIT_SECONDS,
    WatchedPool,
)
from tests.support.loopback import until
from tests.support.memory_transport import is_pending, outcome

LIMIT = 20.0
THREADS = 3


class ThreadClock(Clock):
    """The time of the test, and the threads of the reactor."""

    callFromThread = staticmethod(reactor.callFromThread)


class Disk:
    """Hangs until it is told to answer."""

    def __init__(self) -> None:
        self.begun = 0
        self.answers = Event()

    def ask(self, answer: object = "answer") -> object:
        self.begun += 1
        self.answers.wait(60)
        return answer


@pytest.fixture
def clock() -> ThreadClock:
    return ThreadClock()


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.answers.set()


@pytest.fixture
def pool(clock: ThreadClock, disk: Disk) -> Iterator[WatchedPool]:
    made = WatchedPool(clock, "test", "/mnt/a", LIMIT, threads=THREADS)
    yield made
    disk.answers.set()
    made.stop()


@ensureDeferred
async def test_calls_return_their_results_and_leave_no_timer(
    clock: ThreadClock, pool: WatchedPool
) -> None:
    assert await pool.run(divmod, 7, 2) == (3, 1)
    assert await pool.finish(divmod, 7, 2) == (3, 1)
    for _ in range(3):
        clock.advance(1)
    assert clock.getDelayedCalls() == []


@ensureDeferred
async def test_who_waits_is_told_in_time(clock: ThreadClock, pool: WatchedPool, disk: Disk) -> None:
    asked = pool.run(disk.ask)
    long = pool.run(disk.ask, takes_long=True)
    ended = pool.finish(disk.ask)
    await until(reactor, lambda: disk.begun == THREADS)
    for _ in range(int(LIMIT * 4) - 1):
        clock.advance(0.25)
    assert is_pending(asked)
    for _ in range(3):
        clock.advance(0.25)
    for waiting in (asked, ended):
        with pytest.raises(CallOverdue, match=r"/mnt/a has not answered in 20"):
            outcome(waiting)
    clock.advance(LIMIT * (LONG_FACTOR - 2))
    assert is_pending(long)
    clock.advance(LIMIT)
    with pytest.raises(CallOverdue):
        outcome(long)


@ensureDeferred
async def test_after_one_is_overdue_others_have_less_time(
    clock: ThreadClock, pool: WatchedPool, disk: Disk
) -> None:
    first = pool.run(disk.ask)
    await until(reactor, lambda: disk.begun == 1)
    clock.advance(LIMIT)
    with pytest.raises(CallOverdue):
        outcome(first)
    assert await pool.run(divmod, 7, 2) == (3, 1)
    second = pool.run(disk.ask)
    clock.advance(SHORT_LIMIT_SECONDS / 2)
    assert is_pending(second)
    clock.advance(SHORT_LIMIT_SECONDS / 2)
    with pytest.raises(CallOverdue):
        outcome(second)


@ensureDeferred
async def test_without_a_free_thread_calls_fail_at_once_until_the_disk_answers(
    clock: ThreadClock, pool: WatchedPool, disk: Disk
) -> None:
    lost = [pool.run(disk.ask) for _ in range(THREADS)]
    queued = pool.run(disk.ask)
    await until(reactor, lambda: disk.begun == THREADS)
    clock.advance(LIMIT)
    for waiting in (*lost, queued):
        with pytest.raises(CallOverdue):
            outcome(waiting)
    for _ in range(100):
        with pytest.raises(CallOverdue, match="does not answer"):
            outcome(pool.run(disk.ask))
    disk.answers.set()
    await until(reactor, lambda: not pool.overdue)
    assert await pool.run(divmod, 7, 2) == (3, 1)
    assert disk.begun == THREADS  # what was given up before it began never begins


@ensureDeferred
async def test_what_comes_late_is_disposed_of(
    clock: ThreadClock, pool: WatchedPool, disk: Disk
) -> None:
    disposed: list[object] = []
    asked = pool.run(disk.ask, "opened", dispose=disposed.append)
    await until(reactor, lambda: disk.begun == 1)
    clock.advance(LIMIT)
    with pytest.raises(CallOverdue):
        outcome(asked)
    disk.answers.set()
    await until(reactor, lambda: disposed == ["opened"])


@ensureDeferred
async def test_a_cancelled_call_that_hangs_counts_too(pool: WatchedPool, disk: Disk) -> None:
    asked = [pool.run(disk.ask) for _ in range(THREADS)]
    await until(reactor, lambda: disk.begun == THREADS)
    for waiting in asked:
        waiting.addErrback(lambda failure: failure.trap(CancelledError) and None)
        waiting.cancel()
    assert pool.overdue == THREADS
    with pytest.raises(CallOverdue):
        outcome(pool.run(disk.ask))


@ensureDeferred
async def test_a_release_that_hangs_is_no_error(
    clock: ThreadClock, pool: WatchedPool, disk: Disk
) -> None:
    lines: list[str] = []
    observer = globalLogPublisher.addObserver
    observer(lambda event: lines.append(event["log_format"]))  # type: ignore[arg-type]
    run_unattended(pool, disk.ask)
    await until(reactor, lambda: disk.begun == 1)
    clock.advance(LIMIT)
    clock.advance(1)
    disk.answers.set()
    await until(reactor, lambda: not pool.overdue)
    clock.advance(1)
    told = [line for line in lines if line and ("answer" in line or "releasing" in line)]
    assert told == ["{what} does not answer: calls fail until it does", "{what} answers again"]


@ensureDeferred
async def test_stopping_does_not_wait_for_ever(
    clock: ThreadClock, pool: WatchedPool, disk: Disk
) -> None:
    asked = pool.run(disk.ask)
    asked.addErrback(lambda failure: None)
    await until(reactor, lambda: disk.begun == 1)
    stopped = pool.stop()
    await deferLater(reactor, 0, lambda: None)
    assert is_pending(stopped)
    clock.advance(MAX_STOP_SECONDS)
    assert outcome(stopped) is None
    assert clock.getDelayedCalls() == []
    disk.answers.set()
    await until(reactor, lambda: asked.called)


@ensureDeferred
async def test_stopping_waits_for_calls_that_answer(pool: WatchedPool) -> None:
    assert await pool.run(divmod, 7, 2) == (3, 1)
    await pool.stop()
