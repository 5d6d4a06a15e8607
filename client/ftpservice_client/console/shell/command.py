"""Shell commands: their table, and the execution of a line of the shell or of a script."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred

from ftpservice_client.console.session.command_table import CommandTable
from ftpservice_client.console.session.errors import NotConnected, UsageError
from ftpservice_client.console.session.line_parser import ParsedLine, ShellArgument, parse_line
from ftpservice_client.console.session.login import log_in_anonymously
from ftpservice_client.console.session.options import Option
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.shell.arguments import ParsedArguments, parse_options

__all__ = [
    "UNLIMITED",
    "ArgumentSpec",
    "CompletionSource",
    "ShellCommand",
    "ShellCommandFunction",
    "ShellCommandTable",
    "run_line",
]

ShellCommandFunction = Callable[
    [ConsoleSession, ParsedArguments], Coroutine[Deferred[Any], Any, None]
]
UNLIMITED = 1_000_000
"""The `ArgumentSpec.max_count` of commands that take any number of arguments."""


class CompletionSource(Enum):
    """The names that complete an argument."""

    NONE = "none"
    COMMANDS = "commands"
    LOCAL = "local"
    LOCAL_DIRECTORY = "local directory"
    REMOTE = "remote"
    REMOTE_DIRECTORY = "remote directory"


@dataclass(frozen=True)
class ArgumentSpec:
    """The positional arguments of a command."""

    syntax: str = ""
    sources: tuple[CompletionSource, ...] = ()
    """The source of each argument; the last one is also that of all further arguments."""
    min_count: int = 0
    max_count: int = 0
    is_rest_of_line: bool = False
    """There is one argument, which may hold spaces without quotes."""
    reversed_by: Option | None = None
    """The option that reverses ``sources``."""


NO_ARGUMENTS = ArgumentSpec()


@dataclass(frozen=True)
class ShellCommand:
    """One row of the table."""

    name: str
    run: ShellCommandFunction
    help: str
    arguments: ArgumentSpec
    options: tuple[Option, ...] = ()
    aliases: tuple[str, ...] = ()
    invalidates_listings: bool = False

    @property
    def syntax(self) -> str:
        """The usage of the command."""
        parts = (self.name, *(option.syntax for option in self.options), self.arguments.syntax)
        return " ".join(filter(None, parts))

    def parse_arguments(self, line: ParsedLine) -> ParsedArguments:
        """Return the arguments of a line; raises `UsageError` if they do not fit the command."""
        arguments = line.arguments
        if self.arguments.is_rest_of_line and len(arguments) > 1:
            arguments = (ShellArgument(line.rest, True),)
        parsed = parse_options(arguments, self.options, line.rest)
        if not self.arguments.min_count <= len(parsed.positional) <= self.arguments.max_count:
            raise UsageError(f"Usage: {self.syntax}")
        return parsed

    def completion_source(self, before: ParsedArguments) -> CompletionSource:
        """Return the source of the argument that follows ``before``."""
        index, sources = len(before.positional), self.arguments.sources
        if not sources or index >= self.arguments.max_count:
            return CompletionSource.NONE
        if self.arguments.reversed_by is not None and before.has(self.arguments.reversed_by):
            sources = sources[::-1]
        return sources[min(index, len(sources) - 1)]


class ShellCommandTable(CommandTable[ShellCommand]):
    """The shell commands by name and alias; dispatch, help, completion and docs read it."""

    def add(
        self,
        *names: str,
        arguments: ArgumentSpec = NO_ARGUMENTS,
        options: tuple[Option, ...] = (),
        invalidates_listings: bool = False,
    ) -> Callable[[ShellCommandFunction], ShellCommandFunction]:
        """Return a decorator that adds a function as a command; its docstring is the help text.

        The first name is the command's, the others are aliases. ``invalidates_listings`` drops the
        session's listings after the command.
        """

        def decorate(run: ShellCommandFunction) -> ShellCommandFunction:
            name, *aliases = names
            text = (run.__doc__ or "").splitlines()[0]
            self.add_row(
                ShellCommand(
                    name, run, text, arguments, options, tuple(aliases), invalidates_listings
                )
            )
            return run

        return decorate


async def run_line(text: str, session: ConsoleSession, table: ShellCommandTable) -> None:
    """Run the command in a line; raises its error.

    A command that needs a login, on a connection without one, is run after an anonymous login.
    """
    line = parse_line(text)
    if line is None:
        return
    command = table.find(line.command)
    arguments = command.parse_arguments(line)
    try:
        try:
            await session.interrupt.run(command.run(session, arguments))
        except NotConnected:
            await session.interrupt.run(log_in_anonymously(session))
            await session.interrupt.run(command.run(session, arguments))
    finally:
        if command.invalidates_listings:
            session.forget_listings()
