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
from ftpservice_client.console.terminal.terminal import Screen
from tests.support.shell_session import Stream

MIB = 1024 * 1024
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Sized(Stream):
    """A terminal that has a size."""

    def __init__(self, number: int) -> None:
        super().__init__(terminal=True)
        self._number = number

    def fileno(self) -> int:
        return self._number


@pytest.fixture(autouse=True)
def terminal_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def window() -> Iterator[Sized]:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (10, 100))
    yield Sized(theirs)
    os.close(ours)
    os.close(theirs)


def screen(terminal: bool = True, quiet: bool = False) -> tuple[Screen, Stream]:
    out = Stream(terminal)
    return Screen(out, Stream(), quiet=quiet), out


def drawn(text: str) -> list[str]:
    """The lines that were drawn, one above the other and one after the other."""
    return [line.rstrip() for line in re.split(r"[\r\n]+", CONTROL.sub("", text)) if line.strip()]


def test_a_short_transfer_shows_no_bar() -> None:
    shown, out = screen()
    clock, count = Clock(), FileProgress("a")
    with ProgressDisplay(count.rows, shown, clock):
        count(5, 10)
        clock.advance(BAR_DELAY_SECONDS - 0.01)
    assert out.text == ""
    assert clock.getDelayedCalls() == []


def test_a_long_one_shows_how_much_how_fast_and_how_long(window: Sized) -> None:
    clock, count = Clock(), FileProgress("in/\x1breport.pdf")
    with ProgressDisplay(count.rows, Screen(window, Stream()), clock):
        for second in range(1, 5):
            count(second * MIB, 8 * MIB)
            clock.advance(1)
    last = drawn(window.text)[-1]
    assert last.startswith("in/\\x1breport.pdf ")
    assert last.endswith(" 4.0/8.0 MiB 1.0 MiB/s 0:00:04")
    assert clock.getDelayedCalls() == []


def test_a_size_that_is_not_known_is_no_problem() -> None:
    shown, out = screen()
    clock, count = Clock(), FileProgress("x" * 100)
    with ProgressDisplay(count.rows, shown, clock):
        count(1024)
        clock.advance(1)
    assert "1.0/? KiB" in out.text
    assert "x" * 41 not in out.text


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_a_bar_has_one_line_and_leaves_room_for_what_a_key_leaves(
    window: Sized, columns: int
) -> None:
    clock, count = Clock(), FileProgress("a directory/some file of a rather long name.pdf")
    with ProgressDisplay(count.rows, Screen(window, Stream()), clock):
        for width in (100, columns):
            termios.tcsetwinsize(window.fileno(), (10, width))
            count(width * MIB, 1234 * MIB)
            clock.advance(1)
    last = drawn(window.text)[-1]
    assert last.startswith("\N{HORIZONTAL ELLIPSIS}")
    assert len(last) <= max(20, columns - 4)
    if columns > 20:
        assert f"{columns / 1024:.1f}/1.2 GiB" in last


def test_a_tree_shows_all_of_it_and_the_files_on_their_way(window: Sized) -> None:
    tally = MirrorProgress()
    steps = [MirrorStep("download", f"f{number}", 2 * MIB) for number in range(3)]
    assert mirror_rows("in", tally) == [ProgressRow("", "in", 0, None, ": looking")]
    tally.plan(steps)
    for step in steps:
        tally.note(step, MIB)
    tally.end(steps[1])
    assert mirror_rows("in", tally) == [
        ProgressRow("", "in", 4 * MIB, 6 * MIB, ": 1/3 files"),
        ProgressRow("/f0", "  f0", MIB, 2 * MIB),
        ProgressRow("/f2", "  f2", MIB, 2 * MIB),
    ]
    clock = Clock()
    with ProgressDisplay(lambda: mirror_rows("in", tally), Screen(window, Stream()), clock):
        clock.advance(BAR_DELAY_SECONDS)
        assert [line.split()[0] for line in drawn(window.text)[-3:]] == ["in:", "f0", "f2"]
        tally.end(steps[0])
        clock.advance(0.1)
        first, second = drawn(window.text)[-2:]
    assert (first.split()[:3], second.split()[0]) == (["in:", "2/3", "files"], "f2")


def test_a_small_window_is_not_filled_with_bars(window: Sized) -> None:
    termios.tcsetwinsize(window.fileno(), (4, 100))
    rows = [ProgressRow(str(number), f"f{number}", 1, 2) for number in range(20)]
    clock = Clock()
    with ProgressDisplay(lambda: rows, Screen(window, Stream()), clock):
        clock.advance(BAR_DELAY_SECONDS)
        assert {line.split()[0] for line in drawn(window.text)} == {"f0", "f1"}


def test_pipes_and_the_silent_see_no_bar() -> None:
    for shown, out in (screen(terminal=False), screen(quiet=True)):
        clock = Clock()
        with ProgressDisplay(FileProgress("a").rows, shown, clock):
            clock.advance(5)
        assert out.text == ""


def test_a_terminal_that_moves_no_cursor_sees_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    shown, out = screen()
    clock = Clock()
    with ProgressDisplay(FileProgress("a").rows, shown, clock):
        clock.advance(5)
    assert out.text == ""


def test_a_failure_takes_the_bar_away() -> None:
    shown, _ = screen()
    clock = Clock()
    try:
        with ProgressDisplay(FileProgress("a").rows, shown, clock):
            clock.advance(1)
            raise KeyError
    except KeyError:
        assert clock.getDelayedCalls() == []
