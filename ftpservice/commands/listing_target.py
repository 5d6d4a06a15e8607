"""What the argument of a listing stands for: a directory, a file, a pattern."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.session.error_replies import Refusal
from ftpservice.storage.errors import NotFound
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.links import directory_or_itself, lstat
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.glob import MAX_LENGTH, Pattern, has_wildcards
from ftpservice.wire.ls_options import Switches
from ftpservice.wire.paths import VirtualPath

__all__ = ["Found", "find", "pattern_of", "place_of_pattern", "spelled"]

TOO_COMPLEX = "That pattern is too complex."
MOST_PATTERNS = 32
"""Components of a path with wildcards."""


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
        entry = await look(storage, path)
        is_directory = entry.kind is Kind.DIRECTORY
        return Found(path, shown if is_directory else shown.rstrip("/"), entry)
    except NotFound:
        if not has_wildcards(shown):
            raise
        _see_that_it_is_simple(path)  # what is too complex is said before a transfer begins
        return Found(path, shown, None)


def _see_that_it_is_simple(path: VirtualPath) -> None:
    """Raise `Refusal` for a pattern that is too complex."""
    patterns = [component for component in path.parts if has_wildcards(component)]
    if len(patterns) > MOST_PATTERNS or max(map(len, path.parts)) > MAX_LENGTH:
        raise Refusal(codes.BAD_ARGUMENT, TOO_COMPLEX)
    for component in patterns:
        pattern_of(component)


def place_of_pattern(found: Found) -> VirtualPath:
    """Return the directory in which a pattern begins."""
    parts = found.path.parts
    words = spelled(found.shown)[1]
    return VirtualPath(parts[:-1][: len(parts) - min(words, len(parts))])


def spelled(shown: str) -> tuple[str, int]:
    """Return what leads to where a pattern begins ("/", "../"), and how many names are in it."""
    ups, names = 0, 0
    for word in shown.split("/"):
        if word == "..":
            ups, names = (ups, names - 1) if names else (ups + 1, 0)
        elif word not in ("", "."):
            names += 1
    return "/" if shown.startswith("/") else "../" * ups, names


def pattern_of(component: str) -> Pattern:
    """Return a component as a pattern; raises `Refusal` for one that is too complex."""
    try:
        return Pattern(component)
    except ValueError:
        raise Refusal(codes.BAD_ARGUMENT, TOO_COMPLEX) from None
