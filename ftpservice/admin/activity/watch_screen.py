"""``ftpservice who --watch``: the sessions in a terminal, refreshed in place."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from ftpservice.activity.text_table import rate_text, time_text
from ftpservice.admin.activity.session_table import session_lines
from ftpservice.wire.units import count_text

__all__ = ["NoTerminal", "screen_lines", "watch"]

REFRESH_SECONDS = 1.0
COLUMNS, ROWS = 80, 24
"""Of a terminal that does not tell its size."""
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The other screen without a cursor, and back."""
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
QUIT_KEYS = b"qQ\x03\x04"

Sessions = Sequence[Mapping[str, Any]]


class NoTerminal(Exception):
    """The list can only be refreshed in a terminal."""


def watch(
    fetch: Callable[[], Sessions],
    seconds: Callable[[], float],
    terminal: tuple[TextIO, TextIO] | None = None,
) -> None:
    """Show what ``fetch`` returns, again every second, until q or Ctrl-C.

    Raises `NoTerminal`, and what ``fetch`` raises; the terminal is then as it was before.
    """
    source, screen = terminal or (sys.stdin, sys.stdout)
    if not (source.isatty() and screen.isatty()):
        raise NoTerminal("needs a terminal; without it, use --json")
    keyboard = source.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    screen.write(ENTER)
    try:
        while True:
            sessions = fetch()
            size = os.get_terminal_size(screen.fileno())
            lines = screen_lines(sessions, seconds(), size.columns or COLUMNS, size.lines or ROWS)
            text = "".join(f"{line}{END_OF_LINE}\n" for line in lines).removesuffix("\n")
            screen.write(HOME + text + END_OF_SCREEN)
            screen.flush()
            if _is_ended(keyboard):
                return
    except KeyboardInterrupt:
        return
    finally:
        screen.write(LEAVE)
        screen.flush()
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _is_ended(keyboard: int) -> bool:
    """Wait for the next refresh; return whether a key has ended it."""
    ready, _, _ = select.select([keyboard], [], [], REFRESH_SECONDS)
    if not ready:
        return False
    keys = os.read(keyboard, 64)
    return not keys or any(key in QUIT_KEYS for key in keys)


def screen_lines(sessions: Sessions, now: float, columns: int, rows: int) -> list[str]:
    """Return the lines of a screen: a summary, then sessions, those with transfers first."""
    transfers = [transfer for one in sessions for transfer in one["transfers"]]
    rates = {True: 0.0, False: 0.0}
    for transfer in transfers:
        rates[bool(transfer["upload"])] += transfer.get("rate", 0.0)
    ordered = sorted(sessions, key=lambda one: (not one["transfers"], one["session"]))
    summary = (
        f"{time_text(now)[11:]} UTC  {count_text(len(sessions), 'session')}, "
        f"up {rate_text(rates[True])}, down {rate_text(rates[False])}  (q: end)"
    )
    lines = [summary[:columns], "", *session_lines(ordered, now, columns)]
    if len(lines) <= rows:
        return lines
    more = len(lines) - rows + 1
    return [*lines[: rows - 1], f"({more} more)"[:columns]]
