"""The figures of a period are those of its events, in both databases."""

import pytest

from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.reports.report_data import (
    FailedLogins,
    HourOfTransfers,
    JournalTransfer,
    NodeTotals,
    UserTransfers,
)
from ftpservice.activity.reports.report_period import ReportPeriod
from ftpservice.activity.reports.report_queries import read_report
from ftpservice.events import (
    LoggedIn,
    LoginFailed,
    LoginRefusal,
    Outcome,
    SessionInfo,
    SessionOpened,
    UploadRefused,
)
from tests.support.journal_cases import HOSTILE, every_event, plan, records_of, transfer

DAY = 86_400.0
BEGIN = 20_000 * DAY
HOUR = 3600.0


@pytest.fixture(scope="module")
def database(journal):
    journal.add(records_of(events()))
    return journal


def events():
    info = SessionInfo("s-1")
    who = (7, "192.0.2.1", "ann")
    return [
        SessionOpened(BEGIN - 1, *who, info=info),  # the day before
        transfer(BEGIN - 1, size=10**9),
        SessionOpened(BEGIN, 7, "192.0.2.1", "", info=info),
        LoggedIn(BEGIN + 1, *who, info=info),
        LoggedIn(BEGIN + 2, 8, "192.0.2.2", HOSTILE, info=SessionInfo("s-2")),
        *(LoginFailed(BEGIN + n, *who, LoginRefusal.WRONG_PASSWORD) for n in range(3)),
        LoginFailed(BEGIN + 5, 9, "192.0.2.9", HOSTILE, LoginRefusal.UNKNOWN_NAME),
        transfer(BEGIN + 1.5 * HOUR, size=100),
        transfer(BEGIN + 1.9 * HOUR, size=50, upload=False, seconds=0.1),
        transfer(BEGIN + 5.99 * HOUR, user=HOSTILE, size=2000, seconds=10.0, path=HOSTILE),
        transfer(BEGIN + 7 * HOUR, size=7, outcome=Outcome.ABORTED, detail="cut"),
        transfer(BEGIN + 7 * HOUR, size=0, outcome=Outcome.REFUSED, path="/no"),
        UploadRefused(
            BEGIN + 7 * HOUR, *who, "STOR", "/no", 552, "Quota exceeded.", transfer=1, info=info
        ),
        UploadRefused(BEGIN + 8 * HOUR, *who, "STOR", "/never", 550, "No.", info=info),
        SessionOpened(BEGIN + DAY, *who, info=info),  # the day after
    ]


def test_the_figures_of_a_day(database):
    report = read_report(database, ReportPeriod(BEGIN, BEGIN + DAY))
    wanted = {
        "sessions": 1,
        "logins": 2,
        "logins_failed": 4,
        "uploads": 2,
        "bytes_up": 2107,
        "downloads": 1,
        "bytes_down": 50,
        "aborted": 1,
        "refused": 1,
        "lost": 0,
    }
    assert {name: report.totals[name] for name in wanted} == wanted
    assert report.login_failures == {"wrong password": 3, "unknown name": 1}
    assert report.users == [
        UserTransfers(HOSTILE, 1, 2000, 0, 0, 0, 0),
        UserTransfers("ann", 1, 107, 1, 50, 1, 1),
    ]
    assert report.failed_logins == [
        FailedLogins("ann", "192.0.2.1", "wrong password", 3, BEGIN + 2),
        FailedLogins(HOSTILE, "192.0.2.9", "unknown name", 1, BEGIN + 5),
    ]
    assert report.hours == [
        HourOfTransfers(BEGIN, 1, 0, 0, 0),
        HourOfTransfers(BEGIN + HOUR, 0, 2, 100, 50),
        HourOfTransfers(BEGIN + 5 * HOUR, 0, 1, 2000, 0),
        HourOfTransfers(BEGIN + 7 * HOUR, 0, 0, 7, 0),
    ]
    first, *others = [(one.path, one.outcome) for one in report.errors]
    assert first == ("/never", "550")
    assert sorted(others) == [("/a", "aborted"), ("/no", "refused")]  # each once
    assert report.slowest == [
        JournalTransfer(BEGIN + 1.5 * HOUR, "ann", "192.0.2.1", "upload", "/a", 100, 1.0, 100.0),
        JournalTransfer(
            BEGIN + 5.99 * HOUR, HOSTILE, "192.0.2.1", "upload", HOSTILE, 2000, 10.0, 200.0
        ),
    ]


def test_the_figures_of_an_account(database):
    report = read_report(database, ReportPeriod(BEGIN, BEGIN + DAY, HOSTILE))
    assert (report.totals["sessions"], report.totals["uploads"]) == (1, 1)
    assert [one.user for one in report.users] == [HOSTILE]
    assert [one.user for one in report.failed_logins] == [HOSTILE]
    assert report.errors == []


def test_the_figures_of_each_node(database):
    begin, who = BEGIN + 10 * DAY, (7, "192.0.2.1", "ann")
    info = SessionInfo("s-9")
    first = [
        SessionOpened(begin, 7, "192.0.2.1", "", info=info),
        LoggedIn(begin + 1, *who, info=info),
        transfer(begin + 2, size=100),
        transfer(begin + 3, size=7, outcome=Outcome.ABORTED),
    ]
    second = [
        LoginFailed(begin + 1, *who, LoginRefusal.WRONG_PASSWORD),
        transfer(begin + 2, size=50, upload=False, seconds=2.0),
    ]
    database.add(records_of(first, "first", "ftp1"))
    database.add(records_of(second, "second", "ftp2"))
    report = read_report(database, ReportPeriod(begin, begin + DAY))
    assert report.nodes == [
        NodeTotals("ftp1", 1, 1, 0, 1, 107, 0, 0, 1),
        NodeTotals("ftp2", 0, 0, 1, 0, 0, 1, 50, 0),
    ]
    assert [one.node for one in report.errors] == ["ftp1"]
    assert {one.node for one in report.slowest} == {"ftp1", "ftp2"}
    assert read_report(database, ReportPeriod(BEGIN, BEGIN + DAY)).nodes == []


def test_a_time_without_events_has_no_rows(database):
    report = read_report(database, ReportPeriod(1.0, 2.0))
    assert set(report.totals.values()) == {0}
    assert (report.users, report.hours, report.errors, report.slowest) == ([], [], [], [])


def test_every_event_can_be_reported(tmp_path):
    database = JournalDatabase(plan(tmp_path).url)
    database.prepare()
    database.add(records_of([*every_event(), *every_event(HOSTILE)], "other"))
    report = read_report(database, ReportPeriod(0.0, 1e10))
    assert report.totals["sessions"] == 2
    assert report.totals["lost"] == 0
    database.close()
