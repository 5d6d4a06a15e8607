r"""What a typed line says: a word and its arguments.

A quote that begins an argument ends it: ``"two words"`` with ``\"`` and ``\\`` inside, or ``'...'``
with nothing special inside. Elsewhere a quote is a letter (``it's.txt``), and ``\`` takes the next
letter as it is. ``!`` hands the rest of the line to the system's shell; ``#`` begins a remark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "ArgumentToken",
    "ParsedLine",
    "ShellArgument",
    "ShellSyntaxError",
    "argument_tokens",
    "parse_line",
    "quote_argument",
]

ESCAPE = "\\"
QUOTES = frozenset("\"'")
SPECIAL_CHARACTERS = frozenset("\"'\\*?[")
SYSTEM_COMMAND_PREFIX = "!"
COMMENT_PREFIX = "#"


class ShellSyntaxError(ValueError):
    """A line that cannot be understood; its text says why."""


class ShellArgument(NamedTuple):
    """One argument; ``literal`` if quotes or a backslash say that it holds no wildcards."""

    text: str
    literal: bool = False


class ArgumentToken(NamedTuple):
    """An argument and where it stood: ``line[start:end]``; not ``closed`` if its quote is open."""

    text: str
    literal: bool
    start: int
    end: int
    closed: bool


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """A word, in lower case, its arguments, and what stood behind it as it was typed."""

    word: str
    arguments: tuple[ShellArgument, ...]
    rest: str


def parse_line(text: str) -> ParsedLine | None:
    """Read a line; ``None`` for one that is empty or a remark. Raises `ShellSyntaxError`."""
    text = text.strip()
    if not text or text.startswith(COMMENT_PREFIX):
        return None
    if text.startswith(SYSTEM_COMMAND_PREFIX):
        return ParsedLine(SYSTEM_COMMAND_PREFIX, (), text[1:].strip())
    word, *others = text.split(None, 1)
    rest = "".join(others)
    found = list(argument_tokens(rest))
    if found and not found[-1].closed:
        raise ShellSyntaxError("A quote is not closed.")
    arguments = tuple(ShellArgument(piece.text, piece.literal) for piece in found)
    return ParsedLine(word.lower(), arguments, rest)


def argument_tokens(text: str) -> Iterator[ArgumentToken]:
    """Yield the arguments in ``text``, also one whose quote is not closed."""
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return
        quote = text[position] if text[position] in QUOTES else ""
        piece = _quoted_token(text, position, quote) if quote else _plain_token(text, position)
        yield piece
        position = piece.end


def _plain_token(text: str, start: int) -> ArgumentToken:
    letters: list[str] = []
    literal = False
    position = start
    while position < len(text) and not text[position].isspace():
        if text[position] == ESCAPE and position + 1 < len(text):
            literal = True
            position += 1
        letters.append(text[position])
        position += 1
    return ArgumentToken("".join(letters), literal, start, position, closed=True)


def _quoted_token(text: str, start: int, quote: str) -> ArgumentToken:
    letters: list[str] = []
    position = start + 1
    while position < len(text) and text[position] != quote:
        escaped = quote == '"' and text[position] == ESCAPE and position + 1 < len(text)
        position += escaped
        letters.append(text[position])
        position += 1
    closed = position < len(text)
    return ArgumentToken("".join(letters), True, start, position + closed, closed)


def quote_argument(name: str) -> str:
    """Return ``name`` as it has to be typed, in quotes where it needs them."""
    plain = (
        name and SPECIAL_CHARACTERS.isdisjoint(name) and not any(char.isspace() for char in name)
    )
    if plain and not name.startswith((SYSTEM_COMMAND_PREFIX, COMMENT_PREFIX, "-")):
        return name
    inside = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'
