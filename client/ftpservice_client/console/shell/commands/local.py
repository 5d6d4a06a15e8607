"""Words about this side: lcd, lls, lpwd, and ! for the system's own commands."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

from ftpservice.wire.entry import Entry, Kind
from ftpservice_client.console.session.errors import Complaint
from ftpservice_client.console.session.line_parser import SYSTEM
from ftpservice_client.console.session.name_expansion import local_path
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import Side, Takes, WordTable
from ftpservice_client.console.shell.options import Given
from ftpservice_client.console.terminal.escape import visible
from ftpservice_client.console.terminal.format import plain_listing

__all__ = ["words"]

words = WordTable()

DIRECTORY = Takes("[<directory>]", (Side.LOCAL_DIRECTORY,), most=1)


@words.add("lcd", takes=DIRECTORY)
async def change_local_directory(session: Session, given: Given) -> None:
    """Go to another directory here; without a name, home."""
    path = local_path(given.arguments[0]) if given.arguments else Path.home()
    await session.aside(os.chdir, path)
    session.screen.remark(os.fsdecode(await session.aside(os.getcwd)))


@words.add("lpwd")
async def show_local_directory(session: Session, _given: Given) -> None:
    """Show where we are here."""
    session.screen.say(visible(await session.aside(os.getcwd)))


@words.add("lls", takes=DIRECTORY)
async def list_local_directory(session: Session, given: Given) -> None:
    """List a directory here."""
    path = local_path(given.arguments[0]) if given.arguments else Path()
    entries = await session.aside(lambda: sorted(_entries(path), key=attrgetter("name")))
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


@words.add(SYSTEM, takes=Takes("<command>"))
async def run_command(session: Session, given: Given) -> None:
    """Run a command of the system's own shell; without one, that shell."""
    command = given.rest or os.environ.get("SHELL", "/bin/sh")
    status = await session.lend_terminal(_ended, command)
    if status:
        raise Complaint(f"It ended with status {status}.")


def _ended(command: str) -> int:
    """Run what the person typed, at the person's own terminal; return its status."""
    return subprocess.run(command, shell=True, check=False).returncode
