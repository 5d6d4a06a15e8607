"""One line carried out: what shell and scripts have in common.

Everything known about a word of the shell, one row each; dispatch, HELP, Tab and docs read.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred

from ftpservice_client.console.session.errors import (
    NotConnected,
    ShellUsageError,
    UnknownShellCommand,
)
from ftpservice_client.console.session.line_parser import ParsedLine, ShellArgument, parse_line
from ftpservice_client.console.session.login import log_in_anonymously
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.options import Option, ParsedArguments, parse_options

__all__ = [
    "UNLIMITED",
    "ArgumentSpec",
    "CommandTable",
    "CompletionSource",
    "ShellCommand",
    "ShellCommandFunction",
    "run_line",
]


async def run_line(text: str, session: ShellSession, table: CommandTable) -> None:
    """Do what a line says; raises whatever goes wrong with it.

    What needs a login, where there is a connection without one, is done as anonymous.
    """
    line = parse_line(text)
    if line is None:
        return
    word = table.find(line.word)
    given = word.given(line)
    try:
        try:
            await session.interrupt.run(word.run(session, given))
        except NotConnected:
            await session.interrupt.run(log_in_anonymously(session))
            await session.interrupt.run(word.run(session, given))
    finally:
        if word.changes:
            session.forget_listings()


ShellCommandFunction = Callable[
    [ShellSession, ParsedArguments], Coroutine[Deferred[Any], Any, None]
]
"""What a word does."""
UNLIMITED = 1_000_000
"""As many arguments as somebody likes to type."""


class CompletionSource(Enum):
    """Whose names an argument is completed from."""

    NONE = "none"
    COMMANDS = "words"
    LOCAL = "local"
    LOCAL_DIRECTORY = "local directory"
    REMOTE = "remote"
    REMOTE_DIRECTORY = "remote directory"


@dataclass(frozen=True)
class ArgumentSpec:
    """The arguments of a word."""

    shown: str = ""
    sources: tuple[CompletionSource, ...] = ()
    """What each is; the last stands for all that follow."""
    least: int = 0
    most: int = 0
    whole: bool = False
    """Whether it is one name, which runs to the end of the line and may hold spaces."""
    swapped_by: str = ""
    """The option that has the sides the other way round."""


NO_ARGUMENTS = ArgumentSpec()


@dataclass(frozen=True)
class ShellCommand:
    """One row of the table."""

    name: str
    run: ShellCommandFunction
    help: str
    takes: ArgumentSpec
    options: tuple[Option, ...] = ()
    aliases: tuple[str, ...] = ()
    changes: bool = False
    """Whether listings that were fetched before may be out of date behind it."""

    @property
    def syntax(self) -> str:
        """How it is typed."""
        parts = (self.name, *(option.shown for option in self.options), self.takes.shown)
        return " ".join(filter(None, parts))

    def given(self, line: ParsedLine) -> ParsedArguments:
        """Return what stood behind the word; raises `ShellUsageError` if that does not fit."""
        arguments = line.arguments
        if self.takes.whole and len(arguments) > 1:
            arguments = (ShellArgument(line.rest, True),)
        given = parse_options(arguments, self.options, line.rest)
        if not self.takes.least <= len(given.arguments) <= self.takes.most:
            raise ShellUsageError(f"That is typed as: {self.syntax}")
        return given

    def completion_source(self, before: ParsedArguments) -> CompletionSource:
        """Return what the next argument is completed from, with these before it."""
        number, sides = len(before.arguments), self.takes.sources
        if not sides or number >= self.takes.most:
            return CompletionSource.NONE
        if before.has(self.takes.swapped_by):
            sides = sides[::-1]
        return sides[min(number, len(sides) - 1)]


class CommandTable:
    """The rows, by name."""

    def __init__(self) -> None:
        self._rows: dict[str, ShellCommand] = {}
        self._names: dict[str, ShellCommand] = {}

    def add(
        self,
        *names: str,
        takes: ArgumentSpec = NO_ARGUMENTS,
        options: tuple[Option, ...] = (),
        changes: bool = False,
    ) -> Callable[[ShellCommandFunction], ShellCommandFunction]:
        """Make the decorated function the word of these names; its docstring becomes the help."""

        def decorate(run: ShellCommandFunction) -> ShellCommandFunction:
            name, *aliases = names
            text = (run.__doc__ or "").splitlines()[0]
            self._enter(ShellCommand(name, run, text, takes, options, tuple(aliases), changes))
            return run

        return decorate

    def include(self, *tables: CommandTable) -> CommandTable:
        """Take over the rows of other tables; returns itself."""
        for table in tables:
            for word in table:
                self._enter(word)
        return self

    def _enter(self, word: ShellCommand) -> None:
        for name in (word.name, *word.aliases):
            if name in self._names:
                raise ValueError(f"two rows for {name}")
            self._names[name] = word
        self._rows[word.name] = word

    def find(self, name: str) -> ShellCommand:
        """Return the row of ``name``; raises `UnknownShellCommand`, which suggests the nearest."""
        word = self._names.get(name.lower())
        if word is None:
            near = get_close_matches(name.lower(), self._names, n=1)
            hint = f"did you mean {near[0]}?" if near else "help lists the words."
            raise UnknownShellCommand(f"There is no word {name!r} here; {hint}")
        return word

    def names(self) -> list[str]:
        """Return every name and alias that can be typed, sorted."""
        return sorted(self._names)

    def __iter__(self) -> Iterator[ShellCommand]:
        return iter(self._rows.values())
