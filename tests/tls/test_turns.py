"""Work that shares the reactor's time."""

import pytest

from ftpservice.tls.turns import SHARE, Turns


class Work:
    """Steps that take some time of a clock."""

    def __init__(self):
        self.time = 100.0
        self.done = []
        self.later = []
        self.turns = Turns(self, lambda: self.time)

    def callLater(self, seconds, call):
        assert seconds == 0
        self.later.append(call)

    def take(self, name, cost=SHARE * 0.6):
        def step():
            self.time += cost
            self.done.append(name)

        return self.turns.take(step)

    def iterate(self):
        """Come by as the reactor does: what is called now may ask for the next time only."""
        calls, self.later = self.later, []
        for call in calls:
            call()


@pytest.fixture
def work():
    return Work()


def test_a_few_are_done_at_once(work):
    assert work.take(1, SHARE / 4)
    assert work.take(2, SHARE / 4)
    assert work.done == [1, 2]
    assert not work.later


def test_more_wait_for_the_next_turns_in_their_order(work):
    told = [work.take(number) for number in range(6)]
    assert told == [True, True, False, False, False, False]
    work.iterate()
    assert work.done == [0, 1, 2, 3]
    work.iterate()
    assert work.done == [0, 1, 2, 3, 4, 5]
    work.iterate()
    assert not work.later


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
    assert work.take(1, 10 * SHARE)
    assert not work.take(2, 0)
    work.iterate()
    assert work.done == [1, 2]


def test_one_that_fails_stops_nobody_behind_it(work):
    def fail():
        work.time += 2 * SHARE
        raise ValueError

    with pytest.raises(ValueError):
        work.turns.take(fail)
    assert not work.take(1)
    work.iterate()
    assert work.done == [1]


def test_also_when_it_had_to_wait(work):
    def fail():
        raise ValueError

    work.take(1, 2 * SHARE)
    for step in (fail, fail):
        work.turns.take(step)
    work.take(2)
    for _ in range(2):
        with pytest.raises(ValueError):
            work.iterate()
    work.iterate()
    assert work.done == [1, 2]
