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
from ftpservice_client.console.oneshot.command_table import OneShotCommand, run_one_shot
from ftpservice_client.console.oneshot.table import ONE_SHOT_COMMANDS
from ftpservice_client.console.session.arguments import PROGRAM_NAME, settings_from, shell_parser
from ftpservice_client.console.session.errors import ShellError, ShellUsageError
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.interrupt import Interrupt
from ftpservice_client.console.session.line_parser import quote_argument
from ftpservice_client.console.session.session import Prompter, ShellEnvironment, ShellSession
from ftpservice_client.console.terminal.terminal import screen_for

__all__ = ["Program"]

STDIN_NAME = "-"
MISSING_PACKAGES_TEXT = "prompt_toolkit and rich are not installed: pip install 'ftpservice[shell]'"


class Program:
    """Runs once; `interrupt` is for Ctrl-C."""

    def __init__(self, reactor: Any, loop: AbstractEventLoop) -> None:
        self.interrupt = Interrupt()
        self._reactor = reactor
        self._loop = loop

    async def run(self, words: Sequence[str]) -> int:
        """Do what the command line says and return the exit status."""
        shot = ONE_SHOT_COMMANDS.find(words[0]) if words else None
        if shot is not None:
            return await self._run_one_shot(shot, shot.parser().parse_args(words[1:]))
        given = shell_parser().parse_args(words)
        if given.more:
            raise ShellUsageError(_extra_arguments_text(given.url))
        if given.version:
            sys.stdout.write(f"{PROGRAM_NAME} {__version__}\n")
            return 0
        attended = sys.stdin.isatty() and sys.stdout.isatty()
        if given.file is not None or not attended:
            return await self._script(given)
        return await self._shell(given)

    async def _run_one_shot(self, shot: OneShotCommand, given: Namespace) -> int:
        session = self._session(given, quiet=given.quiet or given.json)
        try:
            failure = await self.interrupt.run(run_one_shot(shot, session, given))
        except (ShellError, ClientError, OSError, CancelledError) as error:
            if given.json:
                session.screen.say(_as_json(error))
            if not isinstance(error, CancelledError):
                await self.interrupt.run(session.close())
            raise
        if failure is not None:
            raise failure
        return 0

    async def _script(self, given: Namespace) -> int:
        from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
        from ftpservice_client.console.shell.script import ScriptRunner

        session = self._session(given, quiet=given.quiet, script=True)
        script = ScriptRunner(session, SHELL_COMMANDS, keep_going=given.keep_going)
        if given.url and (failed := await script.first(_opening(given.url))):
            return failed
        if given.file in (None, STDIN_NAME):
            return await script.run(_in_any_encoding(sys.stdin))
        with await session.in_thread(_opened, given.file) as lines:
            return await script.run(lines)

    async def _shell(self, given: Namespace) -> int:
        prompting = _load_prompter()
        from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
        from ftpservice_client.console.shell.completion import suggestions_for
        from ftpservice_client.console.shell.history import HistoryFile, history_path
        from ftpservice_client.console.shell.shell import Shell

        session = self._session(given, quiet=given.quiet, shell=True)
        history = HistoryFile(history_path(os.environ))
        lines = await session.in_thread(history.load)
        suggest = partial(suggestions_for, session=session, table=SHELL_COMMANDS)
        prompt = prompting.Prompt(self._loop, lines, suggest)
        shell = Shell(session, SHELL_COMMANDS, history)
        await shell.run(prompt, _opening(given.url) if given.url else "")
        return 0

    def _session(
        self, given: Namespace, *, quiet: bool, shell: bool = False, script: bool = False
    ) -> ShellSession:
        screen = screen_for(sys.stdout, sys.stderr, quiet=quiet)
        asker = (
            LazyTerminalPrompter(self._loop) if sys.stdin.isatty() and sys.stderr.isatty() else None
        )
        surroundings = ShellEnvironment(
            self._reactor,
            screen,
            settings_from(given),
            asker,
            self.interrupt,
            shell=shell,
            script=script,
        )
        return ShellSession(surroundings)


class LazyTerminalPrompter:
    """Who sits at the terminal; what it takes to ask is loaded when it is needed."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return the answer."""
        questions: Prompter = _load_prompter().Questions(self._loop)
        return await questions.ask(question, secret=secret)


def _load_prompter() -> ModuleType:
    """Return what asks at a terminal; raises `ShellError` where what it needs is not installed."""
    try:
        return import_module("ftpservice_client.console.shell.prompt")
    except ModuleNotFoundError:
        raise ShellError(MISSING_PACKAGES_TEXT) from None


def _extra_arguments_text(word: str) -> str:
    """Return what is wrong with several words where one URL should be."""
    if ONE_SHOT_COMMANDS.find(word) is not None:
        return f"options of {word} stand behind it ({PROGRAM_NAME} {word} --help tells more)"
    from ftpservice_client.console.session.redaction import redact_urls

    known = ", ".join(ONE_SHOT_COMMANDS.names())
    return f"{redact_urls(word)} is none of the commands: {known}"


def _as_json(error: BaseException) -> str:
    facts = {"kind": type(error).__name__, "text": error_text(error)}
    return json.dumps({"error": facts}, sort_keys=True)


def _opening(url: str) -> str:
    return f"open {quote_argument(url)}"


def _opened(name: str) -> TextIO:
    return _in_any_encoding(Path(name).open(encoding="utf-8"))


def _in_any_encoding(lines: TextIO) -> TextIO:
    """Have bytes that are no UTF-8 go to the server as they came."""
    if isinstance(lines, TextIOWrapper):
        lines.reconfigure(encoding="utf-8", errors="surrogateescape")
    return lines
