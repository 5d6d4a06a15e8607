"""Directories as a listing shows them; read in batches, never all at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from ftpservice.commands.listing_target import (
    ListingTarget,
    glob_pattern,
    pattern_directory,
    pattern_prefix,
)
from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.session.error_replies import ReplyError
from ftpservice.storage.errors import Denied, NotDirectory, PathNotFound
from ftpservice.storage.interfaces import IListing, IStorage
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.glob import GlobPattern
from ftpservice.wire.list_format import is_printable
from ftpservice.wire.ls_options import LsOptions
from ftpservice.wire.paths import VirtualPath

__all__ = ["DirectoryScan", "EntryBatch"]

MAX_SORTED_ENTRIES = 20_000
"""Entries that are held to be put in an order that was asked for; a larger directory streams."""
MAX_DEPTH = 32
MAX_DIRECTORIES = 10_000
"""Directories that the leading components of a pattern may match, or ``LIST -R`` may enter."""
ENTRIES_PER_TURN = 200
"""Entries that are matched, or written as lines, in one step."""

SortKey = Callable[[Entry], tuple[float, str]]
"""The key that entries are sorted by."""

PrefixedDirectory = tuple[VirtualPath, str]
"""A directory and what stands before its names, as the client names it."""


@dataclass(frozen=True)
class EntryBatch:
    """Some entries and the directory that holds them, as the client names it ("" or "a/b/")."""

    prefix: str
    entries: Sequence[Entry]
    heading: str = ""
    """Text that stands before them (``LIST -R``)."""


def _order(switches: LsOptions) -> SortKey | None:
    """Return the key that was asked for (``-t``, ``-S``), or ``None``."""
    if switches.by_time:
        return lambda entry: (-entry.modified, entry.name)
    if switches.by_size:
        return lambda entry: (-entry.size, entry.name)
    return (lambda entry: (0, entry.name)) if switches.reverse else None


@dataclass
class _Opened:
    """A directory being read."""

    listing: IListing
    batch: Sequence[Entry]
    """What was read last."""


async def _opened(storage: IStorage, path: VirtualPath) -> _Opened:
    listing = await storage.open_listing(path)
    try:
        return _Opened(listing, await listing.next_batch())
    except BaseException:
        listing.close()
        raise


class DirectoryScan:
    """Goes through ``found``, as the switches ask; what takes time is done in turns.

    Directories deeper down that cannot be read are left out, as `ls` does.
    """

    def __init__(
        self, storage: IStorage, switches: LsOptions, found: ListingTarget, turns: TimeBudget
    ) -> None:
        self._storage = storage
        self._switches = switches
        self._found = found
        self._turns = turns
        self._top = _top(found, switches)
        self._opened: _Opened | None = None
        """The directory that is read next."""

    async def begin(self) -> None:
        """Read the first entries of the directory that comes first.

        So what cannot be listed is refused before anything is sent. To be followed by `run` or
        `end`; raises `StorageError`.
        """
        if self._top is not None:
            await self._opens(self._top)

    def end(self) -> None:
        """Let go of what `begin` opened, if it was not run."""
        if self._opened is not None:
            self._opened.listing.close()
            self._opened = None

    async def _opens(self, path: VirtualPath) -> bool:
        """Open the directory that is read next; tell whether it can be read.

        Raises `StorageError` for one that was named.
        """
        if self._opened is not None:
            return True
        try:
            self._opened = await _opened(self._storage, path)
        except (Denied, NotDirectory, PathNotFound):
            if path == self._top:
                raise
        return self._opened is not None

    async def _entries(self) -> AsyncGenerator[list[Entry], None]:
        """Read the directory opened, up to `ENTRIES_PER_TURN` entries at a time.

        Names that would break a line are left out.
        """
        opened, self._opened = self._opened, None
        if opened is None:
            return
        try:
            while opened.batch:
                shown = await self._turns.run_when_due(_printable, opened.batch)
                for start in range(0, len(shown), ENTRIES_PER_TURN):
                    yield shown[start : start + ENTRIES_PER_TURN]
                opened.batch = await opened.listing.next_batch()
        finally:
            opened.listing.close()

    async def run(self) -> AsyncGenerator[EntryBatch, None]:
        """Yield what a listing shows."""
        found = self._found
        entry = found.entry
        if entry is None:
            async with aclosing(self._matches(found)) as matches:
                async for batch in matches:
                    yield batch
        elif entry.kind is not Kind.DIRECTORY or self._switches.directory:
            prefix, _, name = found.shown.rpartition("/")
            yield EntryBatch(
                f"{prefix}/" if prefix else "", [entry._replace(name=name or entry.name)]
            )
        elif self._switches.recursive:
            async with aclosing(self._tree(found)) as tree:
                async for batch in tree:
                    yield batch
        else:
            async with aclosing(self._directory(found.path, _as_prefix(found.shown))) as entries:
                async for batch in entries:
                    yield batch

    async def _directory(self, path: VirtualPath, prefix: str) -> AsyncGenerator[EntryBatch, None]:
        order, held, count = _order(self._switches), list[list[Entry]](), 0
        await self._opens(path)
        async with aclosing(self._entries()) as reading:
            async for entries in reading:
                count += len(entries)
                if order is not None and count <= MAX_SORTED_ENTRIES:
                    held.append(await self._turns.run_when_due(self._sorted, entries, order))
                    continue
                order = None
                for run in [*held, entries]:
                    yield EntryBatch(prefix, run)
                held = []
        if order is not None:
            whole = merge(*held, key=order, reverse=self._switches.reverse)
            while run := await self._turns.run_when_due(_next_of, whole):
                yield EntryBatch(prefix, run)

    def _sorted(self, entries: list[Entry], order: SortKey) -> list[Entry]:
        return sorted(entries, key=order, reverse=self._switches.reverse)

    async def _tree(self, found: ListingTarget) -> AsyncGenerator[EntryBatch, None]:
        waiting = [(found.path, found.shown.rstrip("/"), 0)]
        first, seen = True, 0
        while waiting:
            seen += 1
            if seen > MAX_DIRECTORIES:
                raise ReplyError(codes.FILE_UNAVAILABLE, "Too many directories to list.")
            path, shown, depth = waiting.pop()
            if not await self._opens(path):
                continue
            below: list[str] = []
            heading = f"{'' if first else chr(10)}{shown or '.'}:"
            first = False
            yield EntryBatch(_as_prefix(shown), [], heading)
            async with aclosing(self._directory(path, _as_prefix(shown))) as entries:
                async for batch in entries:
                    yield batch
                    below += _directories(batch.entries) if len(below) < MAX_DIRECTORIES else []
            below = sorted(below, reverse=True) if depth < MAX_DEPTH else []
            waiting += [
                (path.child(name), f"{_as_prefix(shown)}{name}", depth + 1)
                for name in below[-MAX_DIRECTORIES:]
            ]

    async def _matches(self, found: ListingTarget) -> AsyncGenerator[EntryBatch, None]:
        """Match component by component; only the last may match files."""
        *middle, last = found.path.parts
        top = pattern_directory(found)
        places = [(top, pattern_prefix(found.shown)[0])]
        for component in middle[len(top.parts) :]:
            places = await self._descend(places, glob_pattern(component))
        pattern = glob_pattern(last)
        async with aclosing(self._across(places, pattern)) as reading:
            async for _path, prefix, entries in reading:
                yield EntryBatch(prefix, entries)

    async def _descend(
        self, places: list[PrefixedDirectory], pattern: GlobPattern
    ) -> list[PrefixedDirectory]:
        """Return the directories in ``places`` that match."""
        below: list[PrefixedDirectory] = []
        async with aclosing(self._across(places, pattern)) as reading:
            async for path, prefix, entries in reading:
                below += [
                    (path.child(entry.name), f"{prefix}{entry.name}/")
                    for entry in entries
                    if await self._is_directory(path, entry)
                ]
                if len(below) >= MAX_DIRECTORIES:
                    break
        return below[:MAX_DIRECTORIES]

    async def _is_directory(self, home: VirtualPath, entry: Entry) -> bool:
        """Tell whether a pattern goes on below an entry; it does through links, as a shell's."""
        if entry.kind is Kind.LINK:
            entry = await self._storage.stat(home.child(entry.name))
        return entry.kind is Kind.DIRECTORY

    async def _across(
        self, places: list[PrefixedDirectory], pattern: GlobPattern
    ) -> AsyncGenerator[tuple[VirtualPath, str, list[Entry]], None]:
        """Yield what matches, and where."""
        for path, prefix in places:
            if not await self._opens(path):
                continue
            async with aclosing(self._entries()) as reading:
                async for entries in reading:
                    yield path, prefix, await self._turns.run_when_due(_matching, entries, pattern)


def _printable(entries: Sequence[Entry]) -> list[Entry]:
    return sorted([entry for entry in entries if is_printable(entry.name)])


def _matching(entries: Sequence[Entry], pattern: GlobPattern) -> list[Entry]:
    return [entry for entry in entries if pattern.matches(entry.name)]


def _directories(entries: Sequence[Entry]) -> list[str]:
    return [entry.name for entry in entries if entry.kind is Kind.DIRECTORY]


def _next_of(entries: Iterator[Entry]) -> list[Entry]:
    return list(islice(entries, ENTRIES_PER_TURN))


def _top(found: ListingTarget, switches: LsOptions) -> VirtualPath | None:
    """Return the directory that a listing reads first, if it reads any."""
    if found.entry is None:
        return pattern_directory(found)
    is_read = found.entry.kind is Kind.DIRECTORY and not switches.directory
    return found.path if is_read else None


def _as_prefix(shown: str) -> str:
    return shown if not shown or shown.endswith("/") else f"{shown}/"
