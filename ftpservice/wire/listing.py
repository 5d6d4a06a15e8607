"""Listings as people and old clients read them: ``ls -l``, and Windows' form when reading.

Month names are English and times UTC whatever the machine is set to.
"""

from __future__ import annotations

import re
import stat
from calendar import isleap
from datetime import UTC, datetime

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.times import DAY, MINUTES, Days, month_number

__all__ = ["UnixListing", "is_printable", "parse_line"]

HALF_YEAR = 365.2425 * DAY / 2
CLOCK_SKEW = 60.0
UNTOLD = "(hidden)"
"""Stands for the target of a link where that is not told; a line without an arrow confuses."""
MAX_COLUMNS_KEPT = 4096
LETTERS = {Kind.FILE: "-", Kind.DIRECTORY: "d", Kind.LINK: "l", Kind.OTHER: "p"}
KINDS = {"-": Kind.FILE, "d": Kind.DIRECTORY, "l": Kind.LINK}
UNSAFE = re.compile(r"[^!-~\u00a1-\ud7ff\ue000-\U0010ffff]")
MODE = re.compile(r"([-bcdlpsDCMPwn])([-r][-w][-xsS][-r][-w][-xsS][-r][-w][-xtT])[.+@]?")
DATE_COLUMNS = re.compile(
    r" ([0-9]{1,20}) {1,9}"
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,9}([0-9]{1,2}) {1,9}"
    r"(?:([0-9]{1,2}):([0-9]{2})|([0-9]{4})) (?=[^\r\n])",
    re.IGNORECASE,
)
WINDOWS = re.compile(
    r"([0-9]{2})[-/]([0-9]{2})[-/]([0-9]{4}|[0-9]{2}) {1,9}"
    r"([0-9]{1,2}):([0-9]{2}) ?([AaPp][Mm])? {1,40}"
    r"(?:<(DIR|JUNCTION|SYMLINKD|SYMLINK)> {1,10}|([0-9]{1,20}) )(.+)"
)


class UnixListing:
    """Writes lines of one listing; it remembers the columns that come again and again."""

    def __init__(self, now: float) -> None:
        self._oldest = now - HALF_YEAR
        self._newest = now + CLOCK_SKEW
        self._days = Days()
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
            name += f" -> {entry.target or UNTOLD}"
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
    """Tell whether a name can stand on a line: it holds no CR, LF or NUL."""
    return "\n" not in name and "\r" not in name and "\0" not in name


def parse_line(text: str, now: float) -> Entry:
    """Read one line of a server's LIST; raises `ValueError` for what is no entry (``total 8``).

    ``now`` tells which year a line without one means. The name is whatever the server sent.
    """
    windows = WINDOWS.fullmatch(text)
    if windows is not None:
        return _from_windows(windows)
    return _from_unix(text, now)


def _word(text: str) -> str:
    return UNSAFE.sub("_", text) or "-"


def _from_unix(text: str, now: float) -> Entry:
    date = DATE_COLUMNS.search(text)
    words = text[: date.start()].split() if date is not None else []
    mode = MODE.fullmatch(words[0]) if words else None
    if date is None or mode is None:
        raise ValueError("not a line of a listing")
    kind = KINDS.get(mode[1], Kind.OTHER)
    links, owner, group = _holders(words[1:])
    name, target = text[date.end() :], ""
    if kind is Kind.LINK:
        name, _arrow, target = name.partition(" -> ")
    return Entry(
        name,
        kind,
        int(date[1]) if kind in (Kind.FILE, Kind.LINK) else 0,
        _unix_time(date, now),
        _mode_bits(mode[2]),
        owner,
        group,
        links,
        target="" if target == UNTOLD else target,
    )


def _holders(words: list[str]) -> tuple[int, str, str]:
    links = 1
    if words and re.fullmatch(r"[0-9]{1,10}", words[0]):
        links = int(words.pop(0))
    owner = words[0] if words else "ftp"
    return links, owner, words[1] if len(words) > 1 else owner


def _mode_bits(text: str) -> int:
    bits = 0
    for letter in text:
        bits = bits << 1 | (letter not in "-ST")
    special = (text[2] in "sS") << 2 | (text[5] in "sS") << 1 | (text[8] in "tT")
    return bits | special << 9


def _unix_time(date: re.Match[str], now: float) -> float:
    month, day = month_number(date[2]), int(date[3])
    if date[6]:
        return datetime(int(date[6]), month, day, tzinfo=UTC).timestamp()
    hour, minute = int(date[4]), int(date[5])
    year = datetime.fromtimestamp(now, UTC).year + 1
    while True:
        if (month, day) != (2, 29) or isleap(year):
            moment = datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()
            if moment <= now + DAY:
                return moment
        year -= 1


def _from_windows(match: re.Match[str]) -> Entry:
    month, day, year, hour, minute = (int(match[group]) for group in range(1, 6))
    if len(match[3]) == 2:
        year += 2000 if year < 70 else 1900
    if match[6]:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + 12 * (match[6].upper() == "PM")
    modified = datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()
    if match[7] is None:
        return Entry(match[9], Kind.FILE, int(match[8]), modified)
    kind = Kind.LINK if match[7] == "SYMLINK" else Kind.DIRECTORY
    return Entry(match[9], kind, 0, modified, 0o755)
