from __future__ import annotations

import pytest

from ftpservice_client.console.terminal.screen import Colour, Screen, screen_for
from tests.support.shell_session import MemoryStream


@pytest.mark.parametrize(
    ("terminal", "environment", "colours"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (False, {"TERM": "xterm"}, False),
    ],
    ids=["terminal", "empty", "unwanted", "dumb", "unknown", "pipe"],
)
def test_colours_depend_on_terminal_and_environment(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], colours: bool
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    screen = screen_for(MemoryStream(terminal), MemoryStream())
    assert screen.is_terminal is terminal
    assert screen.colours is colours
    assert screen.coloured("x", Colour.ERROR) == ("\x1b[31mx\x1b[0m" if colours else "x")


def test_results_go_to_stdout_and_errors_to_stderr() -> None:
    out, err = MemoryStream(), MemoryStream()
    screen = Screen(out, err)
    screen.print_line("a")
    screen.print_status("b\x1b")
    screen.print_error("c\x1b")
    screen.binary_out.write(b"\xff")
    assert out.content == b"a\nb\\x1b\n\xff"
    assert err.text == "c\\x1b\n"


def test_quiet_omits_status_lines() -> None:
    out = MemoryStream()
    screen = Screen(out, MemoryStream(), quiet=True)
    screen.print_status("a")
    screen.print_line("b")
    assert out.text == "b\n"


def test_characters_outside_the_encoding_are_escaped() -> None:
    out = MemoryStream(encoding="ascii")
    Screen(out, out).print_line("\u00e9\udcff")
    assert out.text == "\\xe9\\udcff\n"


def test_begin_line_moves_to_the_first_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "7")
    out, pipe = MemoryStream(terminal=True), MemoryStream()
    Screen(out, MemoryStream()).begin_line()
    Screen(pipe, MemoryStream()).begin_line()
    assert (out.content, pipe.content) == (b"       \r", b"")
