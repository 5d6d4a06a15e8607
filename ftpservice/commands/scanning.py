"""What a listing is about: a directory, a file, a pattern; read in batches, never all at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from ftpservice.session.refusals import Refusal
from ftpservice.storage.errors import NotFound
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.links import directory_or_itself, lstat
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.globbing import Pattern, has_wildcards
from ftpservice.wire.listing import is_printable
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.switches import Switches

__all__ = ["Batch", "Found", "Scan", "batches", "find"]

MOST_SORTED = 20_000
"""Entries that are held to be put in an order that was asked for; a larger directory streams."""
DEEPEST = 32
MOST_PLACES = 10_000
"""Directories that the leading components of a pattern may match, or ``LIST -R`` may enter."""


Place = tuple[VirtualPath, str]
"""A directory and what stands before its names, as the client names it."""


@dataclass(frozen=True)
class Batch:
    """Some entries and the directory that holds them, as the client names it ("" or "a/b/")."""

    prefix: str
    entries: Sequence[Entry]
    heading: str = ""
    """Text that stands before them (``LIST -R``)."""


@dataclass(frozen=True)
class Found:
    """What an argument stands for, its existence already known."""

    path: VirtualPath
    shown: str
    """The argument as the client spelled it."""
    entry: Entry | None
    """``None`` for a pattern."""


async def find(storage: IStorage, path: VirtualPath, shown: str, switches: Switches) -> Found:
    """Look ``path`` up; a name that exists is itself, else it may be a pattern.

    A link to a directory stands for the directory, unless ``-d`` asks for the link. Raises
    `NotFound`.
    """
    look = lstat if switches.directory else directory_or_itself
    try:
        return Found(path, shown, await look(storage, path))
    except NotFound:
        if not has_wildcards(shown):
            raise
        for component in path.parts:
            _pattern(component)  # what is too complex is said before a transfer begins
        return Found(path, shown, None)


async def batches(storage: IStorage, path: VirtualPath) -> AsyncGenerator[list[Entry], None]:
    """Read a directory; names that would break a line are left out."""
    listing = await storage.open_listing(path)
    try:
        while batch := await listing.next_batch():
            yield sorted(entry for entry in batch if is_printable(entry.name))
    finally:
        listing.close()


def _order(switches: Switches) -> Callable[[Entry], tuple[float, str]] | None:
    """Return the key that was asked for (``-t``, ``-S``), or ``None``."""
    if switches.by_time:
        return lambda entry: (-entry.modified, entry.name)
    if switches.by_size:
        return lambda entry: (-entry.size, entry.name)
    return (lambda entry: (0, entry.name)) if switches.reverse else None


class Scan:
    """Goes through what was found, as the switches ask."""

    def __init__(self, storage: IStorage, switches: Switches) -> None:
        self._storage = storage
        self._switches = switches

    async def run(self, found: Found) -> AsyncGenerator[Batch, None]:
        """Yield what a listing of ``found`` shows."""
        entry = found.entry
        if entry is None:
            async with aclosing(self._matches(found)) as matches:
                async for batch in matches:
                    yield batch
        elif entry.kind is not Kind.DIRECTORY or self._switches.directory:
            prefix, _, name = found.shown.rpartition("/")
            yield Batch(f"{prefix}/" if prefix else "", [entry._replace(name=name or entry.name)])
        elif self._switches.recursive:
            async with aclosing(self._tree(found)) as tree:
                async for batch in tree:
                    yield batch
        else:
            async with aclosing(self._directory(found.path, _as_prefix(found.shown))) as entries:
                async for batch in entries:
                    yield batch

    async def _directory(self, path: VirtualPath, prefix: str) -> AsyncGenerator[Batch, None]:
        order, held = _order(self._switches), list[Entry]()
        async with aclosing(batches(self._storage, path)) as reading:
            async for entries in reading:
                if order is None or len(held) + len(entries) > MOST_SORTED:
                    order = None
                    yield Batch(prefix, held + entries)
                    held = []
                else:
                    held += entries
        if order is not None:
            yield Batch(prefix, sorted(held, key=order, reverse=self._switches.reverse))

    async def _tree(self, found: Found) -> AsyncGenerator[Batch, None]:
        waiting = [(found.path, found.shown.rstrip("/"), 0)]
        first, seen = True, 0
        while waiting:
            seen += 1
            if seen > MOST_PLACES:
                raise Refusal(codes.REFUSED, "Too many directories to list.")
            path, shown, depth = waiting.pop()
            below: list[str] = []
            heading = f"{'' if first else chr(10)}{shown or '.'}:"
            first = False
            yield Batch(_as_prefix(shown), [], heading)
            async with aclosing(self._directory(path, _as_prefix(shown))) as entries:
                async for batch in entries:
                    yield batch
                    below += [e.name for e in batch.entries if e.kind is Kind.DIRECTORY]
            if depth < DEEPEST:
                waiting += [
                    (path.child(name), f"{_as_prefix(shown)}{name}", depth + 1)
                    for name in sorted(below, reverse=True)
                ]

    async def _matches(self, found: Found) -> AsyncGenerator[Batch, None]:
        """Match component by component; only the last may match files."""
        *middle, last = found.path.parts
        above, words = _spelled(found.shown)
        depth = len(found.path.parts) - min(words, len(found.path.parts))
        places = [(VirtualPath(tuple(middle[:depth])), above)]
        for component in middle[depth:]:
            places = await self._descend(places, _pattern(component))
        pattern = _pattern(last)
        async with aclosing(self._across(places)) as reading:
            async for _path, prefix, entries in reading:
                yield Batch(prefix, [entry for entry in entries if pattern.matches(entry.name)])

    async def _descend(self, places: list[Place], pattern: Pattern) -> list[Place]:
        """Return the directories in ``places`` that match."""
        below: list[Place] = []
        async with aclosing(self._across(places)) as reading:
            async for path, prefix, entries in reading:
                below += [
                    (path.child(entry.name), f"{prefix}{entry.name}/")
                    for entry in entries
                    if pattern.matches(entry.name) and await self._is_directory(path, entry)
                ]
        return below[:MOST_PLACES]

    async def _is_directory(self, home: VirtualPath, entry: Entry) -> bool:
        """Tell whether a pattern goes on below an entry; it does through links, as a shell's."""
        if entry.kind is Kind.LINK:
            entry = await self._storage.stat(home.child(entry.name))
        return entry.kind is Kind.DIRECTORY

    async def _across(
        self, places: list[Place]
    ) -> AsyncGenerator[tuple[VirtualPath, str, list[Entry]], None]:
        for path, prefix in places:
            async with aclosing(batches(self._storage, path)) as reading:
                async for entries in reading:
                    yield path, prefix, entries


def _spelled(shown: str) -> tuple[str, int]:
    """Return what leads to where a pattern begins ("/", "../"), and how many names are in it."""
    ups, names = 0, 0
    for word in shown.split("/"):
        if word == "..":
            ups, names = (ups, names - 1) if names else (ups + 1, 0)
        elif word not in ("", "."):
            names += 1
    return "/" if shown.startswith("/") else "../" * ups, names


def _pattern(component: str) -> Pattern:
    try:
        return Pattern(component)
    except ValueError:
        raise Refusal(codes.BAD_ARGUMENT, "That pattern is too complex.") from None


def _as_prefix(shown: str) -> str:
    return shown if not shown or shown.endswith("/") else f"{shown}/"
