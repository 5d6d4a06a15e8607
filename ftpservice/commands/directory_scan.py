"""The entries of a listing, read in batches, never all at once."""

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
"""Entries that are kept for sorting; a larger directory is sent unsorted."""
MAX_DEPTH = 32
MAX_DIRECTORIES = 10_000
"""Directories that the leading components of a pattern may match, or ``LIST -R`` may read."""
ENTRIES_PER_TURN = 500
"""Entries that are matched, or formatted, in one step."""

SortKey = Callable[[Entry], tuple[float, str]]
"""The key that entries are sorted by."""

PrefixedDirectory = tuple[VirtualPath, str]
"""A directory, and the prefix of its names as the client names it."""


@dataclass(frozen=True)
class EntryBatch:
    """Some entries and the directory that holds them, as the client names it ("" or "a/b/")."""

    prefix: str
    entries: Sequence[Entry]
    heading: str = ""
    """The line before them (``LIST -R``)."""


def _sort_key(options: LsOptions) -> SortKey | None:
    """Return the key that the options ask for (``-t``, ``-S``, ``-r``), or ``None``."""
    if options.by_time:
        return lambda entry: (-entry.modified, entry.name)
    if options.by_size:
        return lambda entry: (-entry.size, entry.name)
    return (lambda entry: (0, entry.name)) if options.reverse else None


class DirectoryScan:
    """Yields the entries of a target, as the options ask; charges computation to ``time_budget``.

    Subdirectories that cannot be read are left out, as `ls` does.
    """

    def __init__(
        self, storage: IStorage, options: LsOptions, target: ListingTarget, time_budget: TimeBudget
    ) -> None:
        self._storage = storage
        self._options = options
        self._target = target
        self._time_budget = time_budget
        self._top = _top(target, options)
        self._opened: tuple[IListing, Sequence[Entry]] | None = None
        """The directory that is read next, and its first entries."""

    async def begin(self) -> None:
        """Read the first entries of the first directory.

        So a listing is refused before anything is sent. To be followed by `run` or `end`; raises
        `StorageError`.
        """
        if self._top is not None:
            await self._open(self._top)

    def end(self) -> None:
        """Close what `begin` opened, if it was not run."""
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    async def _open(self, path: VirtualPath) -> bool:
        """Open the directory that is read next; False if it cannot be read and was not named.

        Raises `StorageError`.
        """
        if self._opened is not None:
            return True
        try:
            listing = await self._storage.open_listing(path)
            try:
                self._opened = listing, await listing.next_batch()
            except BaseException:
                listing.close()
                raise
        except (Denied, NotDirectory, PathNotFound):
            if path == self._top:
                raise
        return self._opened is not None

    async def _entries(self) -> AsyncGenerator[list[Entry], None]:
        """Read the open directory, up to `ENTRIES_PER_TURN` entries at a time.

        Names with line ends are left out.
        """
        opened, self._opened = self._opened, None
        if opened is None:
            return
        listing, batch = opened
        try:
            while batch:
                shown = await self._time_budget.run_when_due(_printable, batch)
                for start in range(0, len(shown), ENTRIES_PER_TURN):
                    yield shown[start : start + ENTRIES_PER_TURN]
                batch = await listing.next_batch()
        finally:
            listing.close()

    async def run(self) -> AsyncGenerator[EntryBatch, None]:
        """Yield the entries of the listing."""
        target = self._target
        entry = target.entry
        if entry is None:
            async with aclosing(self._matches(target)) as matches:
                async for batch in matches:
                    yield batch
        elif entry.kind is not Kind.DIRECTORY or self._options.directory:
            prefix, _, name = target.shown.rpartition("/")
            yield EntryBatch(
                f"{prefix}/" if prefix else "", [entry._replace(name=name or entry.name)]
            )
        elif self._options.recursive:
            async with aclosing(self._tree(target)) as tree:
                async for batch in tree:
                    yield batch
        else:
            async with aclosing(self._directory(target.path, _as_prefix(target.shown))) as entries:
                async for batch in entries:
                    yield batch

    async def _directory(self, path: VirtualPath, prefix: str) -> AsyncGenerator[EntryBatch, None]:
        key, kept, count = _sort_key(self._options), list[list[Entry]](), 0
        await self._open(path)
        async with aclosing(self._entries()) as reading:
            async for entries in reading:
                count += len(entries)
                if key is not None and count <= MAX_SORTED_ENTRIES:
                    kept.append(await self._time_budget.run_when_due(self._sorted, entries, key))
                    continue
                key = None
                for batch in [*kept, entries]:
                    yield EntryBatch(prefix, batch)
                kept = []
        if key is not None:
            merged = merge(*kept, key=key, reverse=self._options.reverse)
            while batch := await self._time_budget.run_when_due(_next_batch, merged):
                yield EntryBatch(prefix, batch)

    def _sorted(self, entries: list[Entry], key: SortKey) -> list[Entry]:
        return sorted(entries, key=key, reverse=self._options.reverse)

    async def _tree(self, target: ListingTarget) -> AsyncGenerator[EntryBatch, None]:
        waiting = [(target.path, target.shown.rstrip("/"), 0)]
        first, seen = True, 0
        while waiting:
            seen += 1
            if seen > MAX_DIRECTORIES:
                raise ReplyError(codes.FILE_UNAVAILABLE, "Too many directories to list.")
            path, shown, depth = waiting.pop()
            if not await self._open(path):
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

    async def _matches(self, target: ListingTarget) -> AsyncGenerator[EntryBatch, None]:
        """Match component by component; only the last one matches files."""
        *middle, last = target.path.parts
        top = pattern_directory(target)
        directories = [(top, pattern_prefix(target.shown)[0])]
        for component in middle[len(top.parts) :]:
            directories = await self._descend(directories, glob_pattern(component))
        pattern = glob_pattern(last)
        async with aclosing(self._across(directories, pattern)) as reading:
            async for _path, prefix, entries in reading:
                yield EntryBatch(prefix, entries)

    async def _descend(
        self, directories: list[PrefixedDirectory], pattern: GlobPattern
    ) -> list[PrefixedDirectory]:
        """Return the subdirectories of ``directories`` that match."""
        below: list[PrefixedDirectory] = []
        async with aclosing(self._across(directories, pattern)) as reading:
            async for path, prefix, entries in reading:
                below += [
                    (path.child(entry.name), f"{prefix}{entry.name}/")
                    for entry in entries
                    if await self._is_directory(path, entry)
                ]
                if len(below) >= MAX_DIRECTORIES:
                    break
        return below[:MAX_DIRECTORIES]

    async def _is_directory(self, parent: VirtualPath, entry: Entry) -> bool:
        """Return whether an entry is a directory, or a link to one."""
        if entry.kind is Kind.LINK:
            entry = await self._storage.stat(parent.child(entry.name))
        return entry.kind is Kind.DIRECTORY

    async def _across(
        self, directories: list[PrefixedDirectory], pattern: GlobPattern
    ) -> AsyncGenerator[tuple[VirtualPath, str, list[Entry]], None]:
        """Yield the entries that match, with their directory and its prefix."""
        for path, prefix in directories:
            if not await self._open(path):
                continue
            async with aclosing(self._entries()) as reading:
                async for entries in reading:
                    yield (
                        path,
                        prefix,
                        await self._time_budget.run_when_due(_matching, entries, pattern),
                    )


def _printable(entries: Sequence[Entry]) -> list[Entry]:
    if not is_printable("/".join([entry.name for entry in entries])):
        entries = [entry for entry in entries if is_printable(entry.name)]
    return sorted(entries)


def _matching(entries: Sequence[Entry], pattern: GlobPattern) -> list[Entry]:
    return [entry for entry in entries if pattern.matches(entry.name)]


def _directories(entries: Sequence[Entry]) -> list[str]:
    return [entry.name for entry in entries if entry.kind is Kind.DIRECTORY]


def _next_batch(entries: Iterator[Entry]) -> list[Entry]:
    return list(islice(entries, ENTRIES_PER_TURN))


def _top(target: ListingTarget, options: LsOptions) -> VirtualPath | None:
    """Return the first directory that a listing reads, if it reads any."""
    if target.entry is None:
        return pattern_directory(target)
    is_read = target.entry.kind is Kind.DIRECTORY and not options.directory
    return target.path if is_read else None


def _as_prefix(shown: str) -> str:
    return shown if not shown or shown.endswith("/") else f"{shown}/"
