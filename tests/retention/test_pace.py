"""Steps follow each other no faster than their costs."""

from twisted.internet.task import Clock

from ftpservice.concurrency.task import Task
from ftpservice.retention.pace import TURN_SECONDS, Pace


def test_a_thousand_steps_take_the_time_that_they_cost():
    clock, steps = Clock(), []
    pace = Pace(clock)

    async def work():
        for number in range(1000):
            await pace.step(0.005)
            steps.append(number)

    task = Task(work())
    assert len(steps) <= TURN_SECONDS / 0.005 + 1, "the first few do not wait"
    for _ in range(4000):
        clock.advance(0.001)
    assert 750 <= len(steps) <= 850
    while not task.ended:
        clock.advance(0.001)
    assert 4.9 <= clock.seconds() <= 5.3


def test_time_without_steps_is_not_saved_up():
    clock, steps = Clock(), []
    pace = Pace(clock)
    clock.advance(1000)

    async def work():
        for number in range(100):
            await pace.step(0.01)
            steps.append(number)

    Task(work())
    assert len(steps) <= 4
