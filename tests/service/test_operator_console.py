from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from ftpservice.service.log.setup import logs_for
from ftpservice.service.operator_console import OperatorConsole, _duplicate, console_for


@pytest.fixture
def logged() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def lines(events: list[LogEvent]) -> list[Any]:
    return [event["line"] for event in events if event.get("log_namespace") == "ftpservice"]


def test_a_terminal_gets_plain_lines(logged: list[LogEvent]) -> None:
    out, err = io.StringIO(), io.StringIO()
    console = OperatorConsole(out, err, logged=False)
    console.write_lines(["a", "b"])
    assert console.write_error("c")
    assert out.getvalue() == "a\nb\n"
    assert err.getvalue() == "ftpservice: c\n"
    assert lines(logged) == []


def test_a_log_apart_gets_them_too(logged: list[LogEvent]) -> None:
    console = OperatorConsole(None, None, logged=True)
    console.write_lines(["a"])
    assert not console.write_error("b")
    assert lines(logged) == ["a", "b"]


def test_the_terminal_of_a_daemon_gets_a_failed_start_only() -> None:
    read, write = os.pipe()
    with open(read) as terminal, open(write, "w") as stream:
        console = console_for_terminal(stream)
        console.write_lines(["not this"])
        assert console.write_error("this")
        console.close_daemon_terminal()
        console.close_daemon_terminal()
        assert not console.write_error("nobody reads this")
        stream.close()
        assert terminal.read() == "ftpservice: this\n"


def console_for_terminal(stream: Any) -> OperatorConsole:
    return OperatorConsole(None, None, logged=False, daemon_terminal=_duplicate(stream))


def test_a_terminal_without_a_descriptor_cannot_be_kept() -> None:
    assert _duplicate(None) is None
    assert _duplicate(io.StringIO()) is None


def test_a_terminal_that_is_gone_or_poor_is_no_failure() -> None:
    gone = io.StringIO()
    gone.close()
    OperatorConsole(gone, None, logged=False).write_lines(["a"])
    poor = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    OperatorConsole(poor, None, logged=False).write_lines(["é"])
    assert poor.buffer.getvalue() == b"\\xe9\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("program", "terminal", "apart"),
    [
        ({"nodaemon": False, "logfile": "x.log"}, False, True),
        ({"nodaemon": True}, True, False),
        ({"nodaemon": True, "logfile": "-"}, True, False),
        ({"nodaemon": True, "logfile": "x.log"}, True, True),
        ({"nodaemon": True, "syslog": True}, True, True),
        ({"nodaemon": True, "logger": object()}, True, True),
    ],
)
def test_the_options_of_twistd_select_the_streams(
    program: dict[str, Any], terminal: bool, apart: bool, tmp_path: Path
) -> None:
    path = str(tmp_path / "x.log") if program.get("logfile") == "x.log" else None
    with open(os.devnull, "w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "__stdout__", out)
        logs = logs_for(program, path, (-1, -1))
        console = console_for(program, logs)
        assert (console._out is not None) is terminal
        assert console._logged is apart
        console.close_daemon_terminal()
        logs.close()


def test_a_terminal_with_a_json_log_gets_no_other_lines() -> None:
    with open(os.devnull, "w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "__stdout__", out)
        logs = logs_for({"nodaemon": True}, None, (-1, -1), json=True)
        console = console_for({"nodaemon": True}, logs)
        assert (console._out, console._err, console._logged) == (None, None, True)
        logs.close()


def test_an_embedded_service_writes_to_the_log(logged: list[LogEvent]) -> None:
    console = console_for(None, logs_for(None, None, (-1, -1)))
    console.write_lines(["a"])
    assert not console.write_error("b")
    assert lines(logged) == ["a", "b"]
    assert console.is_embedded
