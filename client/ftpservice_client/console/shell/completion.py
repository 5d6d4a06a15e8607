"""What Tab offers: words, local names, and remote names from listings that are still fresh."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ftpservice.wire.entry import Kind
from ftpservice_client.console.session.errors import ShellUsageError
from ftpservice_client.console.session.line_parser import (
    ArgumentToken,
    ShellArgument,
    argument_tokens,
    quote_argument,
)
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    CommandTable,
    CompletionSource,
    ShellCommand,
)
from ftpservice_client.console.shell.options import ParsedArguments, parse_options

__all__ = ["Suggestion", "suggestions_for"]


class Suggestion(NamedTuple):
    """What may stand in place of the line's last ``replaces`` characters."""

    text: str
    replaced_length: int
    shown: str
    """The last component of a name, for the menu."""


class CandidateName(NamedTuple):
    """One that an argument could be; ``shown`` without the directories before it."""

    text: str
    shown: str


async def suggestions_for(
    before: str, session: ShellSession, table: CommandTable
) -> list[Suggestion]:
    """Return what may come at the end of ``before``, the line up to the cursor."""
    line = before.lstrip()
    first, *others = line.split(None, 1)[:2] or [""]
    if not others and not line[-1:].isspace():
        return _suggestions_from(
            (CandidateName(name, name) for name in _command_names(first, table)), len(first), ""
        )
    rest = line[len(first) :]
    try:
        word = table.find(first)
        piece, given = _last_argument(rest, word)
    except ShellUsageError:
        return []
    options = [] if piece.literal else _options(piece.text, word)
    names = await _names(word.completion_source(given), piece.text, session, table)
    quote = rest[piece.start : piece.start + 1]
    return options + _suggestions_from(names, len(rest) - piece.start, quote)


def _command_names(beginning: str, table: CommandTable) -> list[str]:
    return [name for name in table.names() if name.startswith(beginning.lower())]


def _last_argument(rest: str, word: ShellCommand) -> tuple[ArgumentToken, ParsedArguments]:
    """Return the piece at the end, and what is given before it; raises `ShellUsageError`."""
    found = list(argument_tokens(rest))
    if not found or (found[-1].closed and found[-1].end < len(rest)):
        found.append(ArgumentToken("", False, len(rest), len(rest), True))
    if word.takes.whole and len(found) > 1:
        start = found[0].start
        return ArgumentToken(rest[start:], False, start, len(rest), True), ParsedArguments()
    before = [ShellArgument(piece.text, piece.literal) for piece in found[:-1]]
    return found[-1], parse_options(before, word.options, rest)


def _options(beginning: str, word: ShellCommand) -> list[Suggestion]:
    if not beginning.startswith("-"):
        return []
    texts = [f"--{one.name}" for one in word.options]
    return [Suggestion(text, len(beginning), text) for text in texts if text.startswith(beginning)]


def _suggestions_from(
    names: Iterable[CandidateName], replaces: int, quote: str
) -> list[Suggestion]:
    printing = (name for name in names if name.text.isprintable())
    return [Suggestion(_quoted_name(name.text, quote), replaces, name.shown) for name in printing]


def _quoted_name(name: str, quote: str) -> str:
    """Quote a name that needs it, or was begun so; behind a directory the quote stays open."""
    shown = quote_argument(name)
    if quote in ("'", '"') and shown == name:
        shown = f'"{name}"'
    return shown[:-1] if shown.endswith('/"') else shown


async def _names(
    side: CompletionSource, beginning: str, session: ShellSession, table: CommandTable
) -> list[CandidateName]:
    if side is CompletionSource.COMMANDS:
        return [CandidateName(name, name) for name in _command_names(beginning, table)]
    if side is CompletionSource.NONE:
        return []
    head, slash, tail = beginning.rpartition("/")
    directories_only = side in (CompletionSource.LOCAL_DIRECTORY, CompletionSource.REMOTE_DIRECTORY)
    if side in (CompletionSource.LOCAL, CompletionSource.LOCAL_DIRECTORY):
        found = await session.in_thread(_local, head + slash)
    else:
        found = await _remote(session, head + slash)
    return [
        CandidateName(head + slash + name + "/" * directory, name + "/" * directory)
        for name, directory in found
        if name.startswith(tail)
        and (directory or not directories_only)
        and (tail or not name.startswith("."))
    ]


async def _remote(session: ShellSession, directory: str) -> list[tuple[str, bool]]:
    entries = await session.entries(directory)
    return [(entry.name, entry.kind is Kind.DIRECTORY) for entry in entries]


def _local(directory: str) -> list[tuple[str, bool]]:
    """Return names and whether they are directories, sorted; runs in a thread."""
    try:
        with os.scandir(Path(directory or ".").expanduser()) as found:
            return sorted((entry.name, entry.is_dir()) for entry in found)
    except OSError:
        return []
