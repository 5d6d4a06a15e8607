"""A directory tree on the server, found by listing one directory after the other.

Links are not followed. Some servers list a link to a directory as a directory; where MLSD tells
the ``unique`` fact, one that leads to a directory above it is recognized, and the tree has an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.errors import (
    ClientError,
    NetworkError,
    ProtocolViolation,
    ServerRefused,
    UnparsableListing,
    Unsupported,
)
from ftpservice_client.interfaces import ClientSession
from ftpservice_client.mirror.local_tree import FileTree, PathFilters, TreeItem, remote_path
from ftpservice_client.results import Listing
from ftpservice_client.sessions.pool import SessionPool
from ftpservice_client.sessions.queue import SessionQueue

__all__ = ["walk_remote_tree"]

MAX_DEPTH = 100
MAX_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class _PendingDirectory:
    """A directory that is to be listed."""

    path: str
    above: tuple[str, ...] = ()
    """What it, and the directories above it, are recognized by."""


async def walk_remote_tree(
    lines: SessionQueue | SessionPool, top: str, filters: PathFilters
) -> FileTree:
    """Return what is below a directory; raises what listing that one fails with.

    A directory below it that cannot be listed fails alone. Raises `ProtocolViolation` for a tree
    that has no end.
    """
    walk = _TreeWalk(lines, top, filters)
    await walk.run()
    return walk.tree


class _TreeWalk:
    """Lists directories, and knows which are to be listed yet."""

    def __init__(self, lines: SessionQueue | SessionPool, top: str, filters: PathFilters) -> None:
        self.tree = FileTree(is_remote=True)
        self._lines = lines
        self._top = top
        self._filters = filters
        self._waiting = [_PendingDirectory("")]
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
            if count > MAX_ENTRIES or place.path.count("/") > MAX_DEPTH:
                raise ProtocolViolation("the server has a tree that has no end")

    async def _listing(self, place: _PendingDirectory) -> Listing | None:
        """Return what a directory holds; None where that failed, which is noted.

        A cut is borne once; two in a row mean that there is no server any more.
        """
        try:
            path = remote_path(self._top, place.path)
            listing = await self._lines.ask(partial(_entries, path), again=True)
        except (ServerRefused, Unsupported, UnparsableListing, NetworkError) as error:
            if not place.path or (self._is_cut and isinstance(error, NetworkError)):
                raise
            self._is_cut = isinstance(error, NetworkError)
            self.tree.fail(place.path, error)
            return None
        self._is_cut = False
        return listing

    async def _take_all(self, place: _PendingDirectory, listing: Listing) -> None:
        tree = self.tree
        tree.unsafe += listing.unsafe
        if listing.unparsed:
            tree.fail(place.path, _unparsed_error(listing))
        if listing.unsafe:
            tree.incomplete.add(place.path)
        if not listing.shows_hidden:
            tree.hiding_dot_names.add(place.path)
        above = await self._above(place, listing)
        for entry in listing.entries:
            path = f"{place.path}/{entry.name}" if place.path else entry.name
            if self._take(path, entry, above):
                unique = (entry.unique,) if entry.unique else ()
                self._waiting.append(_PendingDirectory(path, (*above, *unique)))

    async def _above(self, place: _PendingDirectory, listing: Listing) -> tuple[str, ...]:
        """Return what a directory and those above it are recognized by."""
        if place.path:
            return place.above
        unique = listing.unique
        if not unique and any(_has_unique_fact(entry) for entry in listing.entries):
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
        elif entry.kind is Kind.LINK or (_has_unique_fact(entry) and entry.unique in above):
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
        if _has_unique_fact(entry):
            former = self._seen.setdefault(entry.unique, path)
            if former != path:
                self.tree.aliased |= {former, path}


async def _entries(path: str, session: ClientSession) -> Listing:
    return await session.entries(path)


def _has_unique_fact(entry: Entry) -> bool:
    return entry.kind is Kind.DIRECTORY and bool(entry.unique)


def _item(entry: Entry) -> TreeItem:
    is_directory = entry.kind is Kind.DIRECTORY
    grain, known = entry.time_grain, entry.size_known
    return TreeItem(is_directory, entry.size, entry.modified, grain, known)


def _unparsed_error(listing: Listing) -> UnparsableListing:
    count = len(listing.unparsed)
    lines = "a line" if count == 1 else f"{count} lines"
    return UnparsableListing(
        f"{lines} of the listing could not be understood: {listing.unparsed[0]!r}"
    )
