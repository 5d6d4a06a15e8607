"""A complete listing, from any supported system.

Nothing is guessed. A line in no known format is kept as text, because callers that delete what a
listing lacks must know whether all of it was parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ftpservice.wire.entry import Entry
from ftpservice_client.listings.dos import IS_DAY_FIRST, dos_entry
from ftpservice_client.listings.eplf import eplf_entry
from ftpservice_client.listings.ibm import READERS_BY_HEADING, os400_entry
from ftpservice_client.listings.unix import netware_entry, unix_entry
from ftpservice_client.listings.vms import VMS_NAME_LINE, vms_entry

__all__ = ["ParsedListing", "parse_listing"]

TOTAL_LINE = re.compile(
    r"(?:total|totaal|totale|totalt|insgesamt|summe|razem|celkem|suma|yhteensä|összesen|toplam"
    r"|итого|всего|разом|合計|总计|總計|总用量|總用量|합계)[: ]{0,3}"
    r"[0-9][0-9.,]{0,30} ?[KMGTkmgt]?i?[Bb]?\s*",
    re.IGNORECASE,
)
SURROUNDING_LINE = re.compile(
    r"\s*Directory (?:of )?\S.*|\s*Volume (?:in drive|Serial Number) .*"
    r"|\s*[0-9.,]{1,20} (?:File|Dir)\(s\)\s.*|(?:Grand )?[Tt]otal of [0-9]{1,12} files?\b.*",
    re.IGNORECASE,
)
"""A line that ``dir`` of DOS or VMS prints around the entries."""
DIRECTORY_HEADING = re.compile(r"\.?/?[^\s:]{0,200}:")
"""A heading of ``ls -R`` for the directory itself."""


@dataclass(frozen=True, slots=True)
class ParsedListing:
    """The entries of a listing; names are unchanged, and ``.`` and ``..`` are included."""

    entries: tuple[Entry, ...]
    unparsed: tuple[str, ...]
    """Lines in no known format."""


def parse_listing(lines: Sequence[str], now: float) -> ParsedListing:
    """Parse the lines of one directory; never raises.

    ``now`` decides the year of a date without one.
    """
    entries: list[Entry] = []
    unread: list[str] = []
    read = _Formats(now, any(map(IS_DAY_FIRST.fullmatch, lines))).read
    waiting = list(_joined(_without_heading(lines)))
    for number, line in enumerate(waiting):
        if _is_later_heading(line, waiting[number + 1 : number + 2]):
            unread += waiting[number:]  # the lines after it are of another directory
            break
        try:
            entry = read(line)
        except (ValueError, OverflowError):
            unread.append(line)
        else:
            if entry is not None:
                entries.append(entry)
    return ParsedListing(tuple(_newest(entries)), tuple(unread))


def _without_heading(lines: Sequence[str]) -> list[str]:
    """Leave out empty lines, and the heading of the directory itself."""
    kept = [line for line in lines if line.strip()]
    if len(kept) > 1 and DIRECTORY_HEADING.fullmatch(kept[0]) and TOTAL_LINE.fullmatch(kept[1]):
        del kept[0]
    return kept


def _is_later_heading(line: str, following: Sequence[str]) -> bool:
    """Return whether ``ls -R`` continues with another directory here."""
    return line.endswith(":") and any(map(TOTAL_LINE.fullmatch, following))


def _joined(lines: Sequence[str]) -> Iterator[str]:
    """Join a long VMS name with the line after it."""
    name = ""
    for line in lines:
        if name and line[:1].isspace():
            yield f"{name} {line.strip()}"
            name = ""
            continue
        if name:
            yield name
        name = line.rstrip() if VMS_NAME_LINE.fullmatch(line) else ""
        if not name:
            yield line
    if name:
        yield name


def _newest(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Leave out older versions of a file; VMS lists them after the newest."""
    seen: set[tuple[str, bool]] = set()
    for entry in entries:
        key = (entry.name, entry.size_known)
        if entry.size_known or key not in seen:
            yield entry
        seen.add(key)


class _Formats:
    """Parses the lines of one listing; the format of the last line is tried first."""

    def __init__(self, now: float, day_first: bool) -> None:
        self._readers: list[Callable[[str], Entry]] = [
            lambda text: unix_entry(text, now),
            lambda text: dos_entry(text, day_first=day_first),
            eplf_entry,
            vms_entry,
            os400_entry,
            lambda text: netware_entry(text, now),
        ]
        self._headed: Callable[[str], Entry] | None = None

    def read(self, line: str) -> Entry | None:
        """Return an entry, or None for a line known to describe none; raises `ValueError`."""
        if self._headed is not None:
            return self._headed(line)
        for number, reader in enumerate(self._readers):
            try:
                entry = reader(line)
            except (ValueError, OverflowError):
                continue
            self._readers.insert(0, self._readers.pop(number))
            return entry
        self._headed = next(
            (reader for head, reader in READERS_BY_HEADING if head.fullmatch(line)), None
        )
        if (
            self._headed is None
            and not TOTAL_LINE.fullmatch(line)
            and not SURROUNDING_LINE.fullmatch(line)
        ):
            raise ValueError("not a line of a listing")
        return None
