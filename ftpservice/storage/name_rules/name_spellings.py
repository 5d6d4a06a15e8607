"""Spellings that filesystems or clients take for the same name.

- Normalisation forms of Unicode (NFC, NFD), and characters that are not shown: those for formatting
  (category Cf), and others that a filesystem that ignores case may leave out.
- Upper and lower case, as single characters, and folded as a whole (``ß`` is ``ss``).
- Dots and spaces at the end.
- Short names of Windows: ``.gitignore`` is also ``GITIGN~1`` on vfat and NTFS, or ``GI7D29~1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import category, normalize

__all__ = ["IGNORED_AT_END", "plain_spelling", "short_name_expression", "spellings"]

IGNORED_AT_END = ". "
FORMATTING = "Cf"
OTHERS_NOT_SHOWN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
"""Of the characters with the property Default_Ignorable_Code_Point, those outside of Cf."""
UNIT = re.compile(r"\\(?P<quoted>.)|(?P<any>\[[!^]?.[^\]]*\]|\?)|(?P<stars>\*+)|.", re.DOTALL)
"""One character of a pattern, or its stars."""
STARS = ".{0,6}"
ANY_END = r"(?:\.[^.]{0,3})?"
IN_SHORT_NAMES = re.compile(r"[A-Za-z0-9_!#$%&'()@^`{}~-]")


def plain_spelling(name: str) -> str:
    """Return a name in one normalisation form, without characters that are not shown."""
    if name.isascii():
        return name
    shown = "".join(char for char in name if category(char) != FORMATTING)
    return normalize("NFC", OTHERS_NOT_SHOWN.sub("", shown))


def spellings(name: str) -> Iterator[str]:
    """Yield what a pattern may match, whatever the case: the name in one form, and others."""
    plain = plain_spelling(name)
    yield plain
    folded = plain if plain.isascii() else normalize("NFC", normalize("NFD", plain).casefold())
    if folded != plain:
        yield folded
    for one in (plain, folded):
        if one[-1:] in IGNORED_AT_END:
            yield one.rstrip(IGNORED_AT_END)


def short_name_expression(pattern: str) -> str:
    """Return a regular expression for the short names of what a pattern matches; may be empty.

    It is empty if the pattern begins with a wildcard: anything could be the short name of that,
    but for the end, if that is given.
    """
    units = [_unit(match) for match in UNIT.finditer(pattern.lstrip(IGNORED_AT_END))]
    dots = [number for number, unit in enumerate(units) if unit == r"\."]
    stem, end = (units[: dots[-1]], units[dots[-1] + 1 :]) if dots else (units, [])
    stem = [unit for unit in stem if unit not in (r"\.", r"\ ")]
    begins = bool(stem) and stem[0] not in (STARS, ".")
    if not begins and (STARS in end or len(end) <= 3):
        return ""
    if STARS in end or (STARS in stem and not dots):
        shown_end = ANY_END
    else:
        shown_end = r"\." + "".join(end[:3]) if end else ""
    start = f"(?:{_prefix(stem[:6])}|{_prefix(stem[:2])}[0-9a-f]{{4}})" if begins else ".{1,6}"
    return rf"{start}~[0-9]{{1,5}}{shown_end}\Z"


def _unit(match: re.Match[str]) -> str:
    """Return an expression for a unit as it is in a short name."""
    if match["stars"]:
        return STARS
    char = match["quoted"] or match[0]
    if match["any"] or not (char in IGNORED_AT_END or IN_SHORT_NAMES.match(char)):
        return "."
    return re.escape(char)


def _prefix(units: list[str]) -> str:
    """Return an expression for the beginning of a name, or as much of it as there is room for."""
    if not units:
        return ""
    if units[0] == STARS:
        return STARS
    return f"{units[0]}(?:{_prefix(units[1:])})?"
