"""Deadlines."""

from __future__ import annotations

from twisted.internet.base import DelayedCall
from twisted.internet.task import Clock

from ftpservice.concurrency.timers import Deadline


def test_it_calls_once_when_the_time_has_passed() -> None:
    clock, calls = Clock(), list[int]()
    Deadline(clock, lambda: calls.append(1)).set(5)
    clock.pump([4, 2, 10])
    assert calls == [1]


def test_setting_it_again_begins_anew() -> None:
    clock, calls = Clock(), list[int]()
    deadline = Deadline(clock, lambda: calls.append(1))
    deadline.set(5)
    clock.advance(4)
    deadline.set(5)
    clock.advance(4)
    assert calls == []
    clock.advance(1)
    assert calls == [1]


def test_0_is_never_and_so_is_a_cleared_one() -> None:
    clock, calls = Clock(), list[int]()
    deadline = Deadline(clock, lambda: calls.append(1))
    deadline.set(0)
    deadline.set(5)
    deadline.clear()
    deadline.clear()
    clock.advance(100)
    assert calls == []
    assert not clock.getDelayedCalls()


def run_due(clock: Clock) -> None:
    """Run what is due, as a reactor does before it reads; not what is added meanwhile."""
    due = [call for call in clock.getDelayedCalls() if call.getTime() <= clock.seconds()]
    for call in due:
        assert isinstance(call, DelayedCall)
        clock.calls.remove(call)
        call.called = 1
        call.func(*call.args, **call.kw)


def test_after_a_pause_what_has_come_meanwhile_counts() -> None:
    clock, calls = Clock(), list[int]()
    deadline = Deadline(clock, lambda: calls.append(1))
    deadline.set(5)
    clock.rightNow += 60
    run_due(clock)
    deadline.set(5)  # what was read
    clock.advance(4)
    assert calls == []
    clock.advance(1)
    assert calls == [1]


def test_after_a_pause_in_which_nothing_came_it_calls() -> None:
    clock, calls = Clock(), list[int]()
    deadline = Deadline(clock, lambda: calls.append(1))
    deadline.set(5)
    clock.rightNow += 60
    run_due(clock)
    assert calls == []
    run_due(clock)
    assert calls == [1]
    assert not clock.getDelayedCalls()
