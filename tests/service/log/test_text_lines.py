"""The text of the log: lines of events are those that Twisted would write."""

from __future__ import annotations

import time

import pytest
from twisted.internet.task import Clock
from twisted.logger import (
    LogEvent,
    Logger,
    formatEventAsClassicLogText,
    globalLogPublisher,
)

from ftpservice.activity.event_log import EventLog
from ftpservice.events import CommandFailed, Event, LoggedIn, LoginFailed, LoginRefusal, SessionInfo
from ftpservice.service.log.text_lines import text_line

INFO = SessionInfo("c0ffee-7", "ftp", "TLSv1.3", ("staff",))


@pytest.fixture
def written():
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("when", [0.0, 1_790_000_000.999_999, 1_793_511_000.5])
@pytest.mark.parametrize(
    "make",
    [
        lambda who: LoggedIn(*who, "TLSv1.3", info=INFO),
        lambda who: LoginFailed(*who, LoginRefusal.EXPIRED, "a\nb {line} %s \udcff", info=INFO),
        lambda who: CommandFailed(*who, "STOR", "{", info=INFO),
    ],
    ids=["information", "warning", "error"],
)
def test_a_line_is_that_of_twisted(written, monkeypatch, zone, when, make) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    text_lines_of_other_zones_are_forgotten()
    try:
        event: Event = make((when, 7, "192.0.2.1", "ann"))
        log = EventLog(Clock())
        log(event)
        log.flush()
        (line,) = written
        assert text_line(line) == formatEventAsClassicLogText(line)
        assert text_line(line).count("\n") == 1
    finally:
        monkeypatch.undo()
        time.tzset()
        text_lines_of_other_zones_are_forgotten()


def text_lines_of_other_zones_are_forgotten() -> None:
    text_line.__globals__["_time"].cache_clear()


def test_other_lines_are_formatted(written) -> None:
    Logger("other").info("{number} of {all}\nand more", number=1, all=2)
    (line,) = written
    assert text_line(line) == formatEventAsClassicLogText(line)
    assert "1 of 2" in text_line(line)
