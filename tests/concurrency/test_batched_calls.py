"""Short blocking calls, many of them in one call of a thread."""

from __future__ import annotations

import threading

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from ftpservice.concurrency.batched_calls import DELAY_SECONDS, BatchedCalls
from ftpservice.concurrency.thread_pool import BlockingPool, InlineRunner, PoolStopped


def fail():
    raise LookupError("missing")


def results(calls):
    found = []
    for call in calls:
        call.addBoth(found.append)
    return found


def test_calls_begin_together_after_the_delay():
    clock, pool = Clock(), InlineRunner()
    batched = BatchedCalls(pool, clock, 3)
    found = results([batched.run(divmod, 7, 2), batched.run(fail)])
    clock.advance(DELAY_SECONDS / 2)
    assert found == []
    clock.advance(DELAY_SECONDS / 2)
    assert found[0] == (3, 1)
    assert found[1].check(LookupError)
    assert clock.getDelayedCalls() == []


def test_a_full_batch_begins_at_once():
    clock = Clock()
    batched = BatchedCalls(InlineRunner(), clock, 2)
    found = results([batched.run(int), batched.run(str)])
    assert found == [0, ""]
    assert clock.getDelayedCalls() == []


def test_the_next_batch_has_a_delay_of_its_own():
    clock = Clock()
    batched = BatchedCalls(InlineRunner(), clock, 2)
    found = results([batched.run(int) for _ in range(3)])
    assert found == [0, 0]
    clock.advance(DELAY_SECONDS)
    assert found == [0, 0, 0]


def test_a_cancelled_call_does_not_begin_and_the_others_do():
    clock, ran = Clock(), []
    batched = BatchedCalls(InlineRunner(), clock, 2)
    first = batched.run(ran.append, 1)
    first.addErrback(lambda _: None)
    first.cancel()
    found = results([batched.run(ran.append, 2)])
    assert ran == [2]
    assert found == [None]


def test_the_result_of_a_call_cancelled_while_it_runs_is_disposed_of():
    clock, pool, disposed = Clock(), InlineRunner(), []
    pool.held = pool.begun = True
    batched = BatchedCalls(pool, clock, 1)
    call = batched.run(str, 5, dispose=disposed.append)
    call.addErrback(lambda _: None)
    call.cancel()
    pool.release()
    assert disposed == ["5"]


def test_a_pool_that_refuses_fails_all_calls():
    clock, pool = Clock(), InlineRunner()
    batched = BatchedCalls(pool, clock, 2)
    pool.stop()
    found = results([batched.run(int), batched.run(int)])
    assert [failure.type for failure in found] == [PoolStopped, PoolStopped]


@pytest_twisted.ensureDeferred
async def test_one_thread_runs_a_batch(reactor):
    pool = BlockingPool(reactor, "batched", threads=4)
    batched = BatchedCalls(pool, reactor, 8)
    names = [batched.run(lambda: threading.current_thread().name) for _ in range(8)]
    assert len({await name for name in names}) == 1
    with pytest.raises(LookupError):
        await batched.run(fail)
    await pool.stop()
