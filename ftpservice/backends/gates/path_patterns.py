"""Patterns of paths, such as ``/in/**`` and ``*.csv``.

A pattern without a slash is for the last component of a path, wherever it is. One with a slash is
for a whole path: ``*`` is any text within a component, ``**`` any number of components. A path
that would be the same file elsewhere must not get around a pattern, so case, the normalisation form
of Unicode, and dots and spaces at the end of a component make no difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from unicodedata import normalize

from ftpservice.wire.glob import glob_expression, has_wildcards
from ftpservice.wire.paths import VirtualPath

__all__ = ["PathPatterns"]

MAX_PATTERNS = 64
MAX_DEEP_WILDCARDS = 4
DEEP = "**"
IGNORED_AT_END = ". "
Matches = Callable[[str], object]


class PathPatterns:
    """Patterns of which one has to match; none at all match every path.

    Raises `ValueError` with the reason.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        if len(patterns) > MAX_PATTERNS:
            raise ValueError(f"more than {MAX_PATTERNS} patterns")
        self._names: list[Matches] = []
        self._paths: list[list[Matches | None]] = []
        """For each pattern with a slash its components; None for ``**``."""
        self._fixed: list[tuple[str, ...]] = []
        """Of each of these, the components before the first wildcard."""
        self.is_for_all = not patterns or not {"*", "/**"}.isdisjoint(patterns)
        for pattern in patterns:
            self._add(pattern)

    def _add(self, pattern: str) -> None:
        if not pattern.strip("/ ."):
            raise ValueError(f"{pattern!r} is not a pattern of paths, such as /in/** or *.csv")
        if any(ord(letter) < 32 for letter in pattern):
            raise ValueError(f"{pattern!r} has a control character")
        if "/" not in pattern:
            self._names.append(_component(pattern))
            return
        parts = [part for part in pattern.split("/") if part]
        if not pattern.startswith("/") or {".", ".."} & set(parts):
            raise ValueError(f"{pattern!r}: a pattern with a slash is an absolute path")
        if parts.count(DEEP) > MAX_DEEP_WILDCARDS:
            raise ValueError(f"{pattern!r}: more than {MAX_DEEP_WILDCARDS} times **")
        self._paths.append([None if part == DEEP else _component(part) for part in parts])
        plain = next((n for n, part in enumerate(parts) if has_wildcards(part)), len(parts))
        self._fixed.append(tuple(_normal(part) for part in parts[:plain]))

    def match(self, path: VirtualPath) -> bool:
        """Return whether a pattern matches."""
        if self.is_for_all:
            return True
        parts = tuple(map(_normal, path.parts))
        return any(match(parts[-1]) for match in self._names if parts) or any(
            _matches(components, parts) for components in self._paths
        )

    def may_match_below(self, path: VirtualPath) -> bool:
        """Return whether it depends on the name of a directory what matches below it."""
        parts = tuple(map(_normal, path.parts))
        for fixed in () if self.is_for_all else self._fixed:
            shared = min(len(fixed), len(parts))
            if fixed[:shared] == parts[:shared]:
                return True
        return False


def _normal(name: str) -> str:
    if not name.isascii():
        name = normalize("NFC", name)
    return (name.rstrip(IGNORED_AT_END) or name).casefold()


def _component(pattern: str) -> Matches:
    return re.compile(glob_expression(_normal(pattern)), re.IGNORECASE).match


def _matches(components: Sequence[Matches | None], parts: Sequence[str]) -> bool:
    """Match a whole path; each position of ``**`` is tried once for each position of the path."""
    reached = {0}
    for match in components:
        if match is None:
            reached = set(range(min(reached), len(parts) + 1))
        else:
            reached = {n + 1 for n in reached if n < len(parts) and match(parts[n])}
        if not reached:
            return False
    return len(parts) in reached
