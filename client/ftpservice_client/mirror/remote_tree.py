"""Lists a directory tree on the server, one directory after the other.

Links are not followed. Some servers list a link to a directory as a directory. If MLSD sends the
``unique`` fact (RFC 3659 §7.5.2), a link to a directory above it is recognized by it, so the walk
ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.units import count_text
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
    """A directory that has to be listed."""

    path: str
    above: tuple[str, ...] = ()
    """The ``unique`` facts of it and of the directories above it."""


async def walk_remote_tree(
    sessions: SessionQueue | SessionPool, top: str, filters: PathFilters
) -> FileTree:
    """Return the tree below a directory; raises the error of listing that directory.

    A directory below it that cannot be listed is recorded in `FileTree.failed`. Raises
    `ProtocolViolation` for an endless tree.
    """
    walk = _TreeWalk(sessions, top, filters)
    await walk.run()
    return walk.tree


class _TreeWalk:
    """The state of one walk."""

    def __init__(
        self, sessions: SessionQueue | SessionPool, top: str, filters: PathFilters
    ) -> None:
        self.tree = FileTree(is_remote=True)
        self._sessions = sessions
        self._top = top
        self._filters = filters
        self._waiting = [_PendingDirectory("")]
        self._seen: dict[str, str] = {}
        """Paths of directories by their ``unique`` fact."""
        self._was_lost = False

    async def run(self) -> None:
        """List all directories."""
        tree = self.tree
        while self._waiting:
            place = self._waiting.pop()
            listing = await self._listing(place)
            if listing is not None:
                await self._add_all(place, listing)
            count = len(tree.items) + len(tree.excluded) + len(tree.links) + len(tree.unsafe)
            if count > MAX_ENTRIES or place.path.count("/") > MAX_DEPTH:
                raise ProtocolViolation("the directory tree on the server is endless")

    async def _listing(self, place: _PendingDirectory) -> Listing | None:
        """Return the listing of a directory; None if it failed, which is recorded.

        After a lost connection the walk continues; after two in a row the server counts as gone.
        """
        try:
            path = remote_path(self._top, place.path)
            listing = await self._sessions.run(partial(_entries, path), repeatable=True)
        except (ServerRefused, Unsupported, UnparsableListing, NetworkError) as error:
            if not place.path or (self._was_lost and isinstance(error, NetworkError)):
                raise
            self._was_lost = isinstance(error, NetworkError)
            self.tree.fail(place.path, error)
            return None
        self._was_lost = False
        return listing

    async def _add_all(self, place: _PendingDirectory, listing: Listing) -> None:
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
            if self._add(path, entry, above):
                unique = (entry.unique,) if entry.unique else ()
                self._waiting.append(_PendingDirectory(path, (*above, *unique)))

    async def _above(self, place: _PendingDirectory, listing: Listing) -> tuple[str, ...]:
        """Return the ``unique`` facts of a directory and of those above it."""
        if place.path:
            return place.above
        unique = listing.unique
        if not unique and any(_has_unique_fact(entry) for entry in listing.entries):
            unique = await self._unique_of_top()
        self._seen[unique] = ""
        return (unique,) if unique else ()

    async def _unique_of_top(self) -> str:
        try:
            return (await self._sessions.run(lambda session: session.stat(self._top))).unique
        except ClientError:
            return ""

    def _add(self, path: str, entry: Entry, above: tuple[str, ...]) -> bool:
        """Add an entry; return whether it is a directory to be listed."""
        tree = self.tree
        is_directory = entry.kind is Kind.DIRECTORY
        if path in tree.items or path in tree.links or path in tree.excluded:
            return False
        if not self._filters.matches(path, is_directory):
            tree.excluded.add(path)
        elif entry.kind is Kind.LINK or (_has_unique_fact(entry) and entry.unique in above):
            tree.links.add(path)
        elif entry.kind is Kind.OTHER:
            tree.excluded.add(path)
        else:
            tree.items[path] = _item(entry)
            self._compare(path, entry)
            return is_directory
        return False

    def _compare(self, path: str, entry: Entry) -> None:
        """Record a directory that was also listed under another path."""
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
    lines = count_text(count, "line")
    return UnparsableListing(f"{lines} of the listing cannot be parsed: {listing.unparsed[0]!r}")
