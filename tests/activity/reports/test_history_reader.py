"""Rates over time and totals of users, from both databases."""

import pytest

from ftpservice.activity.reports.history_reader import History, read_history, read_users
from ftpservice.activity.reports.report_period import ReportPeriod
from ftpservice.events import LoginFailed, Outcome, SessionClosed
from tests.support.journal_cases import records_of, transfer

BEGIN = 1_000_000.0


@pytest.fixture(scope="module")
def database(journal):
    events = [
        transfer(BEGIN - 1, size=10**9),
        transfer(BEGIN + 5, size=100),
        transfer(BEGIN + 7, size=300),
        transfer(BEGIN + 39.999, size=50, upload=False, user="bob", seconds=0.0),
        transfer(BEGIN + 30, size=4000, seconds=40.0),  # half of it before
        transfer(BEGIN + 35, size=0, outcome=Outcome.ABORTED, user="bob", seconds=0.0),
        SessionClosed(BEGIN + 25, 1, "192.0.2.1", "ann", "", 15.0, 0, 0, 0, 0),
        LoginFailed(BEGIN + 1, 1, "192.0.2.1", "eve"),
        LoginFailed(BEGIN + 2, 1, "192.0.2.2", "eve"),
        transfer(BEGIN + 40, size=10**9),
    ]
    journal.add(records_of(events))
    return journal


def test_what_took_long_is_spread_over_its_duration(database):
    history = History(BEGIN, BEGIN + 40, 10.0)
    read_history(database, history)
    found = history.as_json()
    assert found["when"] == [BEGIN + 10, BEGIN + 20, BEGIN + 30, BEGIN + 40]
    assert found["up"] == pytest.approx([140.0, 100.0, 100.0, 0.0])
    assert found["down"] == pytest.approx([0.0, 0.0, 0.0, 5.0])
    assert found["sessions"] == pytest.approx([0.0, 1.0, 0.5, 0.0])
    assert found["transfers"] == pytest.approx([1.2, 1.0, 1.0, 0.0])


def test_what_has_not_ended_is_added_to_a_copy():
    history = History(0.0, 40.0, 10.0)
    other = history.copy()
    other.spread("up", -20.0, 20.0, 400.0)
    other.spread("down", 35.0, 35.0, 20.0)
    assert other.series["up"] == [10.0, 10.0, 0.0, 0.0]
    assert other.series["down"] == [0.0, 0.0, 0.0, 2.0]
    assert history.series["up"] == [0.0] * 4


def test_what_lasts_over_many_steps_takes_as_little_time_as_over_one():
    history = History(0.0, 100.0, 10.0)
    writes = []

    class Values(list):
        def __setitem__(self, index, value):
            writes.append(index)
            super().__setitem__(index, value)

    for kept in (history._means, history._rises):
        kept["up"] = Values(kept["up"])
    history.spread("up", -50.0, 95.0, 1450.0)
    assert history.series["up"] == [10.0] * 9 + [5.0]
    history.spread("up", 25.0, 55.0, 30.0)
    assert history.series["up"] == pytest.approx([10, 10, 10.5, 11, 11, 10.5, 10, 10, 10, 5])
    assert len(writes) == 8
    history.spread("up", -50.0, -10.0, 1.0)
    assert len(writes) == 8


def test_users_have_totals(database):
    ann, bob, eve = read_users(database, ReportPeriod(BEGIN, BEGIN + 40), 10)
    assert ann == {
        "user": "ann", "files_up": 3, "bytes_up": 4400, "files_down": 0, "bytes_down": 0,
        "incomplete": 0, "failed_logins": 0,
    }  # fmt: skip
    assert (bob["user"], bob["bytes_down"], bob["incomplete"]) == ("bob", 50, 1)
    assert (eve["user"], eve["failed_logins"], eve["bytes_up"]) == ("eve", 2, 0)
    assert read_users(database, ReportPeriod(BEGIN, BEGIN + 40, "bob"), 1)[0]["user"] == "bob"
