"""One-shot commands: their table, their connection and the output of their results."""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ftpservice.wire.glob import has_wildcards
from ftpservice_client.console.session.command_line import one_shot_parser, parse_destination
from ftpservice_client.console.session.command_table import CommandTable
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.login import log_in
from ftpservice_client.console.session.session import ConsoleSession

__all__ = [
    "OneShotCommand",
    "OneShotFunction",
    "OneShotResult",
    "OneShotTable",
    "connect_to",
    "run_one_shot",
]

AddArguments = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True)
class OneShotResult:
    """A result as an object for ``--json`` and as lines; ``failure`` if a part of it failed."""

    data: dict[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()
    failure: BaseException | None = None


OneShotFunction = Callable[[ConsoleSession, argparse.Namespace], Awaitable[OneShotResult]]


@dataclass(frozen=True)
class OneShotCommand:
    """One row of the table: name, arguments as the usage line shows them, help text, function."""

    name: str
    syntax: str
    help: str
    run: OneShotFunction
    add_arguments: AddArguments
    aliases: tuple[str, ...] = ()

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser of the command's arguments."""
        parser = one_shot_parser(self.name, self.syntax, self.help)
        self.add_arguments(parser)
        return parser


class OneShotTable(CommandTable[OneShotCommand]):
    """The one-shot commands by name."""

    def add(
        self, name: str, syntax: str, add_arguments: AddArguments
    ) -> Callable[[OneShotFunction], OneShotFunction]:
        """Return a decorator that adds a function as a command; its docstring is the help text."""

        def decorate(run: OneShotFunction) -> OneShotFunction:
            text = (run.__doc__ or "").splitlines()[0]
            self.add_row(OneShotCommand(name, syntax, text, run, add_arguments))
            return run

        return decorate

    def help_lines(self) -> Iterator[str]:
        """Yield a line for each command: its syntax and help text."""
        width = max(len(f"{one.name} {one.syntax}") for one in self)
        for one in self:
            yield f"  {f'{one.name} {one.syntax}':<{width}}  {one.help}"


async def connect_to(session: ConsoleSession, url: str) -> ShellArgument:
    """Connect to the server of a URL unless the session is connected to it; return the URL's path.

    Percent-encoded wildcards (``%2A``) are ordinary characters.
    """
    destination = parse_destination(url)
    server = replace(destination, path="")
    if session.url_destination != server:
        await log_in(session, server)
        session.url_destination = server
    return ShellArgument(destination.path, literal=not has_wildcards(url))


async def run_one_shot(
    command: OneShotCommand, session: ConsoleSession, arguments: argparse.Namespace
) -> BaseException | None:
    """Run a command, print its result and close the connection; return the failure of a part."""
    result = await command.run(session, arguments)
    if arguments.json:
        session.screen.print_line(json.dumps(result.data, sort_keys=True))
    else:
        session.screen.print_lines(result.lines)
    await session.close()
    return result.failure
