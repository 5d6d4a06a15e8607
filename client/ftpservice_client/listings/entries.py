"""The result of a listing: entries with safe names, and the lines that could not be parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.facts import parse_facts
from ftpservice_client.errors import UnparsableListing
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
"""Lines kept of those that could not be parsed."""
MAX_SHOWN_CHARACTERS = 200
"""Characters kept of each such line."""
DOT_NAMES = (".", "..")


def is_safe_name(name: str) -> bool:
    """Return whether a name can be an entry of a directory, on this machine and on the server."""
    return name not in ("", *DOT_NAMES) and not any(sign in name for sign in "/\0\r\n")


def listing_from_lines(lines: Iterable[bytes], parse: Callable[[str], Entry]) -> Listing:
    """Return the entries of lines that each describe one; ``parse`` raises `ValueError`."""
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
    """Return the listing of an MLSD reply; ``places`` is that of `text_listing`."""
    unique = ""
    described: list[bytes] = []
    for line in lines:
        facts = line.partition(b" ")[0].lower()
        if b"type=cdir" in facts:
            unique = _unique(line)
        elif b"type=pdir" not in facts:
            described.append(line)

    def parse(line: str) -> Entry:
        return _named(parse_facts(line), places)

    return replace(listing_from_lines(described, parse), unique=unique)


def _unique(line: bytes) -> str:
    try:
        return parse_facts(_decoded(line)).unique
    except (ValueError, OverflowError):
        return ""


def text_listing(lines: Iterable[bytes], now: float, places: Sequence[str] = ()) -> Listing:
    """Return the listing of a LIST reply; raises `UnparsableListing` if no line could be parsed.

    ``places`` are paths of the directory; some servers put one of them before each name.
    """
    # Imported here: a program that talks to servers with MLSD needs none of the formats of LIST.
    from ftpservice_client.listings.list_parser import parse_listing

    decoded = [_decoded(line) for line in lines]
    reading = parse_listing([line for line in decoded if len(line) <= MAX_LINE_SIZE], now)
    too_long = [line for line in decoded if len(line) > MAX_LINE_SIZE]
    entries = [_named(entry, places) for entry in reading.entries]
    listing = _checked(entries, [*reading.unparsed, *too_long])
    return replace(listing, shows_hidden=any(entry.name.startswith(".") for entry in entries))


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _named(entry: Entry, places: Sequence[str]) -> Entry:
    """Return the entry, its name without the path of its directory.

    For a file, servers repeat the name that they were given, which may be a path.
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
    """Return the listing, its entries limited to those with safe names.

    Raises `UnparsableListing` if there are other lines but no such entry.
    """
    named = [entry for entry in entries if not _is_dots(entry)]
    safe = tuple(entry for entry in named if is_safe_name(entry.name))
    unsafe = tuple(entry.name for entry in named if not is_safe_name(entry.name))
    kept = tuple(line[:MAX_SHOWN_CHARACTERS] for line in unread[:MAX_UNREAD])
    if not safe and (unread or unsafe) and len(named) == len(entries):
        first = (*kept, *unsafe)[0]
        raise UnparsableListing(
            f"the listing could not be parsed: {first[:MAX_SHOWN_CHARACTERS]!r}"
        )
    return Listing(safe, unsafe, kept)


def _is_dots(entry: Entry) -> bool:
    """Return whether an entry is ``.`` or ``..``."""
    return entry.name in DOT_NAMES and entry.kind is Kind.DIRECTORY


LINE_OVERHEAD_BYTES = 100
"""Approximate bytes of memory that a line takes in addition to its own."""
