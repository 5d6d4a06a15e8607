"""The retention of an account: how long the files of each directory and pattern are kept.

``30d; /in: 7d; *.log: 90d; /in/*.tmp: 12h; /archive: keep``

- The longest directory counts, by whole names; the rule of a path holds for a file at that path,
  too.
- Among the rules of one directory those with a pattern count more than the one without. If several
  patterns match a name, the longest time counts.
- What no rule names is kept.

A time without a unit is refused: 30 could be meant as days, and read as seconds. So is a name
without ``/`` and wildcards, which could be meant as a directory, and read as a pattern.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ftpservice.wire.glob import check_pattern, glob_expression, has_wildcards
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "KEPT",
    "DirectoryRetention",
    "RetentionRule",
    "RetentionRules",
    "parse_retention",
]

KEEP_WORD = "keep"
KEPT = math.inf
"""Seconds: for ever."""
HOUR_SECONDS = 3600
UNIT_HOURS = {"h": 1, "d": 24, "w": 168}
TIME = re.compile(r"([1-9][0-9]{0,5}) ?([hdw])", re.ASCII)
FORBIDDEN = frozenset(",:;") | {chr(code) for code in (*range(32), 127)}
"""Characters that directories and patterns cannot have."""


@dataclass(frozen=True)
class RetentionRule:
    """One rule; ``pattern`` is empty for all files below ``directory``."""

    directory: VirtualPath
    pattern: str
    seconds: float
    """`KEPT` for files that are never deleted."""

    def __str__(self) -> str:
        """Return the text that `parse_retention` parses back."""
        place = "" if self.directory.is_root else str(self.directory)
        if self.pattern:
            place = f"{place}/{self.pattern}" if place else self.pattern
        return f"{place}: {self.time_text}" if place else self.time_text

    @property
    def time_text(self) -> str:
        """How long files are kept: ``30d``, ``12h`` or ``keep``."""
        if self.seconds == KEPT:
            return KEEP_WORD
        hours = round(self.seconds / HOUR_SECONDS)
        return f"{hours}h" if hours % 24 else f"{hours // 24}d"

    def matches(self, name: str) -> bool:
        """Return whether the pattern matches the name of a file."""
        return not self.pattern or _glob(self.pattern).match(name) is not None


@dataclass(frozen=True)
class RetentionRules:
    """The rules of one account."""

    rules: tuple[RetentionRule, ...]

    def __str__(self) -> str:
        """Return the text that `parse_retention` parses back."""
        return "; ".join(map(str, self.rules))

    def at(self, directory: VirtualPath) -> DirectoryRetention:
        """Return the rules for the entries of a directory."""
        parts = directory.parts
        levels = [self._by_parts.get(parts[:depth], ()) for depth in range(len(parts), -1, -1)]
        return DirectoryRetention(
            [level for level in levels if level],
            {
                rule.directory.name: rule
                for rule in self.rules
                if not rule.pattern
                and not rule.directory.is_root
                and rule.directory.parent == directory
            },
        )

    def deletes_below(self, directory: VirtualPath) -> bool:
        """Return whether any file in a directory, or below it, may have to be deleted."""
        return self.at(directory).deletes or any(
            rule.seconds != KEPT
            for rule in self.rules
            if rule.directory != directory and rule.directory.is_within(directory)
        )

    def names(self, directory: VirtualPath) -> bool:
        """Return whether a rule is for a directory, or for one below it."""
        return any(rule.directory.is_within(directory) for rule in self.rules)

    @cached_property
    def _by_parts(self) -> dict[tuple[str, ...], tuple[RetentionRule, ...]]:
        found: dict[tuple[str, ...], tuple[RetentionRule, ...]] = {}
        for rule in self.rules:
            found[rule.directory.parts] = (*found.get(rule.directory.parts, ()), rule)
        return found


class DirectoryRetention:
    """The rules for the entries of one directory.

    ``levels`` are the rules of the directory and of those above it, the longest path first;
    ``by_name`` are those for single entries.
    """

    def __init__(
        self, levels: Sequence[Sequence[RetentionRule]], by_name: dict[str, RetentionRule]
    ) -> None:
        self._levels = levels
        self._by_name = by_name

    def rule_for(self, name: str) -> RetentionRule | None:
        """Return the rule for a file; None if there is none, so it is kept."""
        exact = self._by_name.get(name)
        if exact is not None:
            return exact
        for level in self._levels:
            matching = [rule for rule in level if rule.pattern and rule.matches(name)]
            if matching:
                return max(matching, key=lambda rule: rule.seconds)
            for rule in level:
                if not rule.pattern:
                    return rule
        return None

    def rule_for_directory(self, name: str) -> RetentionRule | None:
        """Return the rule for an entry that is a directory: patterns are for files."""
        whole = (rule for level in self._levels for rule in level if not rule.pattern)
        return self._by_name.get(name) or next(whole, None)

    @property
    def deletes(self) -> bool:
        """Whether a file of some name in the directory may have to be deleted."""
        if any(rule.seconds != KEPT for rule in self._by_name.values()):
            return True
        for level in self._levels:
            if any(rule.seconds != KEPT for rule in level):
                return True
            if any(not rule.pattern for rule in level):
                return False
        return False


@lru_cache(1024)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(glob_expression(pattern))


def parse_retention(text: str) -> RetentionRules:
    """Parse ``30d; /in: 7d; *.log: 90d``; raises `ValueError` with the reason."""
    rules = tuple(_parse_rule(word.strip()) for word in text.split(";"))
    _check_unique(rules)
    return RetentionRules(rules)


def _check_unique(rules: Iterable[RetentionRule]) -> None:
    seen = set()
    for rule in rules:
        key = (rule.directory, rule.pattern)
        if key in seen:
            raise ValueError(f"there are two rules like {str(rule)!r}")
        seen.add(key)


def _parse_rule(text: str) -> RetentionRule:
    place, colon, time = (part.strip() for part in text.rpartition(":"))
    if colon and not place:
        raise ValueError(f"the directory or pattern is missing in {text!r}")
    directory, pattern = _parse_place(place)
    return RetentionRule(directory, pattern, _seconds(time))


def _seconds(text: str) -> float:
    if text == KEEP_WORD:
        return KEPT
    match = TIME.fullmatch(text)
    if match is None:
        raise ValueError(
            "expected hours, days or weeks with a number of 1 to 999999, such as 12h, 30d, 8w, "
            f"or {KEEP_WORD}, not {text!r}"
        )
    return int(match[1]) * UNIT_HOURS[match[2]] * HOUR_SECONDS


def _parse_place(text: str) -> tuple[VirtualPath, str]:
    """Return the directory and the pattern of ``/in``, ``*.log`` or ``/in/*.log``."""
    if not FORBIDDEN.isdisjoint(text):
        raise ValueError(f"retention cannot be given for {text!r}")
    if not text.startswith("/"):
        if "/" in text:
            raise ValueError(f"a path begins with /, or {text!r} is no pattern of names")
        pattern = _checked_pattern(text)
        if text and not has_wildcards(text):
            raise ValueError(
                f"{text!r} is neither a directory, which is /{text}, nor a pattern with * or ?;"
                f" files of that name in all directories are [{text[0]}]{text[1:]}"
            )
        return ROOT, pattern
    *names, last = text.split("/")
    if ".." in (*names, last) or any(map(has_wildcards, names)):
        raise ValueError(f"the directories of {text!r} must be plain names")
    if has_wildcards(last):
        return VirtualPath.parse("/".join(names)), _checked_pattern(last)
    return VirtualPath.parse(text), ""


def _checked_pattern(text: str) -> str:
    if text:
        check_pattern(text)
        _glob(text)  # raises ValueError
    return text
