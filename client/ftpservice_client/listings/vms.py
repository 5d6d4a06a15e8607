"""Lines of OpenVMS: ``NAME.TYPE;VERSION  blocks  date time  [owner]  (protection)``.

A long name is on a line of its own, the other columns on the next line. Sizes are in blocks of 512
bytes, so the size of a file in bytes is unknown.
"""

from __future__ import annotations

import re

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.listings.dates import time_with_year
from ftpservice_client.listings.months import month_number

__all__ = ["VMS_NAME_LINE", "vms_entry"]

NAME_PATTERN = r"(?P<name>[^\s;]{1,255});(?P<version>[0-9]{1,5})"
VMS_NAME_LINE = re.compile(NAME_PATTERN + r"\s*")
"""A line with a name only; the next line continues it."""
VMS_LINE = re.compile(
    NAME_PATTERN + r"\s{1,200}(?:(?P<blocks>[0-9]{1,12})(?:/[0-9]{1,12})?\s{1,40})?"
    r"(?P<day>[0-9]{1,2})-(?P<month>[A-Za-z]{3})-(?P<year>[0-9]{4})"
    r"\s{1,9}(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:\s{1,40}\[(?P<owner>[^\]]*)\])?(?:\s{1,40}\([A-Za-z,: ]*\))?\s*"
)
DIRECTORY_SUFFIX = ".DIR"


def vms_entry(text: str) -> Entry:
    """Parse one entry; raises `ValueError`. Its name excludes the version."""
    match = VMS_LINE.fullmatch(text)
    if match is None:
        raise ValueError("not a VMS entry")
    clock = (int(match["hour"]), int(match["minute"]))
    when = time_with_year(
        int(match["year"]), month_number(match["month"]), int(match["day"]), *clock
    )
    owner = (match["owner"] or "ftp").rpartition(",")[2].strip() or "ftp"
    name = match["name"]
    is_directory = name.upper().endswith(DIRECTORY_SUFFIX) and len(name) > len(DIRECTORY_SUFFIX)
    return Entry(
        name[: -len(DIRECTORY_SUFFIX)] if is_directory else name,
        Kind.DIRECTORY if is_directory else Kind.FILE,
        0,
        when.moment,
        0o755 if is_directory else 0o644,
        owner,
        owner,
        time_grain=when.grain,
        size_known=is_directory,
    )
