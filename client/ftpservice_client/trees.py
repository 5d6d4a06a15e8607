"""Directory trees on both sides, as what is in them by path."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.errors import Garbled, Unsafe
from ftpservice_client.localfile import local_errors
from ftpservice_client.pool import Lines
from ftpservice_client.results import Listing
from ftpservice_client.session import Session

__all__ = [
    "Filters",
    "Item",
    "below",
    "local_tree",
    "make_real_directory",
    "remote_tree",
    "remove_local",
]

DEEPEST = 100
MOST_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """A file or a directory in a tree; others are not moved."""

    is_directory: bool
    size: int
    modified: float


@dataclass(frozen=True, slots=True)
class Filters:
    """Patterns of shells: of names or, with a ``/``, of paths from the top."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def admit(self, path: str, is_directory: bool) -> bool:
        """Tell whether something is to be looked at; directories need not be included by name."""
        if _matches(path, self.exclude):
            return False
        return is_directory or not self.include or _matches(path, self.include)


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    name = path.rpartition("/")[2]
    return any(
        fnmatchcase(path if "/" in pattern else name, pattern.strip("/")) for pattern in patterns
    )


def local_tree(top: Path, filters: Filters) -> dict[str, Item]:
    """Return what is below a directory, by path from there (blocks); links are left out.

    A directory comes before what is in it. Raises `LocalProblem`; without the top, it is empty.
    """
    found: dict[str, Item] = {}
    waiting = [""] if os.path.lexists(top) else []
    while waiting:
        place = waiting.pop()
        for name, item in _in_directory(top / place):
            path = f"{place}/{name}" if place else name
            if filters.admit(path, item.is_directory):
                found[path] = item
                waiting += [path] if item.is_directory else []
    return found


def _in_directory(place: Path) -> list[tuple[str, Item]]:
    with local_errors(place), os.scandir(place) as entries:
        items = [(entry.name, _item(entry.stat(follow_symlinks=False))) for entry in entries]
    return [(name, item) for name, item in sorted(items) if item is not None]


def _item(facts: os.stat_result) -> Item | None:
    if stat.S_ISDIR(facts.st_mode):
        return Item(True, 0, facts.st_mtime)
    return Item(False, facts.st_size, facts.st_mtime) if stat.S_ISREG(facts.st_mode) else None


async def remote_tree(
    lines: Lines, top: str, filters: Filters
) -> tuple[dict[str, Item], list[str]]:
    """Return what is below a directory on the server, and names that lead elsewhere.

    Raises `Garbled` for a tree that has no end.
    """
    found: dict[str, Item] = {}
    unsafe: list[str] = []
    waiting = [""]
    while waiting:
        place = waiting.pop()
        path = below(top, place)
        listing = await lines.ask(partial(_entries, path), again=True)
        unsafe += listing.unsafe
        for entry in listing.entries:
            inner = f"{place}/{entry.name}" if place else entry.name
            if _take(entry, inner, filters, found):
                waiting.append(inner)
        if len(found) + len(unsafe) > MOST_ENTRIES or place.count("/") > DEEPEST:
            raise Garbled("the server has a tree that has no end")
    return found, unsafe


async def _entries(path: str, session: Session) -> Listing:
    return await session.entries(path)


def _take(entry: Entry, path: str, filters: Filters, found: dict[str, Item]) -> bool:
    """Add what is a file or a directory; tell whether it is to be looked into."""
    is_directory = entry.kind is Kind.DIRECTORY
    if entry.kind not in (Kind.FILE, Kind.DIRECTORY) or not filters.admit(path, is_directory):
        return False
    if path in found:
        return False
    found[path] = Item(is_directory, entry.size, entry.modified)
    return is_directory


def below(top: str, path: str) -> str:
    """Return a path below a directory on the server."""
    if not path or not top:
        return top or path
    return f"{top.rstrip('/')}/{path}"


def make_real_directory(top: Path, path: str) -> None:
    """Have a directory be there, made of directories alone (blocks).

    Raises `Unsafe` where a link, or a file, stands in the way: what comes from a server does not
    go through links, whoever has made them.
    """
    with local_errors(top):
        top.mkdir(parents=True, exist_ok=True)
    place = top
    for part in filter(None, path.split("/")):
        place = place / part
        with local_errors(place):
            with suppress(FileExistsError):
                os.mkdir(place)
            _require_directory(place)


def _require_directory(place: Path) -> None:
    if not stat.S_ISDIR(os.lstat(place).st_mode):
        raise Unsafe(f"{place}: is in the way, and no directory")


def remove_local(top: Path, path: str) -> None:
    """Remove a file or an empty directory, not going through links (blocks)."""
    place = top
    for part in path.split("/"):
        with local_errors(place):
            _require_directory(place)
        place = place / part
    with local_errors(place):
        if stat.S_ISDIR(os.lstat(place).st_mode):
            os.rmdir(place)
        else:
            os.unlink(place)
