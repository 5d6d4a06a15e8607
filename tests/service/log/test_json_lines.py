"""The log as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel, LogPublisher, globalLogPublisher

from ftpservice.activity.event_log import EventLog
from ftpservice.events import LoggedIn, SessionInfo
from ftpservice.service.log.json_lines import json_line

HOSTILE = 'x"\\\n\r\x00\x1b\x7f\u2028\udce9"}'


def parsed(event: LogEvent) -> dict[str, Any]:
    line = json_line(event)
    assert line is not None
    assert line.isascii()
    assert line.removesuffix("\n").isprintable()
    fields = json.loads(line)
    assert isinstance(fields, dict)
    return fields


def test_an_event_has_its_fields_and_its_line() -> None:
    seen: list[LogEvent] = []
    lines = EventLog(Clock())
    lines(LoggedIn(1.5, 7, "192.0.2.1", HOSTILE, "TLSv1.3", info=SessionInfo("c0ffee-7", "ftp")))
    globalLogPublisher.addObserver(seen.append)
    try:
        lines.flush()
    finally:
        globalLogPublisher.removeObserver(seen.append)
    fields = parsed(seen[0])
    shown = HOSTILE.replace("\udce9", r"\xe9")
    assert fields.pop("message").endswith("@192.0.2.1 [7] logged in (TLSv1.3)")
    assert fields == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "event": "logged_in",
        "session": "c0ffee-7",
        "number": 7,
        "peer": "192.0.2.1",
        "user": shown,
        "protocol": "ftp",
        "tls": "TLSv1.3",
        "groups": [],
    }


def test_other_lines_have_their_message_and_traceback() -> None:
    seen: list[LogEvent] = []
    log = Logger("ftpservice", observer=LogPublisher(seen.append))
    log.warn("a {what}", what=HOSTILE)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.failure("it failed")
    log.info("")
    warning, failure = map(parsed, seen[:2])
    assert (warning["level"], warning["event"], warning["logger"]) == ("warn", "log", "ftpservice")
    assert warning["message"] == "a " + HOSTILE.replace("\udce9", r"\xe9")
    assert failure["message"] == "it failed"
    assert "ValueError" in failure["traceback"]
    assert json_line(seen[2]) is None


@pytest.mark.parametrize("level", [LogLevel.error, None])
def test_a_line_without_a_level_is_information(level: Any) -> None:
    event = {"log_time": 0.0, "log_format": "x", "log_level": level, "log_namespace": None}
    fields = parsed(event)
    assert fields["level"] == ("error" if level else "info")
    assert fields["logger"] == "-"
