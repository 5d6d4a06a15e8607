"""Listings as shell and single commands show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from ftpservice_client import Listing, MirrorResult
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.name_expansion import (
    is_pattern,
    matching_entries,
)
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import plain_listing, simple_listing
from ftpservice_client.mirror.local_tree import remote_path

__all__ = ["DEFAULT_ALGORITHM", "fetch_listing", "listing_lines", "remove_tree"]


async def fetch_listing(session: ShellSession, argument: ShellArgument) -> Listing:
    """Return what a directory holds, or what of it fits a pattern, by name."""
    path, pattern = argument.text, ""
    if is_pattern(argument):
        head, slash, pattern = path.rpartition("/")
        path = head + slash
    listing = await session.client.list(path)
    found = matching_entries(listing.entries, pattern) if pattern else listing.entries
    return replace(listing, entries=tuple(sorted(found, key=attrgetter("name"))))


def listing_lines(session: ShellSession, listing: Listing, *, names: bool = False) -> Iterator[str]:
    """Return the lines of a listing, as users of the protocol know them."""
    if names:
        return (escape_unprintable(entry.name) for entry in listing.entries)
    if session.place is not None and session.place.scheme.is_simple:
        return simple_listing(listing.entries, listing.total, session.screen)
    return plain_listing(listing.entries, session.screen)


DEFAULT_ALGORITHM = "SHA-256"


async def remove_tree(session: ShellSession, name: str) -> MirrorResult:
    """Remove a directory with all that is in it, and tell of it."""
    done = await session.client.remove_tree(name)
    for step in done.steps:
        told = "Deleted" if step.action == "delete" else "Kept"
        session.screen.remark(f"{told} {remote_path(name, step.name)}")
    for step, why in done.failed:
        session.screen.remark(
            f"failed: {step.action} {remote_path(name, step.name)}: {error_text(why)}"
        )
    return done
