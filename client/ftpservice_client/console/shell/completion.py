"""What Tab offers: words, local names, and remote names from listings that are still fresh."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ftpservice.wire.entry import Kind
from ftpservice_client.console.session.errors import Usage
from ftpservice_client.console.session.line_parser import Argument, Piece, pieces, quoted
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import Side, Word, WordTable
from ftpservice_client.console.shell.options import Given, sorted_out

__all__ = ["Suggestion", "suggestions"]


class Suggestion(NamedTuple):
    """What may stand in place of the line's last ``replaces`` characters."""

    text: str
    replaces: int
    shown: str
    """The last component of a name, for the menu."""


class Name(NamedTuple):
    """One that an argument could be; ``shown`` without the directories before it."""

    text: str
    shown: str


async def suggestions(before: str, session: Session, table: WordTable) -> list[Suggestion]:
    """Return what may come at the end of ``before``, the line up to the cursor."""
    line = before.lstrip()
    first, *others = line.split(None, 1)[:2] or [""]
    if not others and not line[-1:].isspace():
        return _suggested((Name(name, name) for name in _words(first, table)), len(first), "")
    rest = line[len(first) :]
    try:
        word = table.find(first)
        piece, given = _last(rest, word)
    except Usage:
        return []
    options = [] if piece.literal else _options(piece.text, word)
    names = await _names(word.side(given), piece.text, session, table)
    quote = rest[piece.start : piece.start + 1]
    return options + _suggested(names, len(rest) - piece.start, quote)


def _words(beginning: str, table: WordTable) -> list[str]:
    return [name for name in table.names() if name.startswith(beginning.lower())]


def _last(rest: str, word: Word) -> tuple[Piece, Given]:
    """Return the piece at the end, and what is given before it; raises `Usage`."""
    found = list(pieces(rest))
    if not found or (found[-1].closed and found[-1].end < len(rest)):
        found.append(Piece("", False, len(rest), len(rest), True))
    if word.takes.whole and len(found) > 1:
        start = found[0].start
        return Piece(rest[start:], False, start, len(rest), True), Given()
    before = [Argument(piece.text, piece.literal) for piece in found[:-1]]
    return found[-1], sorted_out(before, word.options, rest)


def _options(beginning: str, word: Word) -> list[Suggestion]:
    if not beginning.startswith("-"):
        return []
    texts = [f"--{one.name}" for one in word.options]
    return [Suggestion(text, len(beginning), text) for text in texts if text.startswith(beginning)]


def _suggested(names: Iterable[Name], replaces: int, quote: str) -> list[Suggestion]:
    printing = (name for name in names if name.text.isprintable())
    return [Suggestion(_typed(name.text, quote), replaces, name.shown) for name in printing]


def _typed(name: str, quote: str) -> str:
    """Quote a name that needs it, or was begun so; behind a directory the quote stays open."""
    shown = quoted(name)
    if quote in ("'", '"') and shown == name:
        shown = f'"{name}"'
    return shown[:-1] if shown.endswith('/"') else shown


async def _names(side: Side, beginning: str, session: Session, table: WordTable) -> list[Name]:
    if side is Side.WORDS:
        return [Name(name, name) for name in _words(beginning, table)]
    if side is Side.NONE:
        return []
    head, slash, tail = beginning.rpartition("/")
    directories_only = side in (Side.LOCAL_DIRECTORY, Side.REMOTE_DIRECTORY)
    if side in (Side.LOCAL, Side.LOCAL_DIRECTORY):
        found = await session.aside(_local, head + slash)
    else:
        found = await _remote(session, head + slash)
    return [
        Name(head + slash + name + "/" * directory, name + "/" * directory)
        for name, directory in found
        if name.startswith(tail)
        and (directory or not directories_only)
        and (tail or not name.startswith("."))
    ]


async def _remote(session: Session, directory: str) -> list[tuple[str, bool]]:
    entries = await session.entries(directory)
    return [(entry.name, entry.kind is Kind.DIRECTORY) for entry in entries]


def _local(directory: str) -> list[tuple[str, bool]]:
    """Return names and whether they are directories, sorted; runs in a thread."""
    try:
        with os.scandir(Path(directory or ".").expanduser()) as found:
            return sorted((entry.name, entry.is_dir()) for entry in found)
    except OSError:
        return []
