"""Listings for users and old clients: lines in the format of ``ls -l``.

Month names are English and times UTC whatever the machine is set to.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.times import DAY, CalendarTexts, day_as_ls, minute_as_ls

__all__ = ["HIDDEN_TARGET", "UnixListFormatter", "is_printable"]

HALF_YEAR = 365.2425 * DAY / 2
CLOCK_SKEW = 60.0
HIDDEN_TARGET = "(hidden)"
"""Replaces a link target that is not shown; clients misread a link without an arrow."""
MAX_COLUMNS_KEPT = 4096
LETTERS = {Kind.FILE: "-", Kind.DIRECTORY: "d", Kind.LINK: "l", Kind.OTHER: "p"}
UNSAFE = re.compile(r"[^!-~\u00a1-\ud7ff\ue000-\U0010ffff]")


class UnixListFormatter:
    """Writes the lines of one listing; it keeps the columns and times that many entries share."""

    def __init__(self, now: float) -> None:
        self._oldest = now - HALF_YEAR
        self._newest = now + CLOCK_SKEW
        self._minutes = CalendarTexts(minute_as_ls)
        self._days = CalendarTexts(day_as_ls)
        self._columns: dict[tuple[Kind, int, str, str, int], str] = {}

    def line(self, entry: Entry) -> str:
        """Return ``-rw-r--r--   1 owner    group         12345 Nov 21 10:15 name``."""
        return self.lines((entry,))[0]

    def lines(self, entries: Iterable[Entry]) -> list[str]:
        """Return the line of each entry, without its end.

        The line of a link ends with ``name -> target``.
        """
        known, minutes, oldest, newest = self._columns, self._minutes, self._oldest, self._newest
        lines = []
        for entry in entries:
            name, kind, size, modified, mode, owner, group, links = entry[:8]
            key = (kind, mode, owner, group, links)
            columns = known.get(key) or self._first_columns(key)
            if oldest < modified <= newest:
                time = minutes[int(modified // 60)]
            else:
                time = self._days[int(modified // DAY)]
            if kind is Kind.LINK:
                name = f"{name} -> {entry.target or HIDDEN_TARGET}"
            lines.append(f"{columns}{size:10} {time} {name}")
        return lines

    def _first_columns(self, key: tuple[Kind, int, str, str, int]) -> str:
        if len(self._columns) >= MAX_COLUMNS_KEPT:
            self._columns.clear()
        kind, mode, owner, group, links = key
        bits = LETTERS[kind] + stat.filemode(stat.S_IFREG | mode & 0o7777)[1:]
        columns = f"{bits} {links:3} {_word(owner):8} {_word(group):8} "
        self._columns[key] = columns
        return columns


def is_printable(name: str) -> bool:
    """Return whether a name fits on a line: it contains no CR, LF or NUL."""
    return "\n" not in name and "\r" not in name and "\0" not in name


def _word(text: str) -> str:
    return UNSAFE.sub("_", text) or "-"
