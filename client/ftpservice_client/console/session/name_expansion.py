"""Wildcards to names, here and there; and the local name that a remote one gets."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.glob import GlobPattern, has_wildcards
from ftpservice_client import Listing, NotFound
from ftpservice_client.console.session.errors import ShellError, ShellUsageError
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.session import ShellSession

__all__ = [
    "base_name",
    "expand_local_files",
    "expand_remote_files",
    "is_pattern",
    "local_target",
    "matching_entries",
    "require_distinct",
    "unparsed_text",
]


def is_pattern(argument: ShellArgument) -> bool:
    """Tell whether it may stand for several names."""
    return not argument.literal and has_wildcards(argument.text)


async def expand_remote_files(
    session: ShellSession, arguments: Sequence[ShellArgument]
) -> list[str]:
    """Return the names that are meant, files alone for those with wildcards."""
    names: list[str] = []
    for argument in arguments:
        if not is_pattern(argument):
            names.append(argument.text)
            continue
        head, slash, pattern = argument.text.rpartition("/")
        listing = await session.client.list(head + slash)
        if not listing.is_complete:
            session.screen.complain(unparsed_text(listing))
        found = matching_entries(listing.entries, pattern)
        names += [head + slash + entry.name for entry in found if entry.kind is not Kind.DIRECTORY]
    if not names:
        patterns = ", ".join(argument.text for argument in arguments)
        raise NotFound(f"{patterns}: no file there has such a name")
    return names


def unparsed_text(listing: Listing) -> str:
    """Return a line about what of a listing could not be understood."""
    lines = [*listing.unparsed, *listing.unsafe]
    return f"Not understood of the listing: {lines[0]}" + (
        f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    )


def matching_entries(entries: Sequence[Entry], pattern: str) -> list[Entry]:
    """Return the entries whose names fit, sorted.

    Raises `ShellUsageError` for a pattern that is too much.
    """
    try:
        fits = GlobPattern(pattern).matches
    except ValueError as error:
        raise ShellUsageError(f"{str(error).capitalize()}.") from None
    return sorted((entry for entry in entries if fits(entry.name)), key=attrgetter("name"))


async def expand_local_files(
    session: ShellSession, arguments: Sequence[ShellArgument]
) -> list[Path]:
    """Return the files here that are meant."""
    paths = await session.in_thread(_expand, arguments)
    if not paths:
        patterns = ", ".join(argument.text for argument in arguments)
        raise ShellError(f"{patterns}: no file here has such a name")
    return paths


def _expand(arguments: Sequence[ShellArgument]) -> list[Path]:
    paths: list[Path] = []
    for argument in arguments:
        if not is_pattern(argument):
            paths.append(local_path(argument))
        else:
            found = sorted(glob.glob(os.path.expanduser(argument.text)))
            paths += [Path(name) for name in found if os.path.isfile(name)]
    return paths


def require_distinct(names: Iterable[str]) -> None:
    """Raise `ShellUsageError` where two files would get one name.

    And the second replace the first.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ShellUsageError(f"Two of them would become {name}.")
        seen.add(name)


def local_path(argument: ShellArgument) -> Path:
    """Return the path that was typed, ``~`` being home unless it was quoted."""
    path = Path(argument.text)
    return path if argument.literal else path.expanduser()


def base_name(name: str) -> str:
    """Return what a remote file is called where it lies; raises `ShellError` if nothing is left."""
    last = name.rstrip("/").rpartition("/")[2]
    if last in ("", ".", "..") or "\0" in last:
        raise ShellError("That is not the name of a file.")
    return last


async def local_target(session: ShellSession, name: str, to: ShellArgument | None) -> Path:
    """Return where a download goes: here, into the directory ``to``, or to the name ``to``.

    What ends with ``/`` is a directory, and made if it is not there.
    """
    if to is None:
        return Path(base_name(name))
    path = local_path(to)
    if to.text.endswith("/"):
        await session.in_thread(partial(path.mkdir, parents=True, exist_ok=True))
        return path / base_name(name)
    if await session.in_thread(path.is_dir):
        return path / base_name(name)
    return path
