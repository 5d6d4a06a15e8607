"""Sweeps of expired partial uploads at intervals, and what the log says of them."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent

from ftpservice.backends.local.partials.sweeper import PeriodicSweep
from ftpservice.storage.errors import OutOfResources, Unavailable
from ftpservice.wire.paths import ROOT
from tests.support.open_resources import LoggedErrors

INTERVAL = 60.0


def lines_of(outcomes: list[int | Exception]) -> list[tuple[LogLevel, str]]:
    """Return what is logged by sweeps that end so."""
    clock, left = Clock(), list(outcomes)

    async def sweep() -> int:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    sweeps = PeriodicSweep(clock, INTERVAL, sweep)
    with capturedLogs() as logged:
        clock.pump([0.0] + [INTERVAL] * (len(outcomes) - 1))
    sweeps.stop()
    assert left == []
    assert clock.getDelayedCalls() == []
    return [(one["log_level"], formatEvent(one)) for one in logged]


def test_what_was_removed_is_said() -> None:
    assert lines_of([2, 0, 1]) == [
        (LogLevel.info, "removed 2 expired partial uploads"),
        (LogLevel.info, "removed 1 expired partial upload"),
    ]


@pytest.mark.parametrize(
    "error", [Unavailable(ROOT, "it is gone"), OutOfResources(ROOT, "Too many open files")]
)
def test_a_storage_that_fails_for_the_moment_is_one_line(error: Unavailable) -> None:
    (failed, removed) = lines_of([error, 1])
    assert failed == (LogLevel.warn, f"expired partial uploads were not removed: {error.reason}")
    assert removed[0] is LogLevel.info


def test_another_error_has_its_traceback_and_the_next_sweep_comes() -> None:
    with LoggedErrors():
        failed, removed = lines_of([ValueError("no"), 1])
    assert failed[0] is LogLevel.critical
    assert removed[1].startswith("removed 1 ")
