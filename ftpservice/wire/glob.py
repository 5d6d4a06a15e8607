"""Shell wildcards for one component of a path; hostile patterns take no exponential time."""

from __future__ import annotations

import re
from fnmatch import translate

__all__ = ["WILDCARDS", "GlobPattern", "check_pattern", "glob_expression", "has_wildcards"]

MAX_LENGTH = 512
MAX_STARS = 16
WILDCARDS = frozenset("*?[")
TOKEN = re.compile(
    r"(?P<set>\[(?P<negated>[!^])?+(?P<members>.[^\]]*)\]) | (?P<stars>\*+) |"
    r"\\(?P<quoted>.) | (?P<open>\[)",
    re.DOTALL | re.VERBOSE,
)


def has_wildcards(text: str) -> bool:
    """Return whether ``text`` is a pattern, which may match several names."""
    return not WILDCARDS.isdisjoint(text)


def check_pattern(text: str) -> None:
    """Raise `ValueError` for a pattern that is not complete, which a listing takes literally."""
    if any(token["open"] for token in TOKEN.finditer(text)):
        raise ValueError(f"the pattern {text!r} has a '[' without ']'; write \\[ for the character")
    if TOKEN.sub("", text).endswith("\\"):
        raise ValueError(f"the pattern {text!r} ends with a backslash that quotes nothing")


def glob_expression(text: str) -> str:
    r"""Return a pattern as a regular expression, for all of a name.

    ``*``, ``?``, ``[a-z]``, ``[!a-z]`` or ``[^a-z]``, and ``\`` before a literal character.
    `fnmatch.translate` compiles each part between two stars to an atomic group, so the time is
    bounded. Raises `ValueError` for a pattern that is too long or has too many stars.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError("the pattern is too long")
    if sum(1 for token in TOKEN.finditer(text) if token["stars"]) > MAX_STARS:
        raise ValueError("the pattern has too many stars")
    return translate(TOKEN.sub(_in_fnmatch_syntax, text))


class GlobPattern:
    """A pattern of `glob_expression`; a dot at the beginning of a name is matched by a dot only.

    Raises `ValueError` as that.
    """

    def __init__(self, text: str) -> None:
        self._matches = re.compile(glob_expression(text)).match
        self._matches_hidden = text.startswith((".", r"\."))

    def matches(self, name: str) -> bool:
        """Return whether the pattern matches all of ``name``."""
        if name[:1] == "." and not self._matches_hidden:
            return False
        return self._matches(name) is not None


def _in_fnmatch_syntax(token: re.Match[str]) -> str:
    """Return a token in the syntax of `fnmatch`, which has no backslash and no ``[^``."""
    if token["set"]:
        return f"[{'!' if token['negated'] else ''}{token['members']}]"
    if token["stars"]:
        return "*"
    literal = token["quoted"] or "["
    return f"[{literal}]" if literal in WILDCARDS else literal
