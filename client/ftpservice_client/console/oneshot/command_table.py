"""Single commands: what stands behind ``ftpservice-client get`` and the like, one row each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftpservice.wire.glob import has_wildcards
from ftpservice_client.console.session.arguments import destination, one_shot_parser
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.login import log_in
from ftpservice_client.console.session.session import ShellSession

__all__ = [
    "OneShotCommand",
    "OneShotFunction",
    "OneShotResult",
    "OneShotTable",
    "connect_to",
    "run_one_shot",
]

AddArguments = Callable[[argparse.ArgumentParser], None]
"""Adds the arguments of a command to its parser."""


@dataclass(frozen=True)
class OneShotResult:
    """What came of it: for programs, as JSON; for people, as lines; and what was not done."""

    data: dict[str, Any]
    lines: Sequence[str] = ()
    failure: BaseException | None = None


OneShotFunction = Callable[[ShellSession, argparse.Namespace], Awaitable[OneShotResult]]


@dataclass(frozen=True)
class OneShotCommand:
    """One row."""

    name: str
    run: OneShotFunction
    prepare: AddArguments

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser of its arguments."""
        parser = one_shot_parser(self.name, (self.run.__doc__ or "").splitlines()[0])
        self.prepare(parser)
        return parser


class OneShotTable:
    """The rows, by name."""

    def __init__(self) -> None:
        self._rows: dict[str, OneShotCommand] = {}

    def add(self, name: str, prepare: AddArguments) -> Callable[[OneShotFunction], OneShotFunction]:
        """Make the decorated function the command ``name``; its docstring becomes the help."""

        def decorate(run: OneShotFunction) -> OneShotFunction:
            self._rows[name] = OneShotCommand(name, run, prepare)
            return run

        return decorate

    def include(self, *tables: OneShotTable) -> OneShotTable:
        """Take over the rows of other tables; returns itself."""
        for table in tables:
            self._rows |= table._rows
        return self

    def find(self, name: str) -> OneShotCommand | None:
        """Return the row of ``name``, if there is one."""
        return self._rows.get(name)

    def names(self) -> list[str]:
        """Return the names."""
        return list(self._rows)


async def connect_to(session: ShellSession, text: str) -> ShellArgument:
    """Connect to where a URL leads, unless we are there; return the path in it.

    Wildcards that are written as ``%2A`` and the like are none.
    """
    place = destination(text)
    server = replace(place, path="")
    if session.url_destination != server:
        await log_in(session, server)
        session.url_destination = server
    return ShellArgument(place.path, literal=not has_wildcards(text))


async def run_one_shot(
    shot: OneShotCommand, session: ShellSession, words: argparse.Namespace
) -> BaseException | None:
    """Do it, and tell what came of it; return what was not done, if anything."""
    answer = await shot.run(session, words)
    if words.json:
        session.screen.say(json.dumps(answer.data, sort_keys=True))
    else:
        session.screen.show(answer.lines)
    await session.close()
    return answer.failure
