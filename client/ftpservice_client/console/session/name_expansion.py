"""Expansion of wildcards to local and remote names, and the local target of a download."""

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
from ftpservice_client.console.session.errors import ConsoleError, UsageError
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.session import ConsoleSession

__all__ = [
    "base_name",
    "expand_local_files",
    "expand_remote_files",
    "is_pattern",
    "local_path",
    "local_target",
    "matching_entries",
    "require_distinct",
    "unparsed_text",
]


def is_pattern(argument: ShellArgument) -> bool:
    """Return whether the argument holds wildcards that are not quoted."""
    return not argument.literal and has_wildcards(argument.text)


async def expand_remote_files(
    session: ConsoleSession, arguments: Sequence[ShellArgument]
) -> list[str]:
    """Return the names; a pattern is replaced by the files that match. Raises `NotFound`."""
    names: list[str] = []
    for argument in arguments:
        if not is_pattern(argument):
            names.append(argument.text)
            continue
        head, slash, pattern = argument.text.rpartition("/")
        listing = await session.client.list(head + slash)
        if not listing.is_complete:
            session.screen.print_error(unparsed_text(listing))
        found = matching_entries(listing.entries, pattern)
        names += [head + slash + entry.name for entry in found if entry.kind is not Kind.DIRECTORY]
    if not names:
        patterns = ", ".join(argument.text for argument in arguments)
        raise NotFound(f"{patterns}: no remote file matches")
    return names


def unparsed_text(listing: Listing) -> str:
    """Return one line about the lines of a listing that were skipped."""
    lines = [*listing.unparsed, *listing.unsafe]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return f"Skipped in the listing: {lines[0]}{more}"


def matching_entries(entries: Sequence[Entry], pattern: str) -> list[Entry]:
    """Return the entries whose names match, sorted; raises `UsageError` for an invalid pattern."""
    try:
        matches = GlobPattern(pattern).matches
    except ValueError as error:
        raise UsageError(f"{str(error).capitalize()}.") from None
    return sorted((entry for entry in entries if matches(entry.name)), key=attrgetter("name"))


async def expand_local_files(
    session: ConsoleSession, arguments: Sequence[ShellArgument]
) -> list[Path]:
    """Return the local paths; a pattern is replaced by the files that match."""
    paths = await session.in_thread(_expand, arguments)
    if not paths:
        patterns = ", ".join(argument.text for argument in arguments)
        raise ConsoleError(f"{patterns}: no local file matches")
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
    """Raise `UsageError` if two files would get the same name: one would replace the other."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"Two files would get the name {name}.")
        seen.add(name)


def local_path(argument: ShellArgument) -> Path:
    """Return the path of an argument; ``~`` is expanded unless it was quoted."""
    path = Path(argument.text)
    return path if argument.literal else path.expanduser()


def base_name(name: str) -> str:
    """Return the last component of a remote path; raises `ConsoleError` if it is no file name."""
    last = name.rstrip("/").rpartition("/")[2]
    if last in ("", ".", "..") or "\0" in last:
        raise ConsoleError(f"Not a file name: {name}")
    return last


async def local_target(session: ConsoleSession, name: str, to: ShellArgument | None) -> Path:
    """Return the path of a download: in the current directory, in the directory ``to``, or ``to``.

    A ``to`` that ends with ``/`` is a directory and is created if it is missing.
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
