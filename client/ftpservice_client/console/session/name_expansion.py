"""Wildcards to names, here and there; and the local name that a remote one gets."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.glob import Pattern, has_wildcards
from ftpservice_client import Listing, NotFound
from ftpservice_client.console.session.errors import Complaint, Usage
from ftpservice_client.console.session.line_parser import Argument
from ftpservice_client.console.session.session import Session

__all__ = [
    "is_pattern",
    "last_part",
    "local_files",
    "local_target",
    "matching",
    "remote_files",
    "require_distinct",
    "unclear",
]


def is_pattern(argument: Argument) -> bool:
    """Tell whether it may stand for several names."""
    return not argument.literal and has_wildcards(argument.text)


async def remote_files(session: Session, arguments: Sequence[Argument]) -> list[str]:
    """Return the names that are meant, files alone for those with wildcards."""
    names: list[str] = []
    for argument in arguments:
        if not is_pattern(argument):
            names.append(argument.text)
            continue
        head, slash, pattern = argument.text.rpartition("/")
        listing = await session.client.list(head + slash)
        if not listing.is_complete:
            session.screen.complain(unclear(listing))
        found = matching(listing.entries, pattern)
        names += [head + slash + entry.name for entry in found if entry.kind is not Kind.DIRECTORY]
    if not names:
        patterns = ", ".join(argument.text for argument in arguments)
        raise NotFound(f"{patterns}: no file there has such a name")
    return names


def unclear(listing: Listing) -> str:
    """Return a line about what of a listing could not be understood."""
    lines = [*listing.unread, *listing.unsafe]
    return f"Not understood of the listing: {lines[0]}" + (
        f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    )


def matching(entries: Sequence[Entry], pattern: str) -> list[Entry]:
    """Return the entries whose names fit, sorted; raises `Usage` for a pattern that is too much."""
    try:
        fits = Pattern(pattern).matches
    except ValueError as error:
        raise Usage(f"{str(error).capitalize()}.") from None
    return sorted((entry for entry in entries if fits(entry.name)), key=attrgetter("name"))


async def local_files(session: Session, arguments: Sequence[Argument]) -> list[Path]:
    """Return the files here that are meant."""
    paths = await session.aside(_expanded, arguments)
    if not paths:
        patterns = ", ".join(argument.text for argument in arguments)
        raise Complaint(f"{patterns}: no file here has such a name")
    return paths


def _expanded(arguments: Sequence[Argument]) -> list[Path]:
    paths: list[Path] = []
    for argument in arguments:
        if not is_pattern(argument):
            paths.append(local_path(argument))
        else:
            found = sorted(glob.glob(os.path.expanduser(argument.text)))
            paths += [Path(name) for name in found if os.path.isfile(name)]
    return paths


def require_distinct(names: Iterable[str]) -> None:
    """Raise `Usage` where two files would get one name, and the second replace the first."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Usage(f"Two of them would become {name}.")
        seen.add(name)


def local_path(argument: Argument) -> Path:
    """Return the path that was typed, ``~`` being home unless it was quoted."""
    path = Path(argument.text)
    return path if argument.literal else path.expanduser()


def last_part(name: str) -> str:
    """Return what a remote file is called where it lies; raises `Complaint` if nothing is left."""
    last = name.rstrip("/").rpartition("/")[2]
    if last in ("", ".", "..") or "\0" in last:
        raise Complaint("That is not the name of a file.")
    return last


async def local_target(session: Session, name: str, to: Argument | None) -> Path:
    """Return where a download goes: here, into the directory ``to``, or to the name ``to``.

    What ends with ``/`` is a directory, and made if it is not there.
    """
    if to is None:
        return Path(last_part(name))
    path = local_path(to)
    if to.text.endswith("/"):
        await session.aside(partial(path.mkdir, parents=True, exist_ok=True))
        return path / last_part(name)
    if await session.aside(path.is_dir):
        return path / last_part(name)
    return path
