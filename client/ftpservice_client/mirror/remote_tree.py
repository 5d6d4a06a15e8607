"""A directory tree on the server, found by listing one directory after the other.

Links are not followed. Some servers tell a link to a directory as a directory; where MLSD tells
the ``unique`` fact, one that leads to a directory above it is recognized, and the tree has an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.errors import (
    ClientError,
    Cut,
    Garbled,
    Refused,
    UnreadListing,
    Unsupported,
)
from ftpservice_client.interfaces import Session
from ftpservice_client.mirror.local_tree import Filters, Item, Tree, below
from ftpservice_client.results import Listing
from ftpservice_client.sessions.pool import Lines
from ftpservice_client.sessions.queue import Line

__all__ = ["remote_tree"]

DEEPEST = 100
MOST_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class _Place:
    """A directory that is to be listed."""

    path: str
    above: tuple[str, ...] = ()
    """What it, and the directories above it, are recognized by."""


async def remote_tree(lines: Line | Lines, top: str, filters: Filters) -> Tree:
    """Return what is below a directory; raises what listing that one fails with.

    A directory below it that cannot be listed fails alone. Raises `Garbled` for a tree that has no
    end.
    """
    walk = _Walk(lines, top, filters)
    await walk.run()
    return walk.tree


class _Walk:
    """Lists directories, and knows which are to be listed yet."""

    def __init__(self, lines: Line | Lines, top: str, filters: Filters) -> None:
        self.tree = Tree(is_remote=True)
        self._lines = lines
        self._top = top
        self._filters = filters
        self._waiting = [_Place("")]
        self._seen: dict[str, str] = {}
        """Paths of directories by what they are recognized by."""
        self._is_cut = False

    async def run(self) -> None:
        """List all there is."""
        tree = self.tree
        while self._waiting:
            place = self._waiting.pop()
            listing = await self._listing(place)
            if listing is not None:
                await self._take_all(place, listing)
            count = len(tree.items) + len(tree.others) + len(tree.links) + len(tree.unsafe)
            if count > MOST_ENTRIES or place.path.count("/") > DEEPEST:
                raise Garbled("the server has a tree that has no end")

    async def _listing(self, place: _Place) -> Listing | None:
        """Return what a directory holds; None where that failed, which is noted.

        A cut is borne once; two in a row mean that there is no server any more.
        """
        try:
            path = below(self._top, place.path)
            listing = await self._lines.ask(partial(_entries, path), again=True)
        except (Refused, Unsupported, UnreadListing, Cut) as error:
            if not place.path or (self._is_cut and isinstance(error, Cut)):
                raise
            self._is_cut = isinstance(error, Cut)
            self.tree.fail(place.path, error)
            return None
        self._is_cut = False
        return listing

    async def _take_all(self, place: _Place, listing: Listing) -> None:
        tree = self.tree
        tree.unsafe += listing.unsafe
        if listing.unread:
            tree.fail(place.path, _not_understood(listing))
        if listing.unsafe:
            tree.vague.add(place.path)
        if not listing.shows_hidden:
            tree.veiled.add(place.path)
        above = await self._above(place, listing)
        for entry in listing.entries:
            path = f"{place.path}/{entry.name}" if place.path else entry.name
            if self._take(path, entry, above):
                unique = (entry.unique,) if entry.unique else ()
                self._waiting.append(_Place(path, (*above, *unique)))

    async def _above(self, place: _Place, listing: Listing) -> tuple[str, ...]:
        """Return what a directory and those above it are recognized by."""
        if place.path:
            return place.above
        unique = listing.unique
        if not unique and any(_tells_unique(entry) for entry in listing.entries):
            unique = await self._unique_of_top()
        self._seen[unique] = ""
        return (unique,) if unique else ()

    async def _unique_of_top(self) -> str:
        try:
            return (await self._lines.ask(lambda session: session.stat(self._top))).unique
        except ClientError:
            return ""

    def _take(self, path: str, entry: Entry, above: tuple[str, ...]) -> bool:
        """Add what is under a path; tell whether it is to be looked into."""
        tree = self.tree
        is_directory = entry.kind is Kind.DIRECTORY
        if path in tree.items or path in tree.links or path in tree.others:
            return False
        if not self._filters.admit(path, is_directory):
            tree.others.add(path)
        elif entry.kind is Kind.LINK or (_tells_unique(entry) and entry.unique in above):
            tree.links.add(path)
        elif entry.kind is Kind.OTHER:
            tree.others.add(path)
        else:
            tree.items[path] = _item(entry)
            self._compare(path, entry)
            return is_directory
        return False

    def _compare(self, path: str, entry: Entry) -> None:
        """Note a directory that was seen under another path."""
        if _tells_unique(entry):
            former = self._seen.setdefault(entry.unique, path)
            if former != path:
                self.tree.shared |= {former, path}


async def _entries(path: str, session: Session) -> Listing:
    return await session.entries(path)


def _tells_unique(entry: Entry) -> bool:
    return entry.kind is Kind.DIRECTORY and bool(entry.unique)


def _item(entry: Entry) -> Item:
    is_directory = entry.kind is Kind.DIRECTORY
    grain, known = entry.time_grain, entry.size_known
    return Item(is_directory, entry.size, entry.modified, grain, known)


def _not_understood(listing: Listing) -> UnreadListing:
    count = len(listing.unread)
    lines = "a line" if count == 1 else f"{count} lines"
    return UnreadListing(f"{lines} of the listing could not be understood: {listing.unread[0]!r}")
