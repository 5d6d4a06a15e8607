"""Listings as the shell and the one-shot command ``ls`` print them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from ftpservice_client import Listing
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.name_expansion import is_pattern, matching_entries
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import plain_listing, simple_listing

__all__ = ["fetch_listing", "listing_lines"]


async def fetch_listing(session: ConsoleSession, argument: ShellArgument) -> Listing:
    """Return the listing of a directory, or the part that matches a pattern, sorted by name."""
    path, pattern = argument.text, ""
    if is_pattern(argument):
        head, slash, pattern = path.rpartition("/")
        path = head + slash
    listing = await session.client.list(path)
    found = matching_entries(listing.entries, pattern) if pattern else listing.entries
    return replace(listing, entries=tuple(sorted(found, key=attrgetter("name"))))


def listing_lines(
    session: ConsoleSession, listing: Listing, *, names: bool = False
) -> Iterator[str]:
    """Return the lines of a listing, in the form of the session's protocol."""
    if names:
        return (escape_unprintable(entry.name) for entry in listing.entries)
    if session.destination is not None and session.destination.scheme.is_simple:
        return simple_listing(listing.entries, listing.total, session.screen)
    return plain_listing(listing.entries, session.screen)
