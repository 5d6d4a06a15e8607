"""REPORT in a worker: what the main process answers, and what happens without it."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.workers.process.remote_report import (
    ANSWER_SECONDS,
    LATE_REPORT,
    NO_REPORT,
    RemoteReport,
)
from tests.support.memory_transport import is_pending


class Channel:
    """What was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def send(self, *message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def report(channel: Any, clock: Clock) -> RemoteReport:
    return RemoteReport(channel, clock)


def test_answers_reach_who_has_asked(channel: Channel, report: RemoteReport) -> None:
    found: dict[str, Any] = {}
    for user in ("ann", "bob"):
        report("1d", "", user).addBoth(lambda lines, user=user: found.update({user: lines}))
    assert channel.sent == [("report", 1, ["1d", "", "ann"]), ("report", 2, ["1d", "", "bob"])]
    report.answered(2, ["two"], None)
    report.answered(1, ["one"], None)
    report.answered(1, ["again"], None)
    assert found == {"ann": ["one"], "bob": ["two"]}


def test_a_refusal_is_a_wrong_text(report: RemoteReport) -> None:
    found: list[Any] = []
    report("x", "", "").addErrback(found.append)
    report.answered(1, [], "no such time")
    assert found[0].check(ValueError)
    assert found[0].getErrorMessage() == "no such time"


def test_nobody_waits_when_the_main_process_is_gone(channel: Channel, report: RemoteReport) -> None:
    found: list[Any] = []
    waiting = report("1d", "", "").addBoth(found.append)
    assert is_pending(waiting)
    report.close()
    assert found == [NO_REPORT]
    report("1d", "", "").addBoth(found.append)
    assert found == [NO_REPORT, NO_REPORT]
    assert len(channel.sent) == 1


def test_a_report_that_does_not_come_keeps_no_session_waiting(
    report: RemoteReport, clock: Clock
) -> None:
    found: list[Any] = []
    report("1d", "", "").addBoth(found.append)
    report("2d", "", "").addBoth(found.append)
    report.answered(2, ["two"], None)
    clock.advance(ANSWER_SECONDS)
    report.answered(1, ["too late"], None)
    assert found == [["two"], LATE_REPORT]
    assert clock.getDelayedCalls() == []
