"""Work that shares the reactor's time."""

import pytest

from ftpservice.concurrency.time_budget import SECONDS_PER_TURN, STEP_SECONDS, TimeBudget
from tests.support.memory_transport import outcome, start


class Work:
    """Steps that take some time of a clock."""

    def __init__(self):
        self.time = 100.0
        self.done = []
        self.continue_later = []
        self.time_budget = TimeBudget(self, lambda: self.time)

    def callLater(self, seconds, call):
        assert seconds == 0
        self.continue_later.append(call)

    def take(self, name, cost=SECONDS_PER_TURN * 0.6):
        def step():
            self.time += cost
            self.done.append(name)

        return self.time_budget.take(step)

    def iterate(self):
        """Come by as the reactor does: what is called now may ask for the next time only."""
        calls, self.continue_later = self.continue_later, []
        for call in calls:
            call()


@pytest.fixture
def work():
    return Work()


def test_a_few_are_done_at_once(work):
    assert work.take(1, SECONDS_PER_TURN / 4)
    assert work.take(2, SECONDS_PER_TURN / 4)
    assert work.done == [1, 2]
    assert not work.continue_later


def test_more_wait_for_the_next_turns_in_their_order(work):
    results = [work.take(number) for number in range(6)]
    assert results == [True, True, False, False, False, False]
    work.iterate()
    assert work.done == [0, 1, 2, 3]
    work.iterate()
    assert work.done == [0, 1, 2, 3, 4, 5]
    work.iterate()
    assert not work.continue_later


def test_nobody_passes_those_who_wait(work):
    for number in range(3):
        work.take(number)
    work.time += 100
    assert not work.take(3)
    work.iterate()
    assert work.done == [0, 1, 2, 3]


def test_after_the_reactor_came_by_there_is_time_again(work):
    assert [work.take(number) for number in range(2)] == [True, True]
    work.iterate()
    assert work.take(2)


def test_a_long_one_is_done_by_itself(work):
    assert work.take(1, 10 * SECONDS_PER_TURN)
    assert not work.take(2, 0)
    work.iterate()
    assert work.done == [1, 2]


def test_one_that_fails_stops_nobody_behind_it(work):
    def fail():
        work.time += 2 * SECONDS_PER_TURN
        raise ValueError

    with pytest.raises(ValueError):
        work.time_budget.take(fail)
    assert not work.take(1)
    work.iterate()
    assert work.done == [1]


def test_also_when_it_had_to_wait(work):
    def fail():
        raise ValueError

    work.take(1, 2 * SECONDS_PER_TURN)
    for step in (fail, fail):
        work.time_budget.take(step)
    work.take(2)
    for _ in range(2):
        with pytest.raises(ValueError):
            work.iterate()
    work.iterate()
    assert work.done == [1, 2]


def test_what_just_arrived_goes_before_what_continues(work):
    work.take("long", 2 * SECONDS_PER_TURN)
    for name in ("a", "b"):
        work.time_budget.continue_later(lambda name=name: work.done.append(name))
    work.take("new", 0)
    work.iterate()
    assert work.done == ["long", "new", "a", "b"]


def test_what_continues_has_a_turn_in_each_iteration(work):
    work.take("long", 2 * SECONDS_PER_TURN)
    work.time_budget.continue_later(lambda: work.done.append("continued"))
    for number in range(4):
        work.take(number)
    work.iterate()
    assert work.done == ["long", 0, 1, "continued"]
    work.iterate()
    assert work.done == ["long", 0, 1, "continued", 2, 3]


def test_what_continues_does_not_pass_others_that_continue(work):
    work.time_budget.continue_later(lambda: work.done.append("first"))
    assert not work.time_budget.take(lambda: work.done.append("second"), continued=True)
    work.iterate()
    assert work.done == ["first", "second"]


def test_a_step_is_told_when_it_has_had_its_time(work):
    results = []

    def step():
        results.append(work.time_budget.step_is_over)
        work.time += STEP_SECONDS
        results.append(work.time_budget.step_is_over)

    work.time_budget.take(step, continued=True)
    assert results == [False, True]


def test_a_loop_that_never_waits_is_cut_into_turns(work):
    def piece():
        work.time += STEP_SECONDS / 2

    async def loop(name):
        for _ in range(6):
            await work.time_budget.run_when_due(piece)
            work.done.append(name)

    for name in ("a", "b"):
        work.time_budget.take(lambda name=name: start(loop(name)), continued=True)
    for _ in range(10):
        before = work.time
        work.iterate()
        assert work.time - before <= SECONDS_PER_TURN + STEP_SECONDS
    assert sorted(work.done) == ["a"] * 6 + ["b"] * 6
    assert work.done.index("b") < 6 < len(work.done) - work.done[::-1].index("a")


def test_who_was_cancelled_while_it_waited_does_nothing_and_disturbs_nobody(work):
    work.take("long", 2 * SECONDS_PER_TURN)
    waiting = start(work.time_budget.run_when_due(work.done.append, "never"))
    other = start(work.time_budget.run_when_due(work.done.append, "other"))
    waiting.addErrback(lambda _: None).cancel()
    work.iterate()
    assert work.done == ["long", "other"]
    assert outcome(other) is None
