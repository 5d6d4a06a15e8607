"""Commands for this machine: lcd, lls, lpwd, and ``!`` for the system's shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.console.session.errors import ConsoleError
from ftpservice_client.console.session.line_parser import SYSTEM_COMMAND_PREFIX
from ftpservice_client.console.session.name_expansion import local_path
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.shell.arguments import ParsedArguments
from ftpservice_client.console.shell.command import (
    ArgumentSpec,
    CompletionSource,
    ShellCommandTable,
)
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import plain_listing

__all__ = ["commands"]

commands = ShellCommandTable()

LOCAL_DIRECTORY = ArgumentSpec("[<directory>]", (CompletionSource.LOCAL_DIRECTORY,), max_count=1)


@commands.add("lcd", arguments=LOCAL_DIRECTORY)
async def change_local_directory(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Change the local directory; without a name, to the home directory."""
    path = local_path(arguments.positional[0]) if arguments.positional else Path.home()
    await session.in_thread(os.chdir, path)
    session.screen.print_status(os.fsdecode(await session.in_thread(os.getcwd)))


@commands.add("lpwd")
async def show_local_directory(session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Show the local directory."""
    session.screen.print_line(escape_unprintable(await session.in_thread(os.getcwd)))


@commands.add("lls", arguments=LOCAL_DIRECTORY)
async def list_local_directory(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """List a local directory."""
    path = local_path(arguments.positional[0]) if arguments.positional else Path()
    entries = await session.in_thread(lambda: sorted(_entries(path), key=attrgetter("name")))
    session.screen.print_lines(plain_listing(entries, session.screen))


def _entries(path: Path) -> Iterator[Entry]:
    with os.scandir(path) as found:
        for one in found:
            status = one.stat(follow_symlinks=False)
            yield Entry(one.name, _kind(one), status.st_size, status.st_mtime)


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return Kind.LINK
    if entry.is_dir():
        return Kind.DIRECTORY
    return Kind.FILE if entry.is_file() else Kind.OTHER


@commands.add(SYSTEM_COMMAND_PREFIX, arguments=ArgumentSpec("<command>"))
async def run_system_command(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Run a command in the system's shell; without one, start that shell."""
    command = arguments.rest or os.environ.get("SHELL", "/bin/sh")
    status = await session.lend_terminal(_run_in_system_shell, command)
    if status:
        raise ConsoleError(f"The command exited with status {status}.")


def _run_in_system_shell(command: str) -> int:
    return subprocess.run(command, shell=True, check=False).returncode
