"""The zone in which a server writes the times of its listings.

LIST reports local times without a zone. Once in a session, the time of one file is compared with
its time in UTC from MDTM (RFC 3659 §3): the difference, in quarters of an hour, is the zone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.listings.dates import MINUTE_SECONDS
from ftpservice_client.results import Listing

__all__ = ["ServerTimeZone"]

QUARTER_HOUR_SECONDS = 900
MAX_OFFSET_SECONDS = 14 * 3600
"""Seconds by which a zone can differ from UTC."""
MAX_TRIES = 3
"""Number of files to compare before the zone is assumed to be UTC."""


class ServerTimeZone:
    """Converts the times of listings to UTC; ``modified`` sends MDTM."""

    def __init__(self, modified: Callable[[str], Awaitable[float | None]]) -> None:
        self._modified = modified
        self._offset: float | None = None
        self._tries = 0

    async def in_utc(self, listing: Listing) -> Listing:
        """Return a listing of the current directory with its times in UTC."""
        for entry in listing.entries:
            if self._offset is not None or self._tries >= MAX_TRIES:
                break
            if entry.kind is Kind.FILE and entry.time_grain == MINUTE_SECONDS:
                await self._compare(entry)
        offset = self._offset
        if not offset:
            return listing
        entries = tuple(
            entry._replace(modified=entry.modified + offset) if entry.time_grain else entry
            for entry in listing.entries
        )
        return replace(listing, entries=entries)

    async def _compare(self, entry: Entry) -> None:
        """Determine the zone from one file, unless the file was changed since the listing."""
        self._tries += 1
        exact = await self._modified(entry.name)
        if exact is None:
            return
        offset = (exact - entry.modified) // QUARTER_HOUR_SECONDS * QUARTER_HOUR_SECONDS
        if (
            abs(offset) <= MAX_OFFSET_SECONDS
            and exact - entry.modified - offset < MINUTE_SECONDS + 1
        ):
            self._offset = offset
