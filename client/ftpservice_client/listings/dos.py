"""Lines in the format of DOS, Windows and IIS (``dir``)."""

from __future__ import annotations

import re

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.listings.dates import ListedTime, time_with_year

__all__ = ["IS_DAY_FIRST", "dos_entry"]

DOS_LINE = re.compile(
    r"(?:(?P<iso>[0-9]{4})[-/.](?P<isomonth>[0-9]{1,2})[-/.](?P<isoday>[0-9]{1,2})"
    r"|(?P<first>[0-9]{1,2})(?P<mark>[-/.])(?P<second>[0-9]{1,2})(?P=mark)"
    r"(?P<year>[0-9]{4}|[0-9]{2})) {1,9}"
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}) {0,2}(?P<half>[AaPp])?\.?(?(half)[Mm]?\.?) {1,40}"
    r"(?:<(?P<kind>DIR|JUNCTION|SYMLINKD|SYMLINK)> {1,40}"
    r"|(?P<size>[0-9]{1,3}(?:[,.'\u00a0\u202f][0-9]{3}){1,6}|[0-9]{1,20}) )(?P<name>.+)"
)
IS_DAY_FIRST = re.compile(r"(?:1[3-9]|2[0-9]|3[01])[-/][0-9]{1,2}[-/][0-9]{2,4} .*")
"""A line whose date cannot begin with the month; one such line decides for the whole listing."""
LINK_TYPES = frozenset({"JUNCTION", "SYMLINKD", "SYMLINK"})
LINK_TARGET = re.compile(r"(.+?) \[[^\]]*\]")


def dos_entry(text: str, *, day_first: bool) -> Entry:
    """Parse one line; raises `ValueError`. In a date with dots the day always comes first."""
    match = DOS_LINE.fullmatch(text)
    if match is None:
        raise ValueError("not a DOS line")
    when = _when(match, day_first=day_first or match["mark"] == ".")
    name, kind = match["name"], Kind.FILE
    if match["kind"] == "DIR":
        kind = Kind.DIRECTORY
    elif match["kind"] is not None:
        kind = Kind.LINK
        target = LINK_TARGET.fullmatch(name)
        name = target[1] if target is not None else name
    size = int(re.sub(r"[^0-9]", "", match["size"])) if kind is Kind.FILE else 0
    mode = 0o644 if kind is Kind.FILE else 0o755
    return Entry(name, kind, size, when.moment, mode, time_grain=when.grain)


def _when(match: re.Match[str], *, day_first: bool) -> ListedTime:
    hour, minute = int(match["hour"]), int(match["minute"])
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + 12 * (match["half"] in "Pp")
    if match["iso"]:
        date = (match["iso"], match["isomonth"], match["isoday"])
    elif day_first:
        date = (match["year"], match["second"], match["first"])
    else:
        date = (match["year"], match["first"], match["second"])
    year, month, day = map(int, date)
    return time_with_year(year, month, day, hour, minute)
