"""The program: runs the shell, a script or a one-shot command, as the command line says.

Modules that only the shell or scripts need are imported late: a one-shot command should start fast.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
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
from ftpservice_client.console.oneshot.command import OneShotCommand, run_one_shot
from ftpservice_client.console.oneshot.commands import ONE_SHOT_COMMANDS
from ftpservice_client.console.session.command_line import (
    PROGRAM_NAME,
    settings_from,
    shell_parser,
)
from ftpservice_client.console.session.errors import ConsoleError, UsageError
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.interrupt import Interrupt
from ftpservice_client.console.session.line_parser import quote_argument
from ftpservice_client.console.session.session import (
    ConsoleEnvironment,
    ConsoleSession,
    Prompter,
)
from ftpservice_client.console.terminal.screen import screen_for

__all__ = ["Program", "program_parser"]

STDIN_NAME = "-"
MISSING_PACKAGES_TEXT = "prompt_toolkit and rich are not installed: pip install 'ftpservice[shell]'"


class Program:
    """One run of the program; ``interrupt`` is the handler of Ctrl-C.

    Without a terminal it needs no ``loop``.
    """

    def __init__(self, reactor: Any, loop: AbstractEventLoop | None) -> None:
        self.interrupt = Interrupt()
        self._reactor = reactor
        self._loop = loop

    async def run(self, words: Sequence[str]) -> int:
        """Do what the command line says; return the exit status."""
        command = ONE_SHOT_COMMANDS.get(words[0]) if words else None
        if command is not None:
            return await self._run_one_shot(command, command.parser().parse_args(words[1:]))
        arguments = program_parser().parse_args(words)
        if arguments.more:
            raise UsageError(_unknown_command_text(arguments.url))
        if arguments.version:
            sys.stdout.write(f"{PROGRAM_NAME} {__version__}\n")
            return 0
        has_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        if arguments.file is not None or not has_terminal:
            return await self._run_script(arguments)
        return await self._run_shell(arguments)

    async def _run_one_shot(self, command: OneShotCommand, arguments: Namespace) -> int:
        session = self._session(arguments, quiet=arguments.quiet or arguments.json)
        try:
            failure = await self.interrupt.run(run_one_shot(command, session, arguments))
        except (ConsoleError, ClientError, OSError, CancelledError) as error:
            if arguments.json:
                session.screen.print_line(_error_json(error))
            if not isinstance(error, CancelledError):
                await self.interrupt.run(session.close())
            raise
        if failure is not None:
            raise failure
        return 0

    async def _run_script(self, arguments: Namespace) -> int:
        from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
        from ftpservice_client.console.shell.script import ScriptRunner

        session = self._session(arguments, quiet=arguments.quiet, is_script=True)
        script = ScriptRunner(session, SHELL_COMMANDS, keep_going=arguments.keep_going)
        if arguments.url and (status := await script.run_first(_open_line(arguments.url))):
            return status
        if arguments.file in (None, STDIN_NAME):
            return await script.run(_accept_any_bytes(sys.stdin))
        with await session.in_thread(_open_script, arguments.file) as lines:
            return await script.run(lines)

    async def _run_shell(self, arguments: Namespace) -> int:
        prompt_module = _import_prompt()
        assert self._loop is not None
        from ftpservice_client.console.shell.commands.table import SHELL_COMMANDS
        from ftpservice_client.console.shell.completion import suggestions_for
        from ftpservice_client.console.shell.history import HistoryFile, history_path
        from ftpservice_client.console.shell.shell import Shell

        session = self._session(arguments, quiet=arguments.quiet, is_shell=True)
        history = HistoryFile(history_path(os.environ))
        lines = await session.in_thread(history.load)
        suggest = partial(suggestions_for, session=session, table=SHELL_COMMANDS)
        prompt = prompt_module.ShellPrompt(self._loop, lines, suggest)
        shell = Shell(session, SHELL_COMMANDS, history)
        await shell.run(prompt, _open_line(arguments.url) if arguments.url else "")
        return 0

    def _session(
        self, arguments: Namespace, *, quiet: bool, is_shell: bool = False, is_script: bool = False
    ) -> ConsoleSession:
        screen = screen_for(sys.stdout, sys.stderr, quiet=quiet)
        prompter = None
        if self._loop is not None and sys.stdin.isatty() and sys.stderr.isatty():
            prompter = LazyTerminalPrompter(self._loop)
        return ConsoleSession(
            ConsoleEnvironment(
                self._reactor,
                screen,
                settings_from(arguments),
                prompter,
                self.interrupt,
                is_shell=is_shell,
                is_script=is_script,
            )
        )


class LazyTerminalPrompter:
    """A `Prompter` that imports prompt_toolkit at its first question."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Return the answer."""
        prompter: Prompter = _import_prompt().TerminalPrompter(self._loop)
        return await prompter.ask(question, secret=secret)


def _import_prompt() -> ModuleType:
    """Return the module ``shell.prompt``; raises `ConsoleError` if prompt_toolkit is missing."""
    try:
        return import_module("ftpservice_client.console.shell.prompt")
    except ModuleNotFoundError:
        raise ConsoleError(MISSING_PACKAGES_TEXT) from None


def program_parser() -> ArgumentParser:
    """Return the parser of a command line without a one-shot command; its help lists those."""
    lines = ["one-shot commands (COMMAND --help shows the options of one):"]
    return shell_parser("\n".join([*lines, *ONE_SHOT_COMMANDS.help_lines()]))


def _unknown_command_text(word: str) -> str:
    if ONE_SHOT_COMMANDS.get(word) is not None:
        return f"Options of {word} follow it: {PROGRAM_NAME} {word} [options] URL"
    from ftpservice_client.console.session.redaction import redact_urls

    commands = ", ".join(command.name for command in ONE_SHOT_COMMANDS)
    return f"Unknown command: {redact_urls(word)}. Commands: {commands}"


def _error_json(error: BaseException) -> str:
    data = {"kind": type(error).__name__, "text": error_text(error)}
    return json.dumps({"error": data}, sort_keys=True)


def _open_line(url: str) -> str:
    return f"open {quote_argument(url)}"


def _open_script(name: str) -> TextIO:
    return _accept_any_bytes(Path(name).open(encoding="utf-8"))


def _accept_any_bytes(lines: TextIO) -> TextIO:
    """Decode as UTF-8 so that other bytes reach the server unchanged."""
    if isinstance(lines, TextIOWrapper):
        lines.reconfigure(encoding="utf-8", errors="surrogateescape")
    return lines
