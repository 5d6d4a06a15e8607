"""Words about this side: lcd, lls, lpwd, and ! for the system's own commands."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.console.session.errors import ShellError
from ftpservice_client.console.session.line_parser import SYSTEM_COMMAND_PREFIX
from ftpservice_client.console.session.name_expansion import local_path
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    ArgumentSpec,
    CommandTable,
    CompletionSource,
)
from ftpservice_client.console.shell.options import ParsedArguments
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import plain_listing

__all__ = ["commands"]

commands = CommandTable()

LOCAL_DIRECTORY = ArgumentSpec("[<directory>]", (CompletionSource.LOCAL_DIRECTORY,), most=1)


@commands.add("lcd", takes=LOCAL_DIRECTORY)
async def change_local_directory(session: ShellSession, given: ParsedArguments) -> None:
    """Go to another directory here; without a name, home."""
    path = local_path(given.arguments[0]) if given.arguments else Path.home()
    await session.in_thread(os.chdir, path)
    session.screen.remark(os.fsdecode(await session.in_thread(os.getcwd)))


@commands.add("lpwd")
async def show_local_directory(session: ShellSession, _given: ParsedArguments) -> None:
    """Show where we are here."""
    session.screen.say(escape_unprintable(await session.in_thread(os.getcwd)))


@commands.add("lls", takes=LOCAL_DIRECTORY)
async def list_local_directory(session: ShellSession, given: ParsedArguments) -> None:
    """List a directory here."""
    path = local_path(given.arguments[0]) if given.arguments else Path()
    entries = await session.in_thread(lambda: sorted(_entries(path), key=attrgetter("name")))
    session.screen.show(plain_listing(entries, session.screen))


def _entries(path: Path) -> Iterator[Entry]:
    with os.scandir(path) as found:
        for one in found:
            facts = one.stat(follow_symlinks=False)
            yield Entry(one.name, _kind(one), facts.st_size, facts.st_mtime)


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return Kind.LINK
    if entry.is_dir():
        return Kind.DIRECTORY
    return Kind.FILE if entry.is_file() else Kind.OTHER


@commands.add(SYSTEM_COMMAND_PREFIX, takes=ArgumentSpec("<command>"))
async def run_command(session: ShellSession, given: ParsedArguments) -> None:
    """Run a command of the system's own shell; without one, that shell."""
    command = given.rest or os.environ.get("SHELL", "/bin/sh")
    status = await session.lend_terminal(_run_in_system_shell, command)
    if status:
        raise ShellError(f"It ended with status {status}.")


def _run_in_system_shell(command: str) -> int:
    """Run what the person typed, at the person's own terminal; return its status."""
    return subprocess.run(command, shell=True, check=False).returncode
