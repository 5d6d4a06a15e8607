"""Coroutines on their way."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed

from ftpservice.concurrency.task import Task, wait_out
from tests.support.memory_transport import is_pending, outcome


async def waits(*deferreds):
    return [await deferred for deferred in deferreds]


def test_one_that_does_not_wait_has_ended():
    task = Task(waits(succeed(1), succeed(2)))
    assert task.ended
    assert outcome(task.done) == [1, 2]


def test_one_that_waits_goes_on_with_the_result():
    first, second = Deferred(), Deferred()
    task = Task(waits(first, second))
    first.callback("a")
    assert is_pending(task.done)
    second.callback("b")
    assert outcome(task.done) == ["a", "b"]


def test_a_failure_is_raised_where_it_is_waited_for():
    waiting = Deferred()
    task = Task(waits(waiting))
    waiting.errback(KeyError("no"))
    with pytest.raises(KeyError):
        outcome(task.done)


def test_what_it_raises_at_once_is_kept():
    async def fails():
        raise KeyError("no")

    with pytest.raises(KeyError):
        outcome(Task(fails()).done)


def test_cancelling_reaches_what_it_waits_for():
    cancelled = []
    task = Task(waits(Deferred(cancelled.append)))
    task.cancel()
    assert cancelled
    with pytest.raises(CancelledError):
        outcome(task.done)
    task.cancel()


def test_after_cancelling_it_may_wait_for_its_tidying_up():
    tidied = Deferred()

    async def tidy():
        try:
            await Deferred()
        finally:
            await tidied

    task = Task(tidy())
    task.cancel()
    assert not task.ended
    tidied.callback(None)
    with pytest.raises(CancelledError):
        outcome(task.done)


def test_many_steps_need_no_deep_stack():
    async def counts():
        for _ in range(10_000):
            await succeed(None)
        return "done"

    assert outcome(Task(counts()).done) == "done"


def test_cancelling_its_deferred_cancels_it():
    cancelled = []
    task = Task(waits(Deferred(cancelled.append)))
    task.done.cancel()
    assert len(cancelled) == 1
    with pytest.raises(CancelledError):
        outcome(task.done)


def test_one_that_has_returned_can_be_awaited():
    async def second():
        return [*await Task(waits(succeed(3))), 4]

    assert outcome(Task(second()).done) == [3, 4]


def test_one_that_waits_or_fails_can_be_awaited():
    waiting = Deferred()

    async def second():
        return await Task(waits(waiting))

    task = Task(second())
    waiting.errback(KeyError("no"))
    with pytest.raises(KeyError):
        outcome(task.done)


@pytest.mark.parametrize("fails", [False, True])
def test_who_cancels_the_end_need_not_wait_for_the_tidying_up(fails):
    waits: list[Deferred[None]] = [Deferred(), Deferred()]

    async def tidy():
        try:
            await waits[0]
        finally:
            await waits[1]
            if not fails:
                return 1  # noqa: B012 - so that it ends well

    task = Task(tidy())
    found = []
    task.done.addErrback(found.append)
    task.done.cancel()
    assert found[0].check(CancelledError)
    assert not task.ended
    waits[1].callback(None)
    assert task.ended


@pytest.mark.parametrize("cancelled", [0, 1, 3])
@pytest.mark.parametrize("fails", [False, True])
def test_work_is_waited_out(cancelled, fails):
    work = Deferred()
    task = Task(wait_out(work))
    for _ in range(cancelled):
        task.cancel()
        assert is_pending(task.done)
    assert is_pending(work)
    work.errback(KeyError("no")) if fails else work.callback("done")
    if cancelled:
        with pytest.raises(CancelledError):
            outcome(task.done)
    elif fails:
        with pytest.raises(KeyError):
            outcome(task.done)
    else:
        assert outcome(task.done) == "done"


def test_work_that_is_over_is_not_waited_for():
    assert outcome(Task(wait_out(succeed(1))).done) == 1
