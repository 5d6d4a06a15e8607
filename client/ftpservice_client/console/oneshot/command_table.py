"""Single commands: what stands behind ``ftpservice-client get`` and the like, one row each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftpservice.wire.glob import has_wildcards
from ftpservice_client.console.session.arguments import destination, shot_parser
from ftpservice_client.console.session.line_parser import Argument
from ftpservice_client.console.session.login import log_in
from ftpservice_client.console.session.session import Session

__all__ = ["Answer", "Run", "Shot", "ShotTable", "arrive", "carry_out"]

Prepare = Callable[[argparse.ArgumentParser], None]
"""Adds the arguments of a command to its parser."""


@dataclass(frozen=True)
class Answer:
    """What came of it: for programs, as JSON; for people, as lines; and what was not done."""

    data: dict[str, Any]
    lines: Sequence[str] = ()
    failure: BaseException | None = None


Run = Callable[[Session, argparse.Namespace], Awaitable[Answer]]


@dataclass(frozen=True)
class Shot:
    """One row."""

    name: str
    run: Run
    prepare: Prepare

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser of its arguments."""
        parser = shot_parser(self.name, (self.run.__doc__ or "").splitlines()[0])
        self.prepare(parser)
        return parser


class ShotTable:
    """The rows, by name."""

    def __init__(self) -> None:
        self._rows: dict[str, Shot] = {}

    def add(self, name: str, prepare: Prepare) -> Callable[[Run], Run]:
        """Make the decorated function the command ``name``; its docstring becomes the help."""

        def decorate(run: Run) -> Run:
            self._rows[name] = Shot(name, run, prepare)
            return run

        return decorate

    def include(self, *tables: ShotTable) -> ShotTable:
        """Take over the rows of other tables; returns itself."""
        for table in tables:
            self._rows |= table._rows
        return self

    def find(self, name: str) -> Shot | None:
        """Return the row of ``name``, if there is one."""
        return self._rows.get(name)

    def names(self) -> list[str]:
        """Return the names."""
        return list(self._rows)


async def arrive(session: Session, text: str) -> Argument:
    """Connect to where a URL leads, unless we are there; return the path in it.

    Wildcards that are written as ``%2A`` and the like are none.
    """
    place = destination(text)
    server = replace(place, path="")
    if session.named != server:
        await log_in(session, server)
        session.named = server
    return Argument(place.path, literal=not has_wildcards(text))


async def carry_out(
    shot: Shot, session: Session, words: argparse.Namespace
) -> BaseException | None:
    """Do it, and tell what came of it; return what was not done, if anything."""
    answer = await shot.run(session, words)
    if words.json:
        session.screen.say(json.dumps(answer.data, sort_keys=True))
    else:
        session.screen.show(answer.lines)
    await session.close()
    return answer.failure
