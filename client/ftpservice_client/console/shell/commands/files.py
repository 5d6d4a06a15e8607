"""Words that change what is on the server, or tell of one file: rm, mkdir, rmdir, mv, hash."""

from __future__ import annotations

from ftpservice_client.console.session.errors import ShellError
from ftpservice_client.console.session.listing import DEFAULT_ALGORITHM, remove_tree
from ftpservice_client.console.session.name_expansion import expand_remote_files
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    UNLIMITED,
    ArgumentSpec,
    CommandTable,
    CompletionSource,
)
from ftpservice_client.console.shell.options import Option, ParsedArguments
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import plain_lines

__all__ = ["commands"]

commands = CommandTable()

ONE_NAME = ArgumentSpec("<name>", (CompletionSource.REMOTE,), least=1, most=1, whole=True)
ONE_DIRECTORY = ArgumentSpec(
    "<directory>", (CompletionSource.REMOTE_DIRECTORY,), least=1, most=1, whole=True
)
RECURSIVE = Option("r", "recursive", "directories too, with all that is in them; links themselves")


@commands.add(
    "rm",
    takes=ArgumentSpec("<name>...", (CompletionSource.REMOTE,), least=1, most=UNLIMITED),
    options=(RECURSIVE,),
    changes=True,
)
async def remove(session: ShellSession, given: ParsedArguments) -> None:
    """Delete files, by name or pattern."""
    failed = 0
    for name in await expand_remote_files(session, given.arguments):
        if given.has(RECURSIVE.name):
            failed += len((await remove_tree(session, name)).failed)
            continue
        await session.client.delete(name)
        session.screen.remark(f"Deleted file: {name}")
    if failed:
        raise ShellError(f"{failed} could not be done.")


@commands.add("delf", "dele", "delete", takes=ONE_NAME, changes=True)
async def delete(session: ShellSession, given: ParsedArguments) -> None:
    """Delete one file; its name may hold spaces."""
    await session.client.delete(given.text(0))
    session.screen.remark(f"Deleted file: {given.text(0)}")


@commands.add("mkdir", "mkd", takes=ONE_DIRECTORY, changes=True)
async def make_directory(session: ShellSession, given: ParsedArguments) -> None:
    """Make a directory."""
    await session.client.make_directory(given.text(0))
    session.tell(f"Created directory: {given.text(0)}")


@commands.add("rmdir", "rmd", takes=ONE_DIRECTORY, changes=True)
async def remove_directory(session: ShellSession, given: ParsedArguments) -> None:
    """Remove an empty directory."""
    await session.client.remove_directory(given.text(0))
    session.tell(f"Removed directory: {given.text(0)}")


@commands.add(
    "mv",
    "rename",
    takes=ArgumentSpec("<old> <new>", (CompletionSource.REMOTE,), least=2, most=2),
    changes=True,
)
async def move(session: ShellSession, given: ParsedArguments) -> None:
    """Give a file or directory another name or place."""
    old, new = given.texts
    await session.client.rename(old, new)
    session.tell(f"Renamed: {old} to {new}")


@commands.add(
    "hash",
    takes=ArgumentSpec(
        "<name> [<algorithm>]", (CompletionSource.REMOTE, CompletionSource.NONE), 1, 2
    ),
)
async def digest(session: ShellSession, given: ParsedArguments) -> None:
    """Have the server compute the digest of a file (SHA-256, unless another is named)."""
    name, algorithm = given.text(0), given.text(1).upper() or DEFAULT_ALGORITHM
    value = await session.client.hash(name, algorithm)
    session.screen.say(f"{escape_unprintable(value)}  {escape_unprintable(name)}")


@commands.add("stat", takes=ONE_NAME)
async def stat(session: ShellSession, given: ParsedArguments) -> None:
    """Tell size and time of one name."""
    entry = await session.client.stat(given.text(0))
    session.screen.show(plain_lines([entry], session.screen))
