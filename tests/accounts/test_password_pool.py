"""The pool's line is bounded, and what is cancelled or stopped does not run."""

import queue
import threading

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import implementer

from ftpservice.accounts.password_pool import LoginBusy, PasswordCheckPool


@implementer(IReactorFromThreads)
class Inbox:
    """Keeps what threads want done until the test does it."""

    def __init__(self):
        self.calls = queue.Queue()

    def callFromThread(self, call, *arguments, **words):
        self.calls.put((call, arguments, words))

    def turn(self):
        call, arguments, words = self.calls.get(timeout=10)
        call(*arguments, **words)


class Bench:
    """A pool of one thread, which a gate holds up."""

    def __init__(self, most=3):
        self.inbox = Inbox()
        self.pool = PasswordCheckPool(self.inbox, threads=1, most=most)
        self.entered = threading.Event()
        self.gate = threading.Event()

    def hold(self):
        held = self.pool.run(self._wait)
        assert self.entered.wait(10)
        return held

    def _wait(self):
        self.entered.set()
        assert self.gate.wait(10)
        return "held"


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.gate.set()
    bench.pool.stop()


def result(deferred):
    seen = []
    deferred.addBoth(seen.append)
    return seen


def test_a_check_runs_in_another_thread_and_its_answer_comes_to_the_reactor(bench):
    seen = result(bench.pool.run(lambda a, b: (a + b, threading.get_ident()), 1, 2))
    assert seen == []
    bench.inbox.turn()
    [(total, thread)] = seen
    assert total == 3
    assert thread != threading.get_ident()


def test_a_check_that_fails_fails_its_answer(bench):
    seen = result(bench.pool.run(lambda: 1 / 0))
    bench.inbox.turn()
    assert seen[0].check(ZeroDivisionError)


def test_more_than_may_wait_are_refused_until_one_is_done(bench):
    held = result(bench.hold())
    waiting = [result(bench.pool.run(int, str(number))) for number in (1, 2)]
    with pytest.raises(LoginBusy):
        bench.pool.run(int, "3")
    bench.gate.set()
    bench.inbox.turn()
    assert held == ["held"]
    more = result(bench.pool.run(int, "4"))
    for _ in range(3):
        bench.inbox.turn()
    assert [*waiting, more] == [[1], [2], [4]]


def test_a_cancelled_check_that_has_not_begun_never_runs(bench):
    bench.hold()
    ran = []
    waiting = bench.pool.run(ran.append, 1)
    seen = result(waiting)
    waiting.cancel()
    assert seen[0].check(CancelledError)
    bench.gate.set()
    bench.inbox.turn()
    bench.inbox.turn()
    assert ran == []


def test_a_cancelled_check_that_has_begun_keeps_its_place_until_it_ends(bench):
    held = bench.hold()
    seen = result(held)
    held.cancel()
    assert seen[0].check(CancelledError)
    for number in (1, 2):
        bench.pool.run(int, number)
    with pytest.raises(LoginBusy):
        bench.pool.run(int, 3)
    bench.gate.set()
    for _ in range(3):
        bench.inbox.turn()
    bench.pool.run(int, 4)
    bench.inbox.turn()


def test_stopping_drops_what_waits_and_refuses_more():
    bench = Bench()
    held = result(bench.hold())
    ran = []
    waiting = result(bench.pool.run(ran.append, 1))
    bench.pool._stopping = True
    bench.gate.set()
    bench.pool.stop()
    bench.inbox.turn()
    bench.inbox.turn()
    assert held == ["held"]
    assert waiting[0].check(CancelledError)
    assert ran == []
    with pytest.raises(LoginBusy):
        bench.pool.run(int, "1")


def test_a_pool_leaves_no_thread_behind():
    bench = Bench()
    bench.pool.run(int, "1")
    bench.inbox.turn()
    threads = list(bench.pool._threads.threads)
    bench.pool.stop()
    assert not any(thread.is_alive() for thread in threads)


def test_a_busy_pool_is_no_failed_login():
    from twisted.cred.error import LoginFailed

    assert not issubclass(LoginBusy, LoginFailed)
