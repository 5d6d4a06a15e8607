r"""Parses a line of the shell or of a script: a command and its arguments.

An argument that begins with a quote ends with it: ``"two words"`` with the escapes ``\"`` and
``\\``, or ``'...'`` without escapes. Elsewhere a quote is an ordinary character (``it's.txt``), and
``\`` escapes the next character. After ``!`` the rest of the line is for the system's shell. ``#``
at the beginning marks a comment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "ArgumentToken",
    "LineSyntaxError",
    "ParsedLine",
    "ShellArgument",
    "argument_tokens",
    "parse_line",
    "quote_argument",
]

ESCAPE = "\\"
QUOTES = frozenset("\"'")
SPECIAL_CHARACTERS = frozenset("\"'\\*?[")
SYSTEM_COMMAND_PREFIX = "!"
COMMENT_PREFIX = "#"


class LineSyntaxError(ValueError):
    """A line cannot be parsed; the text says why."""


class ShellArgument(NamedTuple):
    """One argument; ``literal`` if it was quoted or escaped: it holds no wildcards."""

    text: str
    literal: bool = False


class ArgumentToken(NamedTuple):
    """An argument at ``text[start:end]``; not ``closed`` if its closing quote is missing."""

    text: str
    literal: bool
    start: int
    end: int
    closed: bool


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """A command in lower case, its arguments, and the text after it as typed."""

    command: str
    arguments: tuple[ShellArgument, ...]
    rest: str


def parse_line(text: str) -> ParsedLine | None:
    """Parse a line; ``None`` if it is empty or a comment. Raises `LineSyntaxError`."""
    text = text.strip()
    if not text or text.startswith(COMMENT_PREFIX):
        return None
    if text.startswith(SYSTEM_COMMAND_PREFIX):
        return ParsedLine(SYSTEM_COMMAND_PREFIX, (), text[1:].strip())
    command, *others = text.split(None, 1)
    rest = "".join(others)
    tokens = list(argument_tokens(rest))
    if tokens and not tokens[-1].closed:
        raise LineSyntaxError("The closing quote is missing.")
    arguments = tuple(ShellArgument(token.text, token.literal) for token in tokens)
    return ParsedLine(command.lower(), arguments, rest)


def argument_tokens(text: str) -> Iterator[ArgumentToken]:
    """Yield the arguments in ``text``, including a last one without its closing quote."""
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return
        quote = text[position] if text[position] in QUOTES else ""
        token = _quoted_token(text, position, quote) if quote else _plain_token(text, position)
        yield token
        position = token.end


def _plain_token(text: str, start: int) -> ArgumentToken:
    characters: list[str] = []
    literal = False
    position = start
    while position < len(text) and not text[position].isspace():
        if text[position] == ESCAPE and position + 1 < len(text):
            literal = True
            position += 1
        characters.append(text[position])
        position += 1
    return ArgumentToken("".join(characters), literal, start, position, closed=True)


def _quoted_token(text: str, start: int, quote: str) -> ArgumentToken:
    characters: list[str] = []
    position = start + 1
    while position < len(text) and text[position] != quote:
        escaped = quote == '"' and text[position] == ESCAPE and position + 1 < len(text)
        position += escaped
        characters.append(text[position])
        position += 1
    closed = position < len(text)
    return ArgumentToken("".join(characters), True, start, position + closed, closed)


def quote_argument(name: str) -> str:
    """Return ``name`` as it is typed: in double quotes if it needs them."""
    is_plain = (
        name and SPECIAL_CHARACTERS.isdisjoint(name) and not any(char.isspace() for char in name)
    )
    if is_plain and not name.startswith((SYSTEM_COMMAND_PREFIX, COMMENT_PREFIX, "-")):
        return name
    inside = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'
