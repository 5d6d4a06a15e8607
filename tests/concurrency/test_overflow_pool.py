"""Brief calls: one thread does them, until one of them is not brief."""

import queue
import threading

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.concurrency.overflow_pool import RECHECK_SECONDS, OverflowPool
from ftpservice.concurrency.thread_pool import BlockingPool, PoolStopped

PATIENCE = 30


class Hands(Clock):
    """A clock that the test advances; calls from threads run when the test says so."""

    def __init__(self):
        super().__init__()
        self.asked = queue.Queue()

    def callFromThread(self, call, *words):
        self.asked.put((call, words))

    def turn(self):
        call, words = self.asked.get(timeout=PATIENCE)
        call(*words)


class Bench:
    """A pool for brief calls, and one for others that has one thread."""

    def __init__(self):
        self.hands = Hands()
        self.others = BlockingPool(self.hands, "others", threads=1)
        self.pool = OverflowPool(self.hands, self.others)
        self.entered, self.gate = threading.Event(), threading.Event()

    def hold(self):
        """Make a call that is not brief."""
        held = self.pool.run(self._wait)
        assert self.entered.wait(PATIENCE)
        return held

    def _wait(self):
        self.entered.set()
        assert self.gate.wait(PATIENCE)
        return threading.current_thread().name

    def turn_until(self, done):
        while not done():
            self.hands.turn()

    def end(self):
        self.gate.set()
        for pool in (self.pool, self.others):
            ended = results(pool.stop())
            self.turn_until(lambda ended=ended: ended)


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.end()
    assert made.hands.getDelayedCalls() == []


def results(deferred: Deferred) -> list:
    seen = []
    deferred.addBoth(seen.append)
    return seen


def name():
    return threading.current_thread().name


def test_one_thread_does_them_all(bench):
    done = [results(bench.pool.run(name)) for _ in range(100)]
    bench.turn_until(lambda: all(done))
    assert done == [["storage, brief 1"]] * 100
    bench.hands.advance(RECHECK_SECONDS)  # it looks no more


def test_those_behind_one_that_takes_long_are_done_by_others(bench):
    held = results(bench.hold())
    behind = [results(bench.pool.run(name)) for _ in range(3)]
    bench.hands.advance(RECHECK_SECONDS)
    bench.turn_until(lambda: all(behind))
    assert behind == [["others 1"]] * 3
    assert held == []
    bench.gate.set()
    bench.turn_until(lambda: held)
    assert held == ["storage, brief 1"]


def test_those_that_come_later_wait_no_longer(bench):
    bench.hold()
    bench.pool.run(name)
    bench.hands.advance(RECHECK_SECONDS)
    later = results(bench.pool.run(name))
    bench.hands.advance(RECHECK_SECONDS)
    bench.turn_until(lambda: later)
    assert later == ["others 1"]


def test_while_all_of_them_are_brief_nothing_goes_to_others(bench):
    held = results(bench.hold())
    bench.pool.run(name)
    bench.gate.set()
    bench.turn_until(lambda: held)
    entered, gate = threading.Event(), threading.Event()

    def wait():
        entered.set()
        assert gate.wait(PATIENCE)

    bench.pool.run(wait)
    assert entered.wait(PATIENCE)
    behind = results(bench.pool.run(name))
    bench.hands.advance(RECHECK_SECONDS)  # what was begun when it was first looked has ended
    gate.set()
    bench.turn_until(lambda: behind)
    assert behind == ["storage, brief 1"]


def test_one_call_alone_is_not_looked_after(bench):
    bench.hold()
    assert bench.hands.getDelayedCalls() == []


def test_a_result_waits_for_the_calls_after_it_only_until_the_next_check(bench):
    first = bench.hold()
    seen = results(first)
    entered, gate = threading.Event(), threading.Event()

    def wait():
        entered.set()
        assert gate.wait(PATIENCE)

    bench.pool.run(wait)
    bench.gate.set()
    assert entered.wait(PATIENCE)
    assert bench.hands.asked.empty() and seen == []
    bench.hands.advance(RECHECK_SECONDS)
    assert seen == ["storage, brief 1"]
    gate.set()


def test_results_are_delivered_together(bench):
    bench.hold()
    seen = [results(bench.pool.run(name)) for _ in range(5)]
    bench.gate.set()
    bench.hands.turn()
    assert all(seen)


class NarrowQueue(queue.SimpleQueue):
    """The thread ends its call while the others move, after it has seen them waiting."""

    def __init__(self, gate):
        super().__init__()
        self.gate, self.seen, self.moved = gate, threading.Event(), threading.Event()

    def empty(self):
        found = super().empty()
        self.seen.set()
        assert self.moved.wait(PATIENCE)
        return found

    def get_nowait(self):
        self.gate.set()
        assert self.seen.wait(PATIENCE)
        try:
            return super().get_nowait()
        finally:
            self.moved.set()


def test_a_result_of_the_moment_in_which_the_other_calls_move_is_delivered(bench):
    bench.pool._queue = NarrowQueue(bench.gate)
    held = results(bench.hold())
    behind = results(bench.pool.run(name))
    bench.hands.advance(RECHECK_SECONDS)
    bench.turn_until(lambda: behind)
    assert (held, behind) == (["storage, brief 1"], ["others 1"])


def test_what_waits_when_it_is_stopped_is_done(bench):
    bench.hold()
    waiting = results(bench.pool.run(name))
    ended = results(bench.pool.stop())
    refused = results(bench.pool.run(name))
    assert refused[0].check(PoolStopped)
    bench.gate.set()
    bench.turn_until(lambda: ended)
    assert waiting == ["storage, brief 1"]


def test_a_call_that_went_to_others_can_be_cancelled(bench):
    bench.hold()
    ran = []
    waiting = bench.pool.run(ran.append, 1)
    seen = results(waiting)
    waiting.cancel()
    bench.hands.advance(RECHECK_SECONDS)
    done = results(bench.others.run(name))
    bench.turn_until(lambda: done)
    assert seen and ran == []
