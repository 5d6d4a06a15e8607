"""Words that show what is in a file: cat and less."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from ftpservice_client.console.session.errors import ShellError
from ftpservice_client.console.session.file_transfer import TransferFlags, download_file, show_file
from ftpservice_client.console.session.name_expansion import base_name, expand_remote_files
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    UNLIMITED,
    ArgumentSpec,
    CommandTable,
    CompletionSource,
)
from ftpservice_client.console.shell.options import ParsedArguments

__all__ = ["commands"]

commands = CommandTable()

DEFAULT_PAGER = "less"


@commands.add(
    "cat", takes=ArgumentSpec("<name>...", (CompletionSource.REMOTE,), least=1, most=UNLIMITED)
)
async def cat(session: ShellSession, given: ParsedArguments) -> None:
    """Show what files hold."""
    for name in await expand_remote_files(session, given.arguments):
        await show_file(session, name)


@commands.add(
    "less",
    "more",
    takes=ArgumentSpec("<name>", (CompletionSource.REMOTE,), least=1, most=1, whole=True),
)
async def less(session: ShellSession, given: ParsedArguments) -> None:
    """Read a file with $PAGER (less, if that is not set)."""
    name = given.text(0)
    directory = await session.in_thread(mkdtemp, "", "ftpservice-")
    try:
        path = Path(directory) / base_name(name)
        await download_file(session, name, path, TransferFlags())
        await session.lend_terminal(_run_pager, path)
    finally:
        await session.in_thread(rmtree, directory)


def _run_pager(path: Path) -> None:
    command = [*shlex.split(os.environ.get("PAGER") or DEFAULT_PAGER), str(path.absolute())]
    try:
        subprocess.run(command, check=False)
    except OSError:
        raise ShellError(f"{command[0]} cannot be run; PAGER says what else could be.") from None
