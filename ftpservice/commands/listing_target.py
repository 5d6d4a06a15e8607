"""The target of a listing: a directory, a file or a pattern."""

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
"""Components of a path that have wildcards."""


@dataclass(frozen=True)
class ListingTarget:
    """What an argument names; it exists, or is a pattern."""

    path: VirtualPath
    shown: str
    """The argument as the client sent it."""
    entry: Entry | None
    """``None`` for a pattern."""


async def find_target(
    storage: IStorage, path: VirtualPath, shown: str, options: LsOptions
) -> ListingTarget:
    """Return the target of ``path``: what has that name, otherwise a pattern.

    A link to a directory is the directory, except with ``-d``. Raises `PathNotFound`, and
    `ReplyError` for a pattern that is too complex.
    """
    try:
        entry = await (lstat if options.directory else directory_or_itself)(storage, path)
        is_directory = entry.kind is Kind.DIRECTORY
        return ListingTarget(path, shown if is_directory else shown.rstrip("/"), entry)
    except PathNotFound:
        if not has_wildcards(shown):
            raise
        _check_complexity(path)  # before the transfer begins
        return ListingTarget(path, shown, None)


def _check_complexity(path: VirtualPath) -> None:
    """Raise `ReplyError` for a pattern that is too complex."""
    patterns = [component for component in path.parts if has_wildcards(component)]
    if len(patterns) > MAX_PATTERNS or max(map(len, path.parts)) > MAX_LENGTH:
        raise ReplyError(codes.BAD_ARGUMENT, TOO_COMPLEX_TEXT)
    for component in patterns:
        glob_pattern(component)


def pattern_directory(target: ListingTarget) -> VirtualPath:
    """Return the directory in which matching begins."""
    parts = target.path.parts
    names = pattern_prefix(target.shown)[1]
    return VirtualPath(parts[:-1][: len(parts) - min(names, len(parts))])


def pattern_prefix(shown: str) -> tuple[str, int]:
    """Return the prefix of a pattern ("/", "../" or ""), and its number of names."""
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
