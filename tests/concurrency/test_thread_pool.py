"""Blocking calls in pools: results, cancelling, bounds, the end."""

import threading

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher

from ftpservice.concurrency.thread_pool import (
    BlockingPool,
    InlineRunner,
    PoolLoad,
    PoolOverloaded,
    PoolStopped,
    pool_loads,
    run_unattended,
)
from tests.support.open_resources import LoggedErrors


@pytest.fixture(params=["threads", "inline"])
def pool(request):
    made = (
        BlockingPool(reactor, "test", threads=2) if request.param == "threads" else InlineRunner()
    )
    yield made
    pytest_twisted.blockon(made.stop())


@pytest.fixture
def threads():
    made = BlockingPool(reactor, "test", threads=1, waiting=3)
    yield made
    pytest_twisted.blockon(made.stop())


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def fail():
    raise LookupError("expected")


@pytest_twisted.ensureDeferred
async def test_a_call_returns_its_result(pool):
    assert await pool.run(divmod, 7, 2) == (3, 1)
    assert await pool.finish(divmod, 7, 2) == (3, 1)


@pytest_twisted.ensureDeferred
async def test_a_call_raises_what_the_function_raises(pool):
    for run in (pool.run, pool.finish):
        with pytest.raises(LookupError):
            await run(fail)


@pytest_twisted.ensureDeferred
async def test_after_the_end_calls_are_refused_but_letting_go_is_done(pool):
    await pool.stop()
    await pool.stop()
    with pytest.raises(PoolStopped):
        await pool.run(divmod, 7, 2)
    assert await pool.finish(divmod, 7, 2) == (3, 1)


@pytest_twisted.ensureDeferred
async def test_a_failure_to_let_go_is_logged(pool, logged):
    run_unattended(pool, fail)
    await pool.run(int)
    await pool.stop()
    assert [event["log_failure"].type for event in logged if "log_failure" in event] == [
        LookupError
    ]


@pytest_twisted.ensureDeferred
async def test_work_is_done_in_threads_of_its_own(threads):
    thread = await threads.run(threading.current_thread)
    assert thread is not threading.current_thread()
    assert "test" in thread.name


@pytest_twisted.ensureDeferred
async def test_no_thread_runs_before_the_first_call():
    before = threading.active_count()
    pool = BlockingPool(reactor, "lazy")
    assert threading.active_count() == before
    await pool.stop()


@pytest_twisted.ensureDeferred
async def test_stopping_waits_for_the_calls_that_are_there():
    pool = BlockingPool(reactor, "ending", threads=1)
    gate, done = threading.Event(), []
    calls = [pool.run(lambda: done.append(gate.wait(10))), pool.run(done.append, "queued")]
    ending = pool.stop()
    gate.set()
    await ending
    assert done == [True, "queued"]
    assert all(call.called for call in calls)


@pytest_twisted.ensureDeferred
async def test_a_late_result_is_disposed_of(threads):
    begun, gate = threading.Event(), threading.Event()
    disposed = Deferred()

    def work():
        begun.set()
        gate.wait(10)
        return "descriptor"

    def dispose(result):
        reactor.callFromThread(disposed.callback, (result, threading.current_thread()))

    call = threads.run(work, dispose=dispose)
    begun.wait(10)
    call.cancel()
    gate.set()
    with pytest.raises(CancelledError):
        await call
    result, thread = await disposed
    assert result == "descriptor"
    assert thread is not threading.current_thread()


@pytest_twisted.ensureDeferred
async def test_a_late_failure_is_nobodys_business(threads, logged):
    begun, gate = threading.Event(), threading.Event()

    def work():
        begun.set()
        gate.wait(10)
        fail()

    call = threads.run(work, dispose=pytest.fail)
    begun.wait(10)
    call.addErrback(lambda _: None)
    call.cancel()
    gate.set()
    await threads.run(int)
    assert not [event for event in logged if "log_failure" in event]


@pytest_twisted.ensureDeferred
async def test_a_call_cancelled_in_the_queue_never_begins(threads):
    gate, done = threading.Event(), []
    first = threads.run(gate.wait, 10)
    queued = threads.run(done.append, "work", dispose=done.append)
    must = threads.finish(done.append, "ending")
    failing = threads.finish(fail)
    for call in (queued, must, failing):
        call.addErrback(lambda failure: failure.trap(CancelledError))
        call.cancel()
    gate.set()
    await first
    await threads.finish(int)
    assert done == ["ending"]


@pytest_twisted.ensureDeferred
async def test_more_calls_than_may_wait_are_refused(threads):
    gate = threading.Event()
    calls = [threads.run(gate.wait, 10) for _ in range(3)]
    with pytest.raises(PoolOverloaded):
        await threads.run(int)
    ending = threads.finish(int)
    gate.set()
    for call in calls:
        await call
    assert await ending == 0
    assert await threads.run(int) == 0


class TestInline:
    def test_a_held_call_waits(self):
        pool, done = InlineRunner(), []
        pool.held = True
        pool.run(done.append, 1)
        assert not done
        pool.release()
        assert done == [1]

    def test_a_held_call_that_is_cancelled_never_begins(self):
        pool, done = InlineRunner(), []
        pool.held = True
        pool.run(done.append, 1, dispose=done.append).addErrback(lambda _: None).cancel()
        pool.finish(done.append, 2).addErrback(lambda _: None).cancel()
        pool.release()
        assert done == [2]

    def test_a_begun_call_that_is_cancelled_is_disposed_of(self):
        pool, done = InlineRunner(), []
        pool.held = pool.begun = True
        pool.run(str, 1, dispose=done.append).addErrback(lambda _: None).cancel()
        pool.run(fail, dispose=done.append).addErrback(lambda _: None).cancel()
        pool.release()
        assert done == ["1"]

    def test_stopping_releases(self):
        pool, done = InlineRunner(), []
        pool.held = True
        pool.run(done.append, 1)
        pool.stop()
        assert done == [1]


@pytest_twisted.ensureDeferred
async def test_stop_and_wait_cancels_the_calls_that_wait_and_leaves_no_thread():
    pool = BlockingPool(reactor, "stopped", threads=1)
    begun, gate, ran = threading.Event(), threading.Event(), []
    held = pool.run(lambda: (begun.set(), gate.wait(10))[1])
    waiting = pool.run(ran.append, 1)
    assert begun.wait(10)
    threading.Timer(0.05, gate.set).start()
    pool.stop_and_wait()
    assert not any(thread.is_alive() for thread in pool._threads)
    with pytest.raises(CancelledError):
        await waiting
    assert await held is True
    assert ran == []
    with pytest.raises(PoolStopped):
        await pool.run(int)


@pytest_twisted.ensureDeferred
async def test_a_call_is_interrupted_again_for_what_it_does_next():
    pool = BlockingPool(reactor, "stopped", threads=1)
    begun, steps = threading.Event(), threading.Semaphore(0)

    def work():
        for _ in range(3):
            begun.set()
            assert steps.acquire(timeout=10)
        return "ended"

    result = pool.run(work)
    assert begun.wait(10)
    pool.stop_and_wait(steps.release)
    assert await result == "ended"


@pytest_twisted.ensureDeferred
async def test_a_pool_may_refuse_with_an_error_of_its_user():
    pool = BlockingPool(reactor, "refusing", threads=1, waiting=1, refusal=LookupError)
    gate = threading.Event()
    held = pool.run(gate.wait, 10)
    with pytest.raises(LookupError):
        await pool.run(int)
    gate.set()
    assert await held is True
    pool.stop_and_wait()
    with pytest.raises(LookupError):
        await pool.run(int)


@pytest.fixture
def no_more_threads(monkeypatch):
    """No thread can be started, as at the limit of the system or when the interpreter ends."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    return lambda: monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest_twisted.ensureDeferred
async def test_a_pool_stops_when_no_thread_can_be_started(threads, no_more_threads):
    assert await threads.run(divmod, 7, 2) == (3, 1)
    no_more_threads()
    await threads.stop()
    assert not any(thread.is_alive() for thread in threads._threads)


@pytest_twisted.ensureDeferred
async def test_without_any_thread_calls_fail_but_releasing_is_done(threads, no_more_threads):
    no_more_threads()
    with LoggedErrors() as logged:
        for _ in range(3):
            with pytest.raises(PoolOverloaded):
                await threads.run(divmod, 7, 2)
    assert len(logged.lines) == 1 and "raise the limit on processes" in logged.lines[0]
    assert await threads.finish(divmod, 7, 2) == (3, 1)


@pytest_twisted.ensureDeferred
async def test_calls_use_the_threads_there_are_when_no_further_one_can_be_started(no_more_threads):
    pool = BlockingPool(reactor, "test", threads=2)
    gate = threading.Event()
    held = pool.run(gate.wait, 10)
    no_more_threads()
    second = pool.run(divmod, 7, 2)
    gate.set()
    assert await held is True
    assert await second == (3, 1)
    await pool.stop()


@pytest_twisted.ensureDeferred
async def test_the_load_is_told_by_name():
    held, begun = threading.Event(), threading.Event()

    def hold():
        begun.set()
        held.wait(20)

    pools = [BlockingPool(reactor, "of a test", threads=1, waiting=3) for _ in range(2)]
    calls = [pools[0].run(hold) for _ in range(4)]
    with pytest.raises(PoolOverloaded):
        await calls.pop()
    calls.append(pools[1].run(int))
    await calls[-1]
    assert begun.wait(20)
    assert pool_loads()["of a test"] == PoolLoad(threads=2, running=1, waiting=2, refused=1)
    held.set()
    for call in calls:
        await call
    assert pool_loads()["of a test"] == PoolLoad(threads=2, running=0, waiting=0, refused=1)
    for pool in pools:
        await pool.stop()
    assert pool_loads()["of a test"] == PoolLoad(refused=1)
