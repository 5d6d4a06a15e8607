"""Calls of a store: its errors are one refusal, and a store that is down keeps nobody waiting."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable
from ftpservice.accounts.stores.store_calls import CALL_SECONDS, StoreCalls
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import InlineRunner


class Store:
    problem = None

    def __init__(self):
        self.calls = 0
        self.interrupted = []

    def answer(self, number):
        self.calls += 1
        if self.problem is not None:
            raise self.problem
        return number


@pytest.fixture
def parts():
    pool, clock, store = InlineRunner(), Clock(), Store()
    calls = StoreCalls("the store", pool, clock, store.interrupted.append)
    return calls, pool, clock, store


def ask(calls, store):
    seen = []
    asked = Task(calls.call(store.answer, 7)).done.addBoth(seen.append)
    return asked, seen


def test_an_answer_is_returned(parts):
    calls, _, clock, store = parts
    assert ask(calls, store)[1] == [7]
    assert clock.getDelayedCalls() == []


def test_a_store_that_does_not_answer_is_unavailable_after_the_time_out(parts):
    calls, pool, clock, store = parts
    pool.held = True
    _, seen = ask(calls, store)
    clock.advance(CALL_SECONDS - 0.1)
    assert seen == []
    clock.advance(0.1)
    assert seen[0].check(LoginUnavailable)
    assert store.interrupted == [CALL_SECONDS]
    assert "no answer within 2 seconds" in str(seen[0].value)


def test_while_the_store_is_down_one_call_at_a_time_tries_it(parts):
    calls, pool, _clock, store = parts
    store.problem = StoreUnavailable("it is down")
    assert ask(calls, store)[1][0].check(LoginUnavailable)
    pool.held = True
    _, trying = ask(calls, store)
    _, other = ask(calls, store)
    assert trying == []
    assert str(other[0].value) == "the store: it is down"
    pool.held, store.problem = False, None
    pool.release()
    assert trying == [7]
    assert ask(calls, store)[1] == [7]
    assert store.calls == 3


def test_a_cancelled_call_lets_the_next_one_try(parts):
    calls, pool, _clock, store = parts
    store.problem = StoreUnavailable("it is down")
    ask(calls, store)
    pool.held = True
    asked, _ = ask(calls, store)
    asked.cancel()
    pool.held, store.problem = False, None
    assert ask(calls, store)[1] == [7]


def test_down_and_up_are_logged_once(parts):
    calls, _, _, store = parts
    store.problem = StoreUnavailable("it is down")
    with capturedLogs() as events:
        for _ in range(3):
            ask(calls, store)
        store.problem = None
        for _ in range(3):
            ask(calls, store)
    down, up = [formatEvent(event) for event in events]
    assert down == (
        "the store: the account store is down, its logins are refused with 421: it is down"
    )
    assert up == "the store: the account store answers again"


def test_an_unexpected_error_is_logged_with_its_traceback_and_no_wrong_password(parts):
    calls, _, _, store = parts
    store.problem = ZeroDivisionError()
    with capturedLogs() as events:
        assert ask(calls, store)[1][0].check(LoginUnavailable)
    assert [event["log_failure"].type for event in events if "log_failure" in event] == [
        ZeroDivisionError
    ]


def test_too_many_calls_do_not_mean_that_the_store_is_down(parts):
    calls, pool, _, store = parts
    run = pool.run
    pool.run = lambda *_arguments: Deferred.fromCoroutine(busy())

    async def busy():
        raise LoginBusy

    assert ask(calls, store)[1][0].check(LoginBusy)
    pool.run = run
    assert ask(calls, store)[1] == [7]
