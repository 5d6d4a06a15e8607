"""Listings for users and old clients: lines in the format of ``ls -l``.

Month names are English and times UTC whatever the machine is set to.
"""

from __future__ import annotations

import re
import stat

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.times import DAY, MINUTES, CalendarDayCache

__all__ = ["HIDDEN_TARGET", "UnixListFormatter", "is_printable"]

HALF_YEAR = 365.2425 * DAY / 2
CLOCK_SKEW = 60.0
HIDDEN_TARGET = "(hidden)"
"""Replaces a link target that is not shown; clients misread a link without an arrow."""
MAX_COLUMNS_KEPT = 4096
LETTERS = {Kind.FILE: "-", Kind.DIRECTORY: "d", Kind.LINK: "l", Kind.OTHER: "p"}
UNSAFE = re.compile(r"[^!-~\u00a1-\ud7ff\ue000-\U0010ffff]")


class UnixListFormatter:
    """Writes lines of one listing; it remembers the columns that come again and again."""

    def __init__(self, now: float) -> None:
        self._oldest = now - HALF_YEAR
        self._newest = now + CLOCK_SKEW
        self._days = CalendarDayCache()
        self._columns: dict[tuple[Kind, int, int, str, str], str] = {}

    def line(self, entry: Entry) -> str:
        """Return ``-rw-r--r--   1 owner    group         12345 Nov 21 10:15 name``.

        A link's line ends with ``name -> target``.
        """
        key = (entry.kind, entry.mode, entry.links, entry.owner, entry.group)
        columns = self._columns.get(key) or self._first_columns(key)
        modified = entry.modified
        number, rest = divmod(int(modified // 1), DAY)
        day = self._days[number]
        name = entry.name
        if entry.kind is Kind.LINK:
            name += f" -> {entry.target or HIDDEN_TARGET}"
        if self._oldest < modified <= self._newest:
            return f"{columns}{entry.size:10} {day.with_month} {MINUTES[rest // 60]} {name}"
        return f"{columns}{entry.size:10} {day.with_year} {name}"

    def _first_columns(self, key: tuple[Kind, int, int, str, str]) -> str:
        if len(self._columns) >= MAX_COLUMNS_KEPT:
            self._columns.clear()
        kind, mode, links, owner, group = key
        bits = LETTERS[kind] + stat.filemode(stat.S_IFREG | mode & 0o7777)[1:]
        columns = f"{bits} {links:3} {_word(owner):8} {_word(group):8} "
        self._columns[key] = columns
        return columns


def is_printable(name: str) -> bool:
    """Return whether a name fits on a line: it contains no CR, LF or NUL."""
    return "\n" not in name and "\r" not in name and "\0" not in name


def _word(text: str) -> str:
    return UNSAFE.sub("_", text) or "-"
