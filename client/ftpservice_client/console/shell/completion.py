"""Completion: commands, options, local names, and remote names from recent listings."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ftpservice.wire.entry import Kind
from ftpservice_client.console.session.errors import UsageError
from ftpservice_client.console.session.line_parser import (
    ArgumentToken,
    ShellArgument,
    argument_tokens,
    quote_argument,
)
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.shell.arguments import ParsedArguments, parse_options
from ftpservice_client.console.shell.command import (
    CompletionSource,
    ShellCommand,
    ShellCommandTable,
)

__all__ = ["Suggestion", "suggestions_for"]


class Suggestion(NamedTuple):
    """A text that replaces the last ``replaced_length`` characters of the line."""

    text: str
    replaced_length: int
    display: str
    """The last component of a name, for the menu."""


class CandidateName(NamedTuple):
    """A possible argument; ``display`` is its last component."""

    text: str
    display: str


async def suggestions_for(
    before: str, session: ConsoleSession, table: ShellCommandTable
) -> list[Suggestion]:
    """Return the suggestions for the end of ``before``, the line up to the cursor."""
    line = before.lstrip()
    first, *others = line.split(None, 1)[:2] or [""]
    if not others and not line[-1:].isspace():
        return _suggestions_from(
            (CandidateName(name, name) for name in _command_names(first, table)), len(first), ""
        )
    rest = line[len(first) :]
    try:
        command = table.find(first)
        token, arguments = _last_token(rest, command)
    except UsageError:
        return []
    options = [] if token.literal else _options(token.text, command)
    names = await _names(command.completion_source(arguments), token.text, session, table)
    quote = rest[token.start : token.start + 1]
    return options + _suggestions_from(names, len(rest) - token.start, quote)


def _command_names(prefix: str, table: ShellCommandTable) -> list[str]:
    return [name for name in table.names() if name.startswith(prefix.lower())]


def _last_token(rest: str, command: ShellCommand) -> tuple[ArgumentToken, ParsedArguments]:
    """Return the token at the cursor and the arguments before it; raises `UsageError`."""
    tokens = list(argument_tokens(rest))
    if not tokens or (tokens[-1].closed and tokens[-1].end < len(rest)):
        tokens.append(ArgumentToken("", False, len(rest), len(rest), True))
    if command.arguments.is_rest_of_line and len(tokens) > 1:
        start = tokens[0].start
        return ArgumentToken(rest[start:], False, start, len(rest), True), ParsedArguments()
    before = [ShellArgument(token.text, token.literal) for token in tokens[:-1]]
    return tokens[-1], parse_options(before, command.options, rest)


def _options(prefix: str, command: ShellCommand) -> list[Suggestion]:
    if not prefix.startswith("-"):
        return []
    texts = [f"--{option.name}" for option in command.options]
    return [Suggestion(text, len(prefix), text) for text in texts if text.startswith(prefix)]


def _suggestions_from(
    names: Iterable[CandidateName], replaced_length: int, quote: str
) -> list[Suggestion]:
    return [
        Suggestion(_quoted_name(name.text, quote), replaced_length, name.display)
        for name in names
        if name.text.isprintable()
    ]


def _quoted_name(name: str, quote: str) -> str:
    """Quote a name that needs it or was begun with a quote; a directory is left without the end."""
    quoted = quote_argument(name)
    if quote in ("'", '"') and quoted == name:
        quoted = f'"{name}"'
    return quoted[:-1] if quoted.endswith('/"') else quoted


async def _names(
    source: CompletionSource, prefix: str, session: ConsoleSession, table: ShellCommandTable
) -> list[CandidateName]:
    if source is CompletionSource.COMMANDS:
        return [CandidateName(name, name) for name in _command_names(prefix, table)]
    if source is CompletionSource.NONE:
        return []
    head, slash, tail = prefix.rpartition("/")
    directories_only = source in (
        CompletionSource.LOCAL_DIRECTORY,
        CompletionSource.REMOTE_DIRECTORY,
    )
    if source in (CompletionSource.LOCAL, CompletionSource.LOCAL_DIRECTORY):
        found = await session.in_thread(_local_names, head + slash)
    else:
        found = await _remote_names(session, head + slash)
    return [
        CandidateName(head + slash + name + "/" * is_directory, name + "/" * is_directory)
        for name, is_directory in found
        if name.startswith(tail)
        and (is_directory or not directories_only)
        and (tail or not name.startswith("."))
    ]


async def _remote_names(session: ConsoleSession, directory: str) -> list[tuple[str, bool]]:
    entries = await session.entries(directory)
    return [(entry.name, entry.kind is Kind.DIRECTORY) for entry in entries]


def _local_names(directory: str) -> list[tuple[str, bool]]:
    """Return names and whether they are directories, sorted; blocks."""
    try:
        with os.scandir(Path(directory or ".").expanduser()) as found:
            return sorted((entry.name, entry.is_dir()) for entry in found)
    except OSError:
        return []
