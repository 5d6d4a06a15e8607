"""Patterns of names, such as ``.git; *.tmp``, and the names that an account may see and create.

A name that would be the same file elsewhere must not get around a pattern, so every spelling of it
counts (`name_spellings`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ftpservice.storage.errors import NameRefused, PathNotFound
from ftpservice.storage.name_rules.name_spellings import (
    IGNORED_AT_END,
    plain_spelling,
    short_name_expression,
    spellings,
)
from ftpservice.wire.entry import Entry
from ftpservice.wire.glob import check_pattern, glob_expression
from ftpservice.wire.paths import VirtualPath

__all__ = ["NamePatterns", "NameRules", "parse_patterns", "patterns_text"]

SEPARATOR = ";"
MAX_PATTERNS = 64
FORBIDDEN = frozenset("/,") | {chr(code) for code in (*range(32), 127)}
"""A name has no slash, and an option of ``passwd.db`` no comma."""


def parse_patterns(text: str) -> tuple[str, ...]:
    """Parse ``.git; *.tmp``; raises `ValueError` with the reason."""
    patterns = tuple(pattern.strip() for pattern in text.split(SEPARATOR))
    if len(patterns) > MAX_PATTERNS:
        raise ValueError(f"more than {MAX_PATTERNS} patterns")
    for pattern in patterns:
        if not pattern.strip(IGNORED_AT_END):
            raise ValueError("expected patterns of names with semicolons, such as .git; *.tmp")
        if not FORBIDDEN.isdisjoint(pattern):
            raise ValueError(
                f"the pattern {pattern!r} has a slash, a comma or a control character; it is for"
                " single names"
            )
        check_pattern(pattern)
        _expression(pattern)
    return patterns


def patterns_text(patterns: Sequence[str]) -> str:
    """Return the text that `parse_patterns` parses back."""
    return f"{SEPARATOR} ".join(patterns)


def _expression(pattern: str) -> str:
    """Return a pattern as a regular expression; raises `ValueError`."""
    plain = plain_spelling(pattern)
    others = [glob_expression(one) for one in dict.fromkeys((plain, *spellings(pattern)))]
    return "|".join(filter(None, (*others, short_name_expression(plain))))


class NamePatterns:
    """Patterns as `parse_patterns` returns them; none match nothing."""

    def __init__(self, patterns: Sequence[str]) -> None:
        expressions = [_expression(pattern) for pattern in patterns]
        self._each = [
            (pattern, re.compile(expression, re.IGNORECASE).match)
            for pattern, expression in zip(patterns, expressions, strict=True)
        ]
        self._match_any = re.compile("|".join(expressions) or r"(?!)", re.IGNORECASE).match

    def __bool__(self) -> bool:
        return bool(self._each)

    def match(self, name: str) -> bool:
        """Return whether a pattern matches a name."""
        if self._match_any(name) is not None:
            return True
        is_plain = name.isascii() and name[-1:] not in IGNORED_AT_END
        return not is_plain and any(map(self._match_any, spellings(name)))

    def matching(self, names: Sequence[str]) -> str:
        """Return the first pattern that matches one of these names; empty if none does."""
        for name in names:
            if self.match(name):
                forms = (name, *spellings(name))
                return next(text for text, match in self._each if any(map(match, forms)))
        return ""


class NameRules:
    """The names that an account does not see, and those that it cannot create.

    A pattern holds for every component of a path: what is in a hidden directory is hidden.
    """

    def __init__(self, hidden: NamePatterns, refused: NamePatterns) -> None:
        self.hidden = hidden
        self.refused = refused

    @staticmethod
    @lru_cache(1024)
    def of(hidden: tuple[str, ...], refused: tuple[str, ...]) -> NameRules:
        """Return the rules for these patterns."""
        return NameRules(NamePatterns(hidden), NamePatterns(refused))

    def check_seen(self, path: VirtualPath) -> None:
        """Raise `PathNotFound` for a path that is hidden, whether it exists or not."""
        match = self.hidden.match
        for name in path.parts:
            if match(name):
                raise PathNotFound(path, "hidden from this account")

    def check_new(self, path: VirtualPath) -> None:
        """Raise `NameRefused` for a name that cannot be created, `PathNotFound` in what is hidden.

        Also for an existing file of that name: it cannot be replaced or appended to.
        """
        self.check_seen(path.parent)
        pattern = self.hidden.matching(path.parts[-1:]) or self.refused.matching(path.parts)
        if pattern:
            raise NameRefused(path, f"the pattern {pattern}", pattern)

    def is_seen(self, path: VirtualPath) -> bool:
        """Return whether a path is not hidden."""
        return not any(map(self.hidden.match, path.parts))

    def shown(self, entry: Entry) -> Entry:
        """Return an entry; that of a link does not name what is hidden.

        Nor does the number of links count it, such as that of a directory its subdirectories.
        """
        if self.hidden and entry.links != 1:
            entry = entry._replace(links=1)
        if entry.target and any(map(self.hidden.match, entry.target.split("/"))):
            return entry._replace(target="")
        return entry

    def shown_entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return those of the entries of a directory that are not hidden."""
        match, shown = self.hidden.match, self.shown
        return [shown(entry) for entry in entries if not match(entry.name)]
