"""The report shows what events say, in lines that are safe to send."""

import pytest

from ftpservice.activity.report import MAX_ERRORS, MAX_ROWS, ActivityReport
from ftpservice.events import (
    CommandFailed,
    FileChanged,
    HandshakeFailed,
    LoggedIn,
    LoginFailed,
    Outcome,
    Refused,
    SessionClosed,
    SessionOpened,
    TransferEnded,
    TransferStarted,
)

ALICE = (7, "192.0.2.1", "alice")


class Now:
    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def report(now):
    return ActivityReport(now)


def transfer(outcome=Outcome.COMPLETE, upload=True, size=10, detail="", who=ALICE):
    return TransferEnded(1001.0, *who, "/a b", upload, outcome, size, 1.0, detail)


def section(report, title):
    lines = report.lines()
    start = lines.index(f"{title}:") + 1
    rest = lines[start:]
    end = rest.index("") if "" in rest else len(rest)
    return [line.split() for line in rest[:end]]


def test_before_anything_happened_there_is_a_summary_only(report, now):
    now.time += 90061
    assert report.lines() == [
        "Activity since 1970-01-01 00:16:40 UTC, for 1d 01:01:01",
        "Sessions   0 now, 0 in total, 0 refused",
        "Logins     0 succeeded, 0 failed",
        "TLS        0 logins, 0 failed handshakes",
        "Uploads    0 files, 0 B",
        "Downloads  0 files, 0 B",
        "Incomplete 0 aborted, 0 refused",
        "Commands   0 refused",
    ]


def test_sessions_are_counted_now_and_in_total(report):
    for number in (1, 2, 3):
        report(SessionOpened(1000.0, number, "192.0.2.1", ""))
    report(SessionClosed(1001.0, 2, "192.0.2.1", ""))
    report(Refused(1001.0, 4, "192.0.2.9", "", "too many sessions"))
    assert "Sessions   2 now, 3 in total, 1 refused" in report.lines()
    assert section(report, "Refused sessions")[1] == ["too", "many", "sessions", "1"]


def test_the_activity_of_each_session_is_shown(report, now):
    for number in (1, 2, 3, 4):
        report(SessionOpened(1000.0, number, "192.0.2.1", ""))
    report(LoggedIn(1000.0, 2, "192.0.2.1", "bob"))
    report(TransferStarted(1001.0, 2, "192.0.2.1", "bob", "/x", True))
    report(TransferStarted(1001.0, 3, "192.0.2.1", "bob", "/y", False))
    report(transfer(Outcome.ABORTED, upload=False, who=(4, "192.0.2.1", "bob")))
    now.time += 61
    rows = section(report, "Sessions now")
    assert rows[0] == ["No", "Protocol", "User", "Address", "For", "Activity"]
    assert rows[1] == ["1", "ftp", "-", "192.0.2.1", "00:01:01", "idle"]
    assert " ".join(rows[2][2:]) == "bob 192.0.2.1 00:01:01 uploading /x for 00:01:00"
    assert rows[3][5:7] == ["downloading", "/y"]
    assert " ".join(rows[4][5:]) == "idle; downloaded /a b, 10 B, aborted"
    report(transfer(who=(4, "192.0.2.1", "bob")))
    assert " ".join(section(report, "Sessions now")[4][5:]) == "idle; uploaded /a b, 10 B"


def test_many_sessions_are_summed_up_by_number(report):
    for number in range(MAX_ROWS + 7):
        report(SessionOpened(1000.0, number, "192.0.2.1", ""))
    assert "(7 more)" in report.lines()


def test_logins_are_counted_by_user_and_by_address(report):
    report(LoggedIn(1001.0, *ALICE))
    report(LoginFailed(1001.0, *ALICE, "wrong"))
    report(LoginFailed(1001.0, 8, "2001:db8::1", ""))
    assert "Logins     1 succeeded, 2 failed" in report.lines()
    assert section(report, "Logins by user") == [
        ["User", "Logins", "Failed"],
        ["alice", "1", "1"],
        ["-", "0", "1"],
    ]
    assert section(report, "Logins by address")[1:] == [
        ["192.0.2.1", "1", "1"],
        ["2001:db8::1", "0", "1"],
    ]


def test_logins_under_tls_and_failed_handshakes_are_counted(report):
    for tls in ("", "TLSv1.3 AES", "TLSv1.2 OLD", "TLSv1.3 AES"):
        report(LoggedIn(1000.0, 1, "192.0.2.1", "ann", tls))
    report(HandshakeFailed(1000.0, 2, "192.0.2.1", "", "garbage"))
    assert "TLS        3 logins, 1 failed handshake" in report.lines()
    assert section(report, "Logins by TLS") == [
        ["TLS", "Logins"],
        ["TLSv1.3", "AES", "2"],
        ["TLSv1.2", "OLD", "1"],
        ["plaintext", "1"],
    ]


def test_files_and_bytes_are_counted_per_user_each_way(report):
    report(transfer(size=2048))
    report(transfer(upload=False, size=3))
    report(transfer(Outcome.ABORTED, size=1))
    report(transfer(Outcome.REFUSED, size=0))
    row = section(report, "Transfers by user")[1]
    assert " ".join(row) == "alice 1 2.0 KiB (2,049) 1 3 B 1 1"
    lines = report.lines()
    assert "Uploads    1 file, 2.0 KiB (2,049)" in lines
    assert "Downloads  1 file, 3 B" in lines
    assert "Incomplete 1 aborted, 1 refused" in lines


def test_the_last_errors_are_listed_newest_first_and_bounded(report):
    for number in range(MAX_ERRORS + 5):
        report(CommandFailed(1001.0, *ALICE, "STOR", f"error {number}"))
    report(transfer(Outcome.ABORTED, upload=False, detail="reset by peer"))
    rows = [" ".join(row) for row in section(report, "Last errors")]
    assert len(rows) == 1 + MAX_ERRORS
    assert rows[1] == (
        "1970-01-01 00:16:41 alice 192.0.2.1 download of /a b aborted after 10 B: reset by peer"
    )
    assert rows[2].endswith("STOR failed: error 24")


def test_an_error_without_detail_ends_without_a_colon(report):
    report(CommandFailed(1001.0, 7, "192.0.2.1", "", "LIST", ""))
    assert " ".join(section(report, "Last errors")[1]).endswith("- 192.0.2.1 LIST failed")


def test_no_name_gets_a_control_character_or_a_line_of_its_own_in(report):
    evil = "x\r\n226 Transfer complete\x1b[2J\udcff\u2028"
    who = (7, evil, evil)
    report(SessionOpened(1000.0, *who, protocol=evil))
    report(LoggedIn(1001.0, *who))
    report(LoginFailed(1001.0, *who, evil))
    report(Refused(1001.0, *who, evil))
    report(TransferStarted(1001.0, *who, evil, True))
    report(CommandFailed(1001.0, *who, evil, evil))
    report(TransferEnded(1001.0, *who, evil, True, Outcome.ABORTED, 1, 1.0, evil))
    assert all(line.isprintable() for line in report.lines())
    assert any("\\x0d\\x0a226" in line for line in report.lines())


def test_the_report_stays_short_with_any_number_of_clients(report):
    for number in range(3000):
        report(LoginFailed(1001.0, 8, f"192.0.2.{number}", f"user{number}" * 100))
    lines = report.lines()
    assert len(lines) < 3 * (MAX_ROWS + 10)
    assert all(len(line) < 400 for line in lines)
    assert "Logins     0 succeeded, 3000 failed" in lines
    assert any("others)" in line for line in lines)


def test_events_it_has_no_row_for_are_passed_over(report):
    before = report.lines()
    report(FileChanged(1001.0, *ALICE, "delete", "/a"))
    assert report.lines() == before


WHO = (7, "192.0.2.1", "")


def after(*events):
    report = ActivityReport(Now())
    for event in events:
        report(event)
    return report


def test_a_session_is_there_from_its_opening_to_its_closing():
    report = after(SessionOpened(5.0, *WHO, protocol="ftp"))
    [session] = report.sessions()
    assert (session.number, session.peer, session.protocol) == (7, "192.0.2.1", "ftp")
    assert (session.since, session.user, session.running, session.last) == (5.0, "", None, None)
    report(SessionClosed(6.0, *WHO))
    assert report.sessions() == ()


def test_a_session_has_the_name_of_the_last_login():
    report = after(SessionOpened(5.0, *WHO), LoggedIn(6.0, *ALICE), LoggedIn(7.0, 7, "", "bob"))
    assert report.sessions()[0].user == "bob"


def test_a_session_shows_the_transfer_it_is_at_and_then_its_end():
    started = TransferStarted(6.0, *ALICE, "/a", True)
    ended = TransferEnded(7.0, *ALICE, "/a", True, Outcome.COMPLETE, 10, 1.0)
    report = after(SessionOpened(5.0, *WHO), started)
    assert report.sessions()[0].running is started
    report(ended)
    assert report.sessions()[0].running is None
    assert report.sessions()[0].last is ended


def test_of_several_transfers_the_last_one_that_began_is_shown():
    report = ActivityReport(Now())
    report(SessionOpened(1.0, *ALICE, protocol="http"))
    for number in (1, 2, 3):
        report(TransferStarted(2.0, *ALICE, f"/{number}", False, number))
    shown = []
    for number in (2, 3, 1):
        (session,) = report.sessions()
        shown.append(session.running.path)
        report(
            TransferEnded(
                3.0, *ALICE, f"/{number}", False, Outcome.COMPLETE, 1, 1.0, "", "", number
            )
        )
    assert shown == ["/3", "/3", "/1"]
    assert report.sessions()[0].running is None


def test_events_of_sessions_that_were_never_opened_leave_nothing():
    report = after(
        LoggedIn(1.0, *ALICE),
        Refused(1.0, *WHO, "too many sessions"),
        SessionClosed(1.0, *WHO),
    )
    assert len(report.sessions()) == 0


def test_other_events_change_nothing():
    report = after(SessionOpened(5.0, *WHO), Refused(6.0, *WHO, "no"))
    assert len(report.sessions()) == 1


def test_the_oldest_session_comes_first():
    report = after(SessionOpened(5.0, 2, "a", ""), SessionOpened(6.0, 1, "b", ""))
    assert [session.number for session in report.sessions()] == [2, 1]
