"""Words that show what is in a file: cat and less."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from ftpservice_client.console.session.errors import Complaint
from ftpservice_client.console.session.file_transfer import Care, fetch, show
from ftpservice_client.console.session.name_expansion import last_part, remote_files
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import MANY, Side, Takes, WordTable
from ftpservice_client.console.shell.options import Given

__all__ = ["words"]

words = WordTable()

PAGER = "less"


@words.add("cat", takes=Takes("<name>...", (Side.REMOTE,), least=1, most=MANY))
async def cat(session: Session, given: Given) -> None:
    """Show what files hold."""
    for name in await remote_files(session, given.arguments):
        await show(session, name)


@words.add("less", "more", takes=Takes("<name>", (Side.REMOTE,), least=1, most=1, whole=True))
async def less(session: Session, given: Given) -> None:
    """Read a file with $PAGER (less, if that is not set)."""
    name = given.text(0)
    directory = await session.aside(mkdtemp, "", "ftpservice-")
    try:
        path = Path(directory) / last_part(name)
        await fetch(session, name, path, Care())
        await session.lend_terminal(_read, path)
    finally:
        await session.aside(rmtree, directory)


def _read(path: Path) -> None:
    command = [*shlex.split(os.environ.get("PAGER") or PAGER), str(path.absolute())]
    try:
        subprocess.run(command, check=False)
    except OSError:
        raise Complaint(f"{command[0]} cannot be run; PAGER says what else could be.") from None
