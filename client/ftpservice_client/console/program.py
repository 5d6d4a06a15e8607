"""What a command line asks for: a shell, a script or a single command.

What only one of them takes is loaded when it is wanted: a single command is over before a person
has waited for it, or should be.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from asyncio import AbstractEventLoop
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from twisted.internet.defer import CancelledError

from ftpservice import __version__
from ftpservice_client import ClientError
from ftpservice_client.console.oneshot.command_table import Shot, carry_out
from ftpservice_client.console.oneshot.table import SHOTS
from ftpservice_client.console.session.arguments import PROGRAM, settings_from, shell_parser
from ftpservice_client.console.session.errors import Complaint, Usage
from ftpservice_client.console.session.exit_status import explain
from ftpservice_client.console.session.interrupt import Interrupt
from ftpservice_client.console.session.line_parser import quoted
from ftpservice_client.console.session.session import Asker, Session, Surroundings
from ftpservice_client.console.terminal.terminal import screen_for

__all__ = ["Program"]

INPUT = "-"
MISSING = "prompt_toolkit and rich are not installed: pip install 'ftpservice[shell]'"


class Program:
    """Runs once; `interrupt` is for Ctrl-C."""

    def __init__(self, reactor: Any, loop: AbstractEventLoop) -> None:
        self.interrupt = Interrupt()
        self._reactor = reactor
        self._loop = loop

    async def run(self, words: Sequence[str]) -> int:
        """Do what the command line says and return the exit status."""
        shot = SHOTS.find(words[0]) if words else None
        if shot is not None:
            return await self._shoot(shot, shot.parser().parse_args(words[1:]))
        given = shell_parser().parse_args(words)
        if given.more:
            raise Usage(_misplaced(given.url))
        if given.version:
            sys.stdout.write(f"{PROGRAM} {__version__}\n")
            return 0
        attended = sys.stdin.isatty() and sys.stdout.isatty()
        if given.file is not None or not attended:
            return await self._script(given)
        return await self._shell(given)

    async def _shoot(self, shot: Shot, given: Namespace) -> int:
        session = self._session(given, quiet=given.quiet or given.json)
        try:
            failure = await self.interrupt.run(carry_out(shot, session, given))
        except (Complaint, ClientError, OSError, CancelledError) as error:
            if given.json:
                session.screen.say(_as_json(error))
            if not isinstance(error, CancelledError):
                await self.interrupt.run(session.close())
            raise
        if failure is not None:
            raise failure
        return 0

    async def _script(self, given: Namespace) -> int:
        from ftpservice_client.console.shell.commands.table import TABLE
        from ftpservice_client.console.shell.script import Script

        session = self._session(given, quiet=given.quiet, script=True)
        script = Script(session, TABLE, keep_going=given.keep_going)
        if given.url and (failed := await script.first(_opening(given.url))):
            return failed
        if given.file in (None, INPUT):
            return await script.run(_in_any_encoding(sys.stdin))
        with await session.aside(_opened, given.file) as lines:
            return await script.run(lines)

    async def _shell(self, given: Namespace) -> int:
        prompting = _prompting()
        from ftpservice_client.console.shell.commands.table import TABLE
        from ftpservice_client.console.shell.completion import suggestions
        from ftpservice_client.console.shell.history import HistoryFile, history_path
        from ftpservice_client.console.shell.shell import Shell

        session = self._session(given, quiet=given.quiet, shell=True)
        history = HistoryFile(history_path(os.environ))
        lines = await session.aside(history.load)
        suggest = partial(suggestions, session=session, table=TABLE)
        prompt = prompting.Prompt(self._loop, lines, suggest)
        shell = Shell(session, TABLE, history)
        await shell.run(prompt, _opening(given.url) if given.url else "")
        return 0

    def _session(
        self, given: Namespace, *, quiet: bool, shell: bool = False, script: bool = False
    ) -> Session:
        screen = screen_for(sys.stdout, sys.stderr, quiet=quiet)
        asker = Person(self._loop) if sys.stdin.isatty() and sys.stderr.isatty() else None
        surroundings = Surroundings(
            self._reactor,
            screen,
            settings_from(given),
            asker,
            self.interrupt,
            shell=shell,
            script=script,
        )
        return Session(surroundings)


class Person:
    """Who sits at the terminal; what it takes to ask is loaded when it is needed."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return the answer."""
        questions: Asker = _prompting().Questions(self._loop)
        return await questions.ask(question, secret=secret)


def _prompting() -> ModuleType:
    """Return what asks at a terminal; raises `Complaint` where what it needs is not installed."""
    try:
        return import_module("ftpservice_client.console.shell.prompt")
    except ModuleNotFoundError:
        raise Complaint(MISSING) from None


def _misplaced(word: str) -> str:
    """Return what is wrong with several words where one URL should be."""
    if SHOTS.find(word) is not None:
        return f"options of {word} stand behind it ({PROGRAM} {word} --help tells more)"
    from ftpservice_client.console.session.redaction import without_url_passwords

    known = ", ".join(SHOTS.names())
    return f"{without_url_passwords(word)} is none of the commands: {known}"


def _as_json(error: BaseException) -> str:
    facts = {"kind": type(error).__name__, "text": explain(error)}
    return json.dumps({"error": facts}, sort_keys=True)


def _opening(url: str) -> str:
    return f"open {quoted(url)}"


def _opened(name: str) -> TextIO:
    return _in_any_encoding(Path(name).open(encoding="utf-8"))


def _in_any_encoding(lines: TextIO) -> TextIO:
    """Have bytes that are no UTF-8 go to the server as they came."""
    if isinstance(lines, TextIOWrapper):
        lines.reconfigure(encoding="utf-8", errors="surrogateescape")
    return lines
