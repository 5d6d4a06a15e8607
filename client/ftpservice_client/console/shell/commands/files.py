"""Words that change what is on the server, or tell of one file: rm, mkdir, rmdir, mv, hash."""

from __future__ import annotations

from ftpservice_client.console.session.errors import Complaint
from ftpservice_client.console.session.listing import ALGORITHM, removed
from ftpservice_client.console.session.name_expansion import remote_files
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import MANY, Side, Takes, WordTable
from ftpservice_client.console.shell.options import Given, Option
from ftpservice_client.console.terminal.escape import visible
from ftpservice_client.console.terminal.format import plain_lines

__all__ = ["words"]

words = WordTable()

ONE_NAME = Takes("<name>", (Side.REMOTE,), least=1, most=1, whole=True)
ONE_DIRECTORY = Takes("<directory>", (Side.REMOTE_DIRECTORY,), least=1, most=1, whole=True)
RECURSIVE = Option("r", "recursive", "directories too, with all that is in them; links themselves")


@words.add(
    "rm",
    takes=Takes("<name>...", (Side.REMOTE,), least=1, most=MANY),
    options=(RECURSIVE,),
    changes=True,
)
async def remove(session: Session, given: Given) -> None:
    """Delete files, by name or pattern."""
    failed = 0
    for name in await remote_files(session, given.arguments):
        if given.has(RECURSIVE.name):
            failed += len((await removed(session, name)).failed)
            continue
        await session.client.delete(name)
        session.screen.remark(f"Deleted file: {name}")
    if failed:
        raise Complaint(f"{failed} could not be done.")


@words.add("delf", "dele", "delete", takes=ONE_NAME, changes=True)
async def delete(session: Session, given: Given) -> None:
    """Delete one file; its name may hold spaces."""
    await session.client.delete(given.text(0))
    session.screen.remark(f"Deleted file: {given.text(0)}")


@words.add("mkdir", "mkd", takes=ONE_DIRECTORY, changes=True)
async def make_directory(session: Session, given: Given) -> None:
    """Make a directory."""
    await session.client.make_directory(given.text(0))
    session.tell(f"Created directory: {given.text(0)}")


@words.add("rmdir", "rmd", takes=ONE_DIRECTORY, changes=True)
async def remove_directory(session: Session, given: Given) -> None:
    """Remove an empty directory."""
    await session.client.remove_directory(given.text(0))
    session.tell(f"Removed directory: {given.text(0)}")


@words.add(
    "mv", "rename", takes=Takes("<old> <new>", (Side.REMOTE,), least=2, most=2), changes=True
)
async def move(session: Session, given: Given) -> None:
    """Give a file or directory another name or place."""
    old, new = given.texts
    await session.client.rename(old, new)
    session.tell(f"Renamed: {old} to {new}")


@words.add("hash", takes=Takes("<name> [<algorithm>]", (Side.REMOTE, Side.NONE), 1, 2))
async def digest(session: Session, given: Given) -> None:
    """Have the server compute the digest of a file (SHA-256, unless another is named)."""
    name, algorithm = given.text(0), given.text(1).upper() or ALGORITHM
    value = await session.client.hash(name, algorithm)
    session.screen.say(f"{visible(value)}  {visible(name)}")


@words.add("stat", takes=ONE_NAME)
async def stat(session: Session, given: Given) -> None:
    """Tell size and time of one name."""
    entry = await session.client.stat(given.text(0))
    session.screen.show(plain_lines([entry], session.screen))
