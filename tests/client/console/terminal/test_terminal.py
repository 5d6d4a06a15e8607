from __future__ import annotations

import pytest

from ftpservice_client.console.terminal.terminal import Colour, Screen, screen_for
from tests.support.shell_session import Stream


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
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], colours: bool
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    screen = screen_for(Stream(terminal), Stream())
    assert screen.terminal is terminal
    assert screen.colours is colours
    assert screen.coloured("x", Colour.PROBLEM) == ("\x1b[31mx\x1b[0m" if colours else "x")


def test_what_was_asked_for_goes_out_and_problems_go_apart() -> None:
    out, err = Stream(), Stream()
    screen = Screen(out, err)
    screen.say("a")
    screen.remark("b\x1b")
    screen.complain("c\x1b")
    screen.raw.write(b"\xff")
    assert out.content == b"a\nb\\x1b\n\xff"
    assert err.text == "c\\x1b\n"


def test_silence_leaves_out_remarks() -> None:
    out = Stream()
    screen = Screen(out, Stream(), quiet=True)
    screen.remark("a")
    screen.say("b")
    assert out.text == "b\n"


def test_a_terminal_that_knows_few_letters_gets_escapes() -> None:
    out = Stream(encoding="ascii")
    Screen(out, out).say("\u00e9\udcff")
    assert out.text == "\\xe9\\udcff\n"


def test_a_line_begins_wherever_the_cursor_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "7")
    out, pipe = Stream(terminal=True), Stream()
    Screen(out, Stream()).begin_line()
    Screen(pipe, Stream()).begin_line()
    assert (out.content, pipe.content) == (b"       \r", b"")
