"""The list is refreshed in place, ends with q, and leaves the terminal as it was."""

import fcntl
import os
import select
import struct
import termios

import pytest
from click.testing import CliRunner

from ftpservice.admin.activity import watch_screen
from ftpservice.admin.activity.watch_screen import LEAVE, NoTerminal, screen_lines, watch
from ftpservice.admin.cli import ftpservice
from tests.admin.activity.test_session_table import NOW, UPLOAD, session
from tests.support.service_process import PATIENCE


@pytest.fixture
def terminal(monkeypatch):
    """A pseudo-terminal of 80 columns: its other end, and the streams of the program."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    monkeypatch.setattr(watch_screen, "REFRESH_SECONDS", 0.01)
    with open(slave, closefd=False) as keyboard, open(slave, "w", closefd=False) as screen:
        yield master, (keyboard, screen)
    os.close(master)
    os.close(slave)


def shown_on(terminal):
    """Return the output until the screen is left."""
    output = b""
    while not output.endswith(LEAVE.encode()):
        assert select.select([terminal], [], [], PATIENCE)[0], output
        output += os.read(terminal, 65536)
    return output.decode()


@pytest.mark.parametrize("key", [b"q", b"Q", b"xq"])
def test_the_list_is_refreshed_until_q(terminal, key):
    terminal, streams = terminal
    before = termios.tcgetattr(terminal)
    shown = []

    def fetch():
        shown.append(len(shown))
        if len(shown) == 3:
            os.write(terminal, key)
        return [session(len(shown), "ann", UPLOAD)]

    watch(fetch, lambda: NOW, streams)
    assert len(shown) == 3
    output = shown_on(terminal)
    assert output.startswith("\x1b[?1049h")
    assert output.endswith(LEAVE)
    assert output.count("\x1b[H") == 3
    assert "00:16:40 UTC  1 session, up 51 B/s, down 0 B/s  (q: end)" in output
    assert termios.tcgetattr(terminal) == before


def test_an_error_leaves_the_terminal_as_it_was(terminal):
    terminal, streams = terminal
    before = termios.tcgetattr(terminal)

    def fail():
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        watch(fail, lambda: NOW, streams)
    assert termios.tcgetattr(terminal) == before
    assert shown_on(terminal).endswith(LEAVE)


def test_without_a_terminal_it_is_refused(tmp_path):
    with open(os.devnull) as nothing, pytest.raises(NoTerminal):
        watch(list, lambda: NOW, (nothing, nothing))
    done = CliRunner().invoke(ftpservice, ["who", "--watch", "--socket", str(tmp_path / "none")])
    assert (done.exit_code, "--watch needs a terminal" in done.stderr) == (2, True)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (20, 5), (200, 60), (1, 3)])
def test_the_screen_has_room_for_what_matters(columns, rows):
    sessions = [session(number) for number in range(50)] + [session(99, "ann", UPLOAD)]
    lines = screen_lines(sessions, NOW, columns, rows)
    assert len(lines) <= rows
    assert max(map(len, lines)) <= columns
    if columns >= 80:
        assert lines[3].startswith("99 ")  # transfers first
        assert ("more)" in lines[-1]) == (rows == 24)
