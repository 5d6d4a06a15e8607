"""Lines in the log."""

from __future__ import annotations

import pytest

from ftpservice.activity.lines import LogLines
from ftpservice.events import (
    CommandFailed,
    Event,
    FileChanged,
    LoggedIn,
    LoginFailed,
    Outcome,
    Refused,
    SessionOpened,
    TransferEnded,
)

WHO = (1.0, 7, "192.0.2.1", "ann")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (LoggedIn(*WHO), "ann@192.0.2.1 [7] logged in"),
        (LoginFailed(*WHO, "wrong"), "ann@192.0.2.1 [7] failed to log in: wrong"),
        (Refused(1.0, 7, "192.0.2.1", "", "full"), "nobody@192.0.2.1 [7] was turned away: full"),
        (
            TransferEnded(*WHO, "/a\nb", True, Outcome.CUT, 5, 0.25, "426"),
            r"ann@192.0.2.1 [7] sent /a\nb: cut, 5 bytes in 0.250 s 426",
        ),
        (
            TransferEnded(*WHO, "/\udce9", False, Outcome.COMPLETE, 5, 1.0),
            r"ann@192.0.2.1 [7] fetched /\xe9: complete, 5 bytes in 1.000 s",
        ),
        (FileChanged(*WHO, "rename", "/a", "/b"), "ann@192.0.2.1 [7] did rename /a /b"),
        (FileChanged(*WHO, "delete", "/a"), "ann@192.0.2.1 [7] did delete /a"),
        (CommandFailed(*WHO, "RETR", "boom"), "ann@192.0.2.1 [7]: RETR failed: boom"),
    ],
)
def test_an_event_is_one_line(event: Event, line: str) -> None:
    lines: list[str] = []
    LogLines(lines.append)(event)
    assert lines == [line]


def test_other_events_have_none() -> None:
    lines: list[str] = []
    LogLines(lines.append)(SessionOpened(*WHO))
    assert lines == []


def test_they_go_to_the_log() -> None:
    from twisted.logger import globalLogPublisher

    seen: list[str] = []

    def observe(event: dict[str, object]) -> None:
        seen.append(str(event.get("line")))

    globalLogPublisher.addObserver(observe)
    try:
        LogLines()(LoggedIn(*WHO))
    finally:
        globalLogPublisher.removeObserver(observe)
    assert "ann@192.0.2.1 [7] logged in" in seen
