from __future__ import annotations

import os
import re
import termios
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from ftpservice_client import MirrorProgress, MirrorStep
from ftpservice_client.console.terminal.progress import BAR_DELAY_SECONDS, ProgressDisplay
from ftpservice_client.console.terminal.progress_rows import FileProgress, ProgressRow, mirror_rows
from ftpservice_client.console.terminal.screen import Screen
from tests.support.shell_session import MemoryStream

MIB = 1024 * 1024
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class SizedStream(MemoryStream):
    """A terminal stream with a size."""

    def __init__(self, number: int) -> None:
        super().__init__(terminal=True)
        self._number = number

    def fileno(self) -> int:
        return self._number


@pytest.fixture(autouse=True)
def xterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def window() -> Iterator[SizedStream]:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (10, 100))
    yield SizedStream(theirs)
    os.close(ours)
    os.close(theirs)


def screen(terminal: bool = True, quiet: bool = False) -> tuple[Screen, MemoryStream]:
    out = MemoryStream(terminal)
    return Screen(out, MemoryStream(), quiet=quiet), out


def drawn(text: str) -> list[str]:
    """Return the drawn lines in order."""
    return [line.rstrip() for line in re.split(r"[\r\n]+", CONTROL.sub("", text)) if line.strip()]


def test_a_short_transfer_shows_no_bar() -> None:
    shown, out = screen()
    clock, count = Clock(), FileProgress("a")
    with ProgressDisplay(count.rows, shown, clock):
        count(5, 10)
        clock.advance(BAR_DELAY_SECONDS - 0.01)
    assert out.text == ""
    assert clock.getDelayedCalls() == []


def test_a_bar_shows_bytes_rate_and_remaining_time(window: SizedStream) -> None:
    clock, count = Clock(), FileProgress("in/\x1breport.pdf")
    with ProgressDisplay(count.rows, Screen(window, MemoryStream()), clock):
        for second in range(1, 5):
            count(second * MIB, 8 * MIB)
            clock.advance(1)
    last = drawn(window.text)[-1]
    assert last.startswith("in/\\x1breport.pdf ")
    assert last.endswith(" 4.0/8.0 MiB 1.0 MiB/s 0:00:04")
    assert clock.getDelayedCalls() == []


def test_an_unknown_size_is_shown_as_a_question_mark() -> None:
    shown, out = screen()
    clock, count = Clock(), FileProgress("x" * 100)
    with ProgressDisplay(count.rows, shown, clock):
        count(1024)
        clock.advance(1)
    assert "1.0/? KiB" in out.text
    assert "x" * 41 not in out.text


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_a_bar_has_one_line_and_leaves_the_last_columns_empty(
    window: SizedStream, columns: int
) -> None:
    clock, count = Clock(), FileProgress("a directory/some file of a rather long name.pdf")
    with ProgressDisplay(count.rows, Screen(window, MemoryStream()), clock):
        for width in (100, columns):
            termios.tcsetwinsize(window.fileno(), (10, width))
            count(width * MIB, 1234 * MIB)
            clock.advance(1)
    last = drawn(window.text)[-1]
    assert last.startswith("\N{HORIZONTAL ELLIPSIS}")
    assert len(last) <= max(20, columns - 4)
    if columns > 20:
        assert f"{columns / 1024:.1f}/1.2 GiB" in last


def test_a_mirror_shows_a_total_and_its_running_transfers(window: SizedStream) -> None:
    overall = MirrorProgress()
    steps = [MirrorStep("download", f"f{number}", 2 * MIB) for number in range(3)]
    assert mirror_rows("in", overall) == [ProgressRow("", "in", 0, None, ": listing")]
    overall.plan(steps)
    for step in steps:
        overall.note(step, MIB)
    overall.end(steps[1])
    assert mirror_rows("in", overall) == [
        ProgressRow("", "in", 4 * MIB, 6 * MIB, ": 1/3 files"),
        ProgressRow("/f0", "  f0", MIB, 2 * MIB),
        ProgressRow("/f2", "  f2", MIB, 2 * MIB),
    ]
    clock = Clock()
    with ProgressDisplay(lambda: mirror_rows("in", overall), Screen(window, MemoryStream()), clock):
        clock.advance(BAR_DELAY_SECONDS)
        assert [line.split()[0] for line in drawn(window.text)[-3:]] == ["in:", "f0", "f2"]
        overall.end(steps[0])
        clock.advance(0.1)
        first, second = drawn(window.text)[-2:]
    assert (first.split()[:3], second.split()[0]) == (["in:", "2/3", "files"], "f2")


def test_the_number_of_bars_is_limited_by_the_window(window: SizedStream) -> None:
    termios.tcsetwinsize(window.fileno(), (4, 100))
    rows = [ProgressRow(str(number), f"f{number}", 1, 2) for number in range(20)]
    clock = Clock()
    with ProgressDisplay(lambda: rows, Screen(window, MemoryStream()), clock):
        clock.advance(BAR_DELAY_SECONDS)
        assert {line.split()[0] for line in drawn(window.text)} == {"f0", "f1"}


def test_no_bar_on_pipes_or_with_quiet() -> None:
    for shown, out in (screen(terminal=False), screen(quiet=True)):
        clock = Clock()
        with ProgressDisplay(FileProgress("a").rows, shown, clock):
            clock.advance(5)
        assert out.text == ""


def test_no_bar_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    shown, out = screen()
    clock = Clock()
    with ProgressDisplay(FileProgress("a").rows, shown, clock):
        clock.advance(5)
    assert out.text == ""


def test_an_exception_removes_the_bar() -> None:
    shown, _ = screen()
    clock = Clock()
    try:
        with ProgressDisplay(FileProgress("a").rows, shown, clock):
            clock.advance(1)
            raise KeyError
    except KeyError:
        assert clock.getDelayedCalls() == []
