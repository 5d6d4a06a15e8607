"""What a worker tells of itself, and that it does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent

from ftpservice.workers.state_watch import SILENT_SECONDS, STATE_SECONDS, StateWatch


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> StateWatch:
    return StateWatch(clock, lambda: 4711)


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    with capturedLogs() as events:
        yield events


def lines(logged: list[LogEvent]) -> list[str]:
    return [formatEvent(one) for one in logged]


def test_a_worker_that_tells_its_state_is_not_in_the_log(
    clock: Clock, watch: StateWatch, logged: list[LogEvent]
) -> None:
    for _ in range(50):
        watch.told({"lag": 0.25, "sessions": 3})
        assert watch.lag == 0.25
        clock.advance(STATE_SECONDS)
    assert watch.state["sessions"] == 3
    assert lines(logged) == []


def test_one_that_hangs_is_in_the_log_once_and_so_is_that_it_goes_on(
    clock: Clock, watch: StateWatch, logged: list[LogEvent]
) -> None:
    watch.told({"lag": 0.0})
    clock.pump([1.0] * 60)
    (line,) = lines(logged)
    assert line.startswith("worker 4711 has carried out nothing for 11 s")
    assert watch.lag == pytest.approx(60 - STATE_SECONDS), "the report that is due is that late"
    watch.told({"lag": 59.0})
    assert watch.lag == 59.0
    assert lines(logged)[1:] == ["worker 4711 goes on after 60 s"]


def test_reports_that_arrived_while_nothing_was_read_count(
    clock: Clock, watch: StateWatch, logged: list[LogEvent]
) -> None:
    """The main process itself was stopped: its timers have passed before it reads."""
    watch.told({"lag": 0.0})
    clock.advance(2 * SILENT_SECONDS)
    watch.told({"lag": 0.0})
    clock.pump([STATE_SECONDS] * int(SILENT_SECONDS - 1))
    assert lines(logged) == []


def test_nothing_is_expected_of_one_that_ends_or_has_told_nothing(
    clock: Clock, watch: StateWatch, logged: list[LogEvent]
) -> None:
    clock.advance(2 * SILENT_SECONDS)
    assert watch.lag == 0.0
    watch.told({"lag": 0.0})
    watch.stop()
    clock.pump([1.0] * 60)
    assert lines(logged) == []
    assert clock.getDelayedCalls() == []
