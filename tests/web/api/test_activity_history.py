"""Rates over time, and totals of users."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.task import Clock

from ftpservice.events import LoginFailed, Outcome, TransferEnded
from ftpservice.web.api.activity_history import COARSE_SAMPLES, SAMPLE_SECONDS, ActivityHistory


def ended(upload: bool, size: int, outcome: Outcome = Outcome.COMPLETE) -> TransferEnded:
    return TransferEnded(0.0, 1, "192.0.2.1", "ann", "/x", upload, outcome, size, 1.0)


def test_rates_count_running_and_ended_transfers_once() -> None:
    clock, moved = Clock(), [0, 0]
    live = SimpleNamespace(moved_now=lambda: tuple(moved), counts=lambda: (3, 1))
    history = ActivityHistory(live, clock, clock.seconds)  # type: ignore[arg-type]
    history.start()
    moved[0] = 1000
    clock.advance(SAMPLE_SECONDS)
    moved[0] = 0
    history(ended(True, 1500))
    clock.advance(SAMPLE_SECONDS)
    series = history.series("hour")
    assert series["up"] == [100.0, 50.0]
    assert series["down"] == [0.0, 0.0]
    assert series["sessions"] == [3, 3]
    assert history.series("day")["when"] == []
    for _ in range(COARSE_SAMPLES):
        clock.advance(SAMPLE_SECONDS)
    assert len(history.series("day")["when"]) == len(history.series("week")["when"]) == 1
    assert history.series("week")["up"] == [150.0 / COARSE_SAMPLES]
    history.stop()
    assert clock.getDelayedCalls() == []


def test_users_have_totals() -> None:
    clock = Clock()
    history = ActivityHistory(SimpleNamespace(), clock, clock.seconds)  # type: ignore[arg-type]
    history(ended(True, 10))
    history(ended(False, 7, Outcome.ABORTED))
    history(LoginFailed(0.0, 1, "192.0.2.1", "bob"))
    ann, bob = history.users(10)
    assert ann == {
        "user": "ann", "files_up": 1, "bytes_up": 10, "files_down": 0, "bytes_down": 7,
        "incomplete": 1, "failed_logins": 0,
    }  # fmt: skip
    assert bob["failed_logins"] == 1
