"""What a worker tells of itself: its state, its lag, and the sessions that have to finish."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.workers.process.state_reports import WORKING_SECONDS, StateReports
from ftpservice.workers.state_watch import STATE_SECONDS


class Channel:
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.is_paused = False

    def send(self, *message: Any) -> None:
        self.sent.append(message)


class Reports:
    """The reports of a worker on a fake clock."""

    def __init__(self) -> None:
        self.channel: Any = Channel()
        self.clock = Clock()
        self.working = 0
        self.reports = StateReports(
            self.channel, lambda: {"sessions": 3}, lambda: self.working, self.clock
        )

    @property
    def sent(self) -> list[tuple[Any, ...]]:
        """What was sent since the last look."""
        sent, self.channel.sent = self.channel.sent, []
        return sent


@pytest.fixture
def worker() -> Reports:
    return Reports()


def test_the_state_is_told_every_second(worker: Reports) -> None:
    worker.reports.start()
    assert worker.sent == []
    for _ in range(3):
        worker.clock.advance(STATE_SECONDS)
        assert worker.sent == [("state", {"lag": 0.0, "sessions": 3})]


def test_a_late_report_says_how_late_and_the_next_is_on_time(worker: Reports) -> None:
    worker.reports.start()
    worker.clock.advance(STATE_SECONDS + 0.5)
    assert worker.sent == [("state", {"lag": 0.5, "sessions": 3})]
    worker.clock.advance(STATE_SECONDS)
    assert worker.sent == [("state", {"lag": 0.0, "sessions": 3})]


def test_while_the_main_process_does_not_read_no_state_is_queued(worker: Reports) -> None:
    worker.reports.start()
    worker.channel.is_paused = True
    worker.clock.advance(STATE_SECONDS)
    assert worker.sent == []
    worker.channel.is_paused = False
    worker.clock.advance(STATE_SECONDS)
    assert worker.sent == [("state", {"lag": 0.0, "sessions": 3})]


def test_working_sessions_are_told_until_there_are_none(worker: Reports) -> None:
    worker.working = 2
    worker.reports.tell_working()
    worker.clock.advance(WORKING_SECONDS)
    worker.working = 0
    worker.clock.advance(WORKING_SECONDS)
    assert worker.sent == [("working", 2), ("working", 2), ("working", 0)]
    assert not worker.clock.getDelayedCalls()


def test_after_a_stop_nothing_is_told(worker: Reports) -> None:
    worker.working = 1
    worker.reports.start()
    worker.reports.tell_working()
    assert worker.sent == [("working", 1)]
    worker.reports.stop()
    worker.clock.advance(10 * STATE_SECONDS)
    assert worker.sent == []
    assert not worker.clock.getDelayedCalls()
