"""Entries, sizes, times and rates as text; control characters in names are escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.units import count_text
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.screen import Colour, Screen

__all__ = [
    "format_rate",
    "format_size",
    "format_time",
    "listing_summary",
    "plain_lines",
    "plain_listing",
    "simple_listing",
]

UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
KIND_SUFFIXES = {Kind.DIRECTORY: "/", Kind.LINK: "@"}
KIND_COLOURS = {Kind.DIRECTORY: Colour.DIRECTORY, Kind.LINK: Colour.LINK}
UNKNOWN_TIME = "-"


def format_size(count: float) -> str:
    """Return a number of bytes with its unit: ``17 bytes``, ``1.4 MiB``."""
    if count < 1024:
        return f"{count:.0f} byte{'' if round(count) == 1 else 's'}"
    unit = -1
    while count >= 1024 and unit < len(UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.1f} {UNITS[unit]}"


def format_rate(count: int, seconds: float) -> str:
    """Return bytes per second with its unit; empty below 1 KiB or 1 ms."""
    return f"{format_size(count / seconds)}/s" if seconds >= 0.001 and count >= 1024 else ""


def format_time(when: float) -> str:
    """Return seconds since the epoch as local time, to the minute."""
    try:
        return datetime.fromtimestamp(when).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):
        return UNKNOWN_TIME


def listing_summary(entries: Sequence[Entry]) -> str:
    """Return the number of files, their size and the number of directories."""
    directories = sum(entry.kind is Kind.DIRECTORY for entry in entries)
    files = len(entries) - directories
    total = sum(entry.size for entry in entries if entry.kind is Kind.FILE)
    parts = [f"{count_text(files, 'file')}, {format_size(total)}"]
    if directories:
        parts.append(f"{directories} director{'y' if directories == 1 else 'ies'}")
    return "; ".join(parts)


def plain_listing(entries: Sequence[Entry], screen: Screen) -> Iterator[str]:
    """Yield a line for each entry, then the summary."""
    yield from plain_lines(entries, screen)
    yield screen.coloured(listing_summary(entries), Colour.STATUS)


def plain_lines(entries: Sequence[Entry], screen: Screen) -> Iterator[str]:
    """Yield a line for each entry: size, time, name."""
    sizes = [f"{entry.size:,}" if entry.kind is Kind.FILE else "-" for entry in entries]
    width = max(map(len, sizes), default=1)
    for entry, size in zip(entries, sizes, strict=True):
        yield f"{size:>{width}}  {format_time(entry.modified):16}  {_format_name(entry, screen)}"


def simple_listing(entries: Sequence[Entry], total: int, screen: Screen) -> Iterator[str]:
    """Yield a listing in the form of the simple protocol: ``name - N bytes``, then the total."""
    for entry in entries:
        if entry.kind is Kind.DIRECTORY:
            yield f"{_format_name(entry, screen)} - directory"
        else:
            yield f"{_format_name(entry, screen)} - {entry.size} bytes"
    yield f"Total directory size: {total} bytes"


def _format_name(entry: Entry, screen: Screen) -> str:
    name = escape_unprintable(entry.name) + KIND_SUFFIXES.get(entry.kind, "")
    colour = KIND_COLOURS.get(entry.kind)
    return screen.coloured(name, colour) if colour else name
