"""Lines in the log."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEventAsClassicLogText, globalLogPublisher

from ftpservice.activity.event_log import LINES_PER_WRITE, WRITE_DELAY_SECONDS, EventLog, Verbosity
from ftpservice.activity.log_throttle import MAX_LINES_TOTAL
from ftpservice.events import (
    AccountChanged,
    AdminAction,
    BanLifted,
    Banned,
    CommandFailed,
    CommandRefused,
    Event,
    FileChanged,
    FileExpired,
    LoggedIn,
    LoginFailed,
    LoginRefusal,
    Outcome,
    Refused,
    SessionClosed,
    SessionInfo,
    SessionOpened,
    TransferEnded,
    UploadRefused,
)

WHO = (1.0, 7, "192.0.2.1", "ann")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (LoggedIn(*WHO), "- ann@192.0.2.1 [7] logged in"),
        (
            LoginFailed(*WHO, LoginRefusal.EXPIRED, "on 2027-01-31"),
            "- ann@192.0.2.1 [7] failed to log in: expired (on 2027-01-31)",
        ),
        (Refused(1.0, 7, "192.0.2.1", "", "full"), "- -@192.0.2.1 [7] was refused: full"),
        (
            TransferEnded(*WHO, "/a\nb", True, Outcome.ABORTED, 5, 0.25, "426"),
            r"- ann@192.0.2.1 [7] uploaded /a\nb: aborted, 5 bytes in 0.250 s (426)",
        ),
        (
            TransferEnded(*WHO, "/\udce9", False, Outcome.COMPLETE, 5, 1.0),
            r"- ann@192.0.2.1 [7] downloaded /\xe9: complete, 5 bytes in 1.000 s",
        ),
        (FileChanged(*WHO, "rename", "/a", "/b"), "- ann@192.0.2.1 [7] renamed /a to /b"),
        (FileChanged(*WHO, "delete", "/a"), "- ann@192.0.2.1 [7] deleted /a"),
        (
            FileChanged(*WHO, "drop partial", "/a"),
            "- ann@192.0.2.1 [7] deleted the partial upload of /a",
        ),
        (
            FileExpired(1.0, 0, "", "ann", "/a\n", 5, 700_000.0, "/in: 7d"),
            r"- ann@- [0] retention deleted /a\n: 5 bytes, unchanged for 8d 02:26:40, "
            r"rule '/in: 7d'",
        ),
        (
            FileExpired(1.0, 0, "", "ann", "/in/a", 0, 90_000.0, "1d", is_directory=True),
            "- ann@- [0] retention deleted empty directory /in/a: unchanged for 1d 01:00:00, "
            "rule '1d'",
        ),
        (
            UploadRefused(*WHO, "STOR", "/a", 550, "Permission denied."),
            "- ann@192.0.2.1 [7]: STOR /a was refused: 550 Permission denied.",
        ),
        (
            AdminAction(1.0, 0, "", "uid 0", "kick", "ann", "ended 2 sessions"),
            "- uid 0@- [0] did: kick ann (ended 2 sessions)",
        ),
        (
            AccountChanged(1.0, 7, "", "ann", "locked or removed"),
            "- ann@- [7]: the account was locked or removed",
        ),
        (
            Banned(1.0, 0, "", "", "192.0.2.0/24", "scans", 3600.0),
            "- -@- [0]: 192.0.2.0/24 is banned until 1970-01-01 01:00:00 UTC: scans",
        ),
        (
            Banned(1.0, 0, "", "", "192.0.2.1/32", "scans", None),
            "- -@- [0]: 192.0.2.1/32 is banned until it is lifted: scans",
        ),
        (
            BanLifted(1.0, 0, "", "", "192.0.2.0/24"),
            "- -@- [0]: the ban of 192.0.2.0/24 was lifted",
        ),
        (CommandFailed(*WHO, "RETR", "boom\x1b"), r"- ann@192.0.2.1 [7]: RETR failed: boom\x1b"),
        (
            CommandRefused(*WHO, "DELE", "/a\x07", 550, "Permission denied.", "read-only\n"),
            r"- ann@192.0.2.1 [7]: DELE /a\x07 was refused: 550 Permission denied. (read-only\n)",
        ),
        (
            CommandRefused(*WHO, "", "", 500, "Line too long."),
            "- ann@192.0.2.1 [7]: a line was refused: 500 Line too long.",
        ),
    ],
)
def test_an_event_is_one_line(event: Event, line: str) -> None:
    bench = Bench()
    bench.lines(event)
    bench.lines.flush()
    assert [one[:2] for one in bench.written] == [(line, event)]


def test_a_line_begins_with_the_id_of_the_transfer_or_of_the_session() -> None:
    bench = Bench()
    info = SessionInfo("c0ffee-7")
    for event in (
        LoggedIn(*WHO, info=info),
        TransferEnded(*WHO, "/a", True, Outcome.COMPLETE, 5, 1.0, transfer=2, info=info),
        SessionClosed(*WHO, "gone", 90.5, 1, 5, 2, 70, info=info),
    ):
        bench.lines(event)
    bench.lines.flush()
    assert [line for line, _, _ in bench.written] == [
        "c0ffee-7 ann@192.0.2.1 [7] logged in",
        "c0ffee-7-2 ann@192.0.2.1 [7] uploaded /a: complete, 5 bytes in 1.000 s",
        "c0ffee-7 ann@192.0.2.1 [7] disconnected after 00:01:30: "
        "uploaded 1 file, 5 bytes; downloaded 2 files, 70 bytes",
    ]


def test_a_session_without_a_login_has_no_line_at_its_end() -> None:
    bench = Bench()
    bench.lines(SessionClosed(1.0, 7, "192.0.2.1", "", "gone", 1.0))
    bench.lines.flush()
    assert bench.written == []


def test_an_upload_that_is_refused_at_its_end_has_the_line_of_its_transfer_only() -> None:
    bench = Bench()
    bench.lines(UploadRefused(*WHO, "STOR", "/a", 550, "No.", "", 1, "scanner"))
    bench.lines.flush()
    assert bench.written == []


class Bench:
    """Lines, written to a list."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.written: list[tuple[str, float, Any]] = []
        self.lines = EventLog(self.clock, lambda *one: self.written.append(one))


def test_problems_only_omits_what_succeeded() -> None:
    written: list[str] = []
    lines = EventLog(Clock(), lambda line, _event, _level: written.append(line), Verbosity.PROBLEMS)
    for event in (
        LoggedIn(*WHO),
        TransferEnded(*WHO, "/a", False, Outcome.COMPLETE, 5, 1.0),
        FileChanged(*WHO, "delete", "/a"),
        LoginFailed(*WHO, LoginRefusal.WRONG_PASSWORD),
        Refused(*WHO, "full"),
        TransferEnded(*WHO, "/b", True, Outcome.ABORTED, 5, 1.0),
        TransferEnded(*WHO, "/c", True, Outcome.REFUSED, 5, 1.0),
        CommandRefused(*WHO, "DELE", "/d", 550, "No."),
        CommandFailed(*WHO, "RETR", "boom"),
    ):
        lines(event)
    lines.flush()
    assert [line.split("] ")[-1].split(",")[0] for line in written] == [
        "failed to log in: wrong password",
        "was refused: full",
        "uploaded /b: aborted",
        "uploaded /c: refused",
        "- ann@192.0.2.1 [7]: DELE /d was refused: 550 No.",
        "- ann@192.0.2.1 [7]: RETR failed: boom",
    ]


def test_what_failed_is_a_warning_and_a_defect_an_error() -> None:
    bench = Bench()
    for event in (
        LoggedIn(*WHO),
        TransferEnded(*WHO, "/a", True, Outcome.COMPLETE, 5, 1.0),
        TransferEnded(*WHO, "/a", True, Outcome.ABORTED, 5, 1.0),
        LoginFailed(*WHO),
        Refused(*WHO, "full"),
        CommandRefused(*WHO, "DELE", "/d", 550, "No."),
        CommandFailed(*WHO, "RETR", "boom"),
    ):
        bench.lines(event)
    bench.lines.flush()
    assert [level.name for _, _, level in bench.written] == [
        "info", "info", "warn", "warn", "warn", "warn", "error"
    ]  # fmt: skip


def test_other_events_have_no_line() -> None:
    bench = Bench()
    bench.lines(SessionOpened(*WHO))
    assert (bench.written, bench.clock.getDelayedCalls()) == ([], [])


def test_lines_wait_for_others_for_a_moment() -> None:
    bench = Bench()
    bench.lines(LoggedIn(*WHO))
    bench.clock.advance(WRITE_DELAY_SECONDS / 2)
    bench.lines(LoggedIn(*WHO))
    assert bench.written == []
    bench.clock.advance(WRITE_DELAY_SECONDS / 2)
    assert len(bench.written) == 2
    assert bench.clock.getDelayedCalls() == []


def test_an_event_without_a_line_does_not_cost_those_of_others() -> None:
    clock, lines = Clock(), []

    def write(line: str, _event: Event, _level: Any) -> None:
        if "bad" in line:
            raise ZeroDivisionError
        lines.append(line)

    log = EventLog(clock, write)
    for name in ("/a", "/bad", "/b"):
        log(FileChanged(*WHO, "delete", name))
    clock.advance(WRITE_DELAY_SECONDS)
    assert [line[-2:] for line in lines] == ["/a", "/b"]


def test_many_do_not_wait() -> None:
    bench = Bench()
    for _ in range(LINES_PER_WRITE):
        bench.lines(LoggedIn(*WHO))
    assert len(bench.written) == LINES_PER_WRITE
    assert bench.clock.getDelayedCalls() == []


def test_they_go_to_the_log_with_the_time_of_the_event() -> None:
    seen: list[LogEvent] = []
    lines = EventLog(Clock())
    lines(LoggedIn(*WHO))
    globalLogPublisher.addObserver(seen.append)
    try:
        lines.flush()
    finally:
        globalLogPublisher.removeObserver(seen.append)
    [event] = seen
    assert formatEventAsClassicLogText(event, lambda when: f"{when:g}") == (
        "1 [ftpservice#info] - ann@192.0.2.1 [7] logged in\n"
    )


def test_a_ban_has_its_line_in_a_flood_of_problems_and_so_has_its_end() -> None:
    bench = Bench()
    flood = [
        LoginFailed(1.0, 0, "127.0.0.1", "", LoginRefusal.REFUSED, "an API token")
        for _ in range(2 * MAX_LINES_TOTAL)
    ]
    for event in flood:
        bench.lines(event)
    bench.lines(Banned(1.0, 0, "", "", "192.0.2.1/32", "too many failed logins", None))
    bench.lines(BanLifted(1.0, 0, "", "", "192.0.2.1/32"))
    bench.lines.flush()
    written = [line for line, *_ in bench.written]
    assert sum("is banned" in line for line in written) == 1
    assert sum("was lifted" in line for line in written) == 1
    assert len(written) < MAX_LINES_TOTAL
