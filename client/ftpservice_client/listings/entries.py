"""What a client makes of a server's lines: entries with safe names, and what was not understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.facts import parse_facts
from ftpservice_client.errors import UnparsableListing
from ftpservice_client.listings.list_parser import parse_listing
from ftpservice_client.results import Listing

__all__ = [
    "LINE_OVERHEAD_BYTES",
    "MAX_LINE_SIZE",
    "MAX_UNREAD",
    "is_safe_name",
    "listing_from_lines",
    "mlsd_listing",
    "text_listing",
]

MAX_LINE_SIZE = 16 * 1024
MAX_UNREAD = 100
"""Lines that are kept of those that could not be understood."""
MAX_SHOWN_CHARACTERS = 200
"""Characters that are kept of each."""
DOT_NAMES = (".", "..")


def is_safe_name(name: str) -> bool:
    """Return whether this can be an entry of a directory, here and there."""
    return name not in ("", *DOT_NAMES) and not any(sign in name for sign in "/\0\r\n")


def listing_from_lines(lines: Iterable[bytes], parse: Callable[[str], Entry]) -> Listing:
    """Return what lines say, where each stands for itself; ``parse`` raises `ValueError`."""
    entries: list[Entry] = []
    unread: list[str] = []
    for line in map(_decoded, lines):
        if not line:
            continue
        try:
            if len(line) > MAX_LINE_SIZE:
                raise ValueError("too long")
            entries.append(parse(line))
        except (ValueError, OverflowError):
            unread.append(line)
    return _checked(entries, unread)


def mlsd_listing(lines: Iterable[bytes], places: Sequence[str] = ()) -> Listing:
    """Return what MLSD says; see `text_listing`."""
    unique = ""
    told: list[bytes] = []
    for line in lines:
        facts = line.partition(b" ")[0].lower()
        if b"type=cdir" in facts:
            unique = _unique(line)
        elif b"type=pdir" not in facts:
            told.append(line)

    def parse(line: str) -> Entry:
        return _named(parse_facts(line), places)

    return replace(listing_from_lines(told, parse), unique=unique)


def _unique(line: bytes) -> str:
    try:
        return parse_facts(_decoded(line)).unique
    except (ValueError, OverflowError):
        return ""


def text_listing(lines: Iterable[bytes], now: float, places: Sequence[str] = ()) -> Listing:
    """Return what LIST says; raises `UnparsableListing` where there is text, and nothing in it.

    ``places`` are paths of the directory: some servers write them before each name.
    """
    decoded = [_decoded(line) for line in lines]
    reading = parse_listing([line for line in decoded if len(line) <= MAX_LINE_SIZE], now)
    too_long = [line for line in decoded if len(line) > MAX_LINE_SIZE]
    entries = [_named(entry, places) for entry in reading.entries]
    listing = _checked(entries, [*reading.unparsed, *too_long])
    return replace(listing, shows_hidden=any(entry.name.startswith(".") for entry in entries))


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _named(entry: Entry, places: Sequence[str]) -> Entry:
    """Return the entry without the path of its directory before its name.

    Of a file servers tell the name that they were given, which may be a path.
    """
    for place in places:
        if place == entry.name:
            return entry._replace(name=place.rpartition("/")[2])
        above = f"{place.rstrip('/')}/"
        name = entry.name.removeprefix(above)
        if place and name != entry.name and is_safe_name(name):
            return entry._replace(name=name)
    return entry


def _checked(entries: Sequence[Entry], unread: Sequence[str]) -> Listing:
    """Return entries whose names are safe.

    Raises `UnparsableListing` where there is nothing else.
    """
    named = [entry for entry in entries if not _is_dots(entry)]
    safe = tuple(entry for entry in named if is_safe_name(entry.name))
    unsafe = tuple(entry.name for entry in named if not is_safe_name(entry.name))
    kept = tuple(line[:MAX_SHOWN_CHARACTERS] for line in unread[:MAX_UNREAD])
    if not safe and (unread or unsafe) and len(named) == len(entries):
        first = (*kept, *unsafe)[0]
        raise UnparsableListing(
            f"the listing could not be understood: {first[:MAX_SHOWN_CHARACTERS]!r}"
        )
    return Listing(safe, unsafe, kept)


def _is_dots(entry: Entry) -> bool:
    """Return whether this is the directory itself, or the one above."""
    return entry.name in DOT_NAMES and entry.kind is Kind.DIRECTORY


LINE_OVERHEAD_BYTES = 100
"""Bytes, about, that a line of a listing takes in memory besides its own."""
