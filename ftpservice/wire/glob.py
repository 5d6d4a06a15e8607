"""Shell wildcards for one component of a path, safe against hostile patterns."""

from __future__ import annotations

import re

__all__ = ["GlobPattern", "has_wildcards"]

MAX_LENGTH = 512
MAX_STARS = 16
NOTHING = "(?!)"
WILDCARDS = frozenset("*?[")


def has_wildcards(text: str) -> bool:
    """Tell whether ``text`` may mean more than one name."""
    return not WILDCARDS.isdisjoint(text)


class GlobPattern:
    r"""``*``, ``?``, ``[a-z]``, ``[!a-z]``, and ``\`` to take the next character as it is.

    A dot at the beginning of a name is matched by a dot only. Each part between two stars is
    looked for once and never again, so that no pattern takes exponential time. Raises
    `ValueError` for a pattern that is too long or has too many stars.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ValueError("the pattern is too long")
        sections = _sections(text)
        if len(sections) > MAX_STARS + 1:
            raise ValueError("the pattern has too many stars")
        self._matches = re.compile(_expression(sections), re.DOTALL).fullmatch
        self._dots = sections[0][:1] == [r"\."]

    def matches(self, name: str) -> bool:
        """Tell whether the whole of ``name`` fits."""
        if name[:1] == "." and not self._dots:
            return False
        return self._matches(name) is not None


def _expression(sections: list[list[str]]) -> str:
    """Join what stands between the stars; the first find of each section is final."""
    first, *others = ["".join(section) for section in sections]
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>.*?{section})" for section in middle) + f".*{last}"


def _sections(text: str) -> list[list[str]]:
    """Cut at the stars (several in a row are one) into expressions for one character each."""
    sections: list[list[str]] = [[]]
    position = 0
    while position < len(text):
        if text[position] == "*":
            if sections[-1] or len(sections) == 1:
                sections.append([])
            position += 1
        else:
            character, position = _character(text, position)
            sections[-1].append(character)
    return sections


def _character(text: str, position: int) -> tuple[str, int]:
    """Return the expression that begins at ``position`` and where the next one does."""
    letter = text[position]
    if letter == "?":
        return ".", position + 1
    if letter == "[":
        end = _set_end(text, position + 1)
        if end > 0:
            return _set(text[position + 1 : end]), end + 1
    if letter == "\\" and position + 1 < len(text):
        return re.escape(text[position + 1]), position + 2
    return re.escape(letter), position + 1


def _set_end(text: str, start: int) -> int:
    """Return where the set's ``]`` is, -1 for none; its first character never ends a set."""
    negated = text[start : start + 1] in ("!", "^")
    return text.find("]", start + negated + 1)


def _set(inside: str) -> str:
    negated = inside[0] in "!^"
    letters = inside[negated:]
    members = []
    position = 0
    while position < len(letters):
        low = high = letters[position]
        position += 1
        if letters[position : position + 1] == "-" and position + 1 < len(letters):
            high = letters[position + 1]
            position += 2
        if low <= high:
            members.append(f"{re.escape(low)}-{re.escape(high)}")
    if not members:
        return "." if negated else NOTHING
    return f"[{'^' if negated else ''}{''.join(members)}]"
