"""What the argument of a listing stands for: a directory, a file, a pattern."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.session.error_replies import ReplyError
from ftpservice.storage.errors import PathNotFound
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.links import directory_or_itself, lstat
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.glob import MAX_LENGTH, GlobPattern, has_wildcards
from ftpservice.wire.ls_options import LsOptions
from ftpservice.wire.paths import VirtualPath

__all__ = ["ListingTarget", "find_target", "glob_pattern", "pattern_directory", "pattern_prefix"]

TOO_COMPLEX_TEXT = "That pattern is too complex."
MAX_PATTERNS = 32
"""Components of a path with wildcards."""


@dataclass(frozen=True)
class ListingTarget:
    """What an argument stands for, its existence already known."""

    path: VirtualPath
    shown: str
    """The argument as the client spelled it."""
    entry: Entry | None
    """``None`` for a pattern."""


async def find_target(
    storage: IStorage, path: VirtualPath, shown: str, switches: LsOptions
) -> ListingTarget:
    """Look ``path`` up; a name that exists is itself, else it may be a pattern.

    A link to a directory stands for the directory, unless ``-d`` asks for the link. Raises
    `PathNotFound`.
    """
    look = lstat if switches.directory else directory_or_itself
    try:
        entry = await look(storage, path)
        is_directory = entry.kind is Kind.DIRECTORY
        return ListingTarget(path, shown if is_directory else shown.rstrip("/"), entry)
    except PathNotFound:
        if not has_wildcards(shown):
            raise
        _see_that_it_is_simple(path)  # what is too complex is said before a transfer begins
        return ListingTarget(path, shown, None)


def _see_that_it_is_simple(path: VirtualPath) -> None:
    """Raise `ReplyError` for a pattern that is too complex."""
    patterns = [component for component in path.parts if has_wildcards(component)]
    if len(patterns) > MAX_PATTERNS or max(map(len, path.parts)) > MAX_LENGTH:
        raise ReplyError(codes.BAD_ARGUMENT, TOO_COMPLEX_TEXT)
    for component in patterns:
        glob_pattern(component)


def pattern_directory(found: ListingTarget) -> VirtualPath:
    """Return the directory in which a pattern begins."""
    parts = found.path.parts
    words = pattern_prefix(found.shown)[1]
    return VirtualPath(parts[:-1][: len(parts) - min(words, len(parts))])


def pattern_prefix(shown: str) -> tuple[str, int]:
    """Return what leads to where a pattern begins ("/", "../"), and how many names are in it."""
    ups, names = 0, 0
    for word in shown.split("/"):
        if word == "..":
            ups, names = (ups, names - 1) if names else (ups + 1, 0)
        elif word not in ("", "."):
            names += 1
    return "/" if shown.startswith("/") else "../" * ups, names


def glob_pattern(component: str) -> GlobPattern:
    """Return a component as a pattern; raises `ReplyError` for one that is too complex."""
    try:
        return GlobPattern(component)
    except ValueError:
        raise ReplyError(codes.BAD_ARGUMENT, TOO_COMPLEX_TEXT) from None
