"""Words that look around on the server: ls, cd, pwd."""

from __future__ import annotations

from ftpservice_client.console.session.errors import Complaint
from ftpservice_client.console.session.line_parser import Argument
from ftpservice_client.console.session.listing import listed, shown
from ftpservice_client.console.session.name_expansion import unclear
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import Side, Takes, WordTable
from ftpservice_client.console.shell.options import Given, Option
from ftpservice_client.console.terminal.escape import visible

__all__ = ["words"]

words = WordTable()

NAMES = Option("1", "names", "nothing but names")
LONG = Option("l", "long", "sizes and times, as without it")
ALL = Option("a", "all", "everything that the server tells, as without it")


@words.add(
    "ls",
    "list",
    "dir",
    takes=Takes("[<directory or pattern>]", (Side.REMOTE_DIRECTORY,), most=1),
    options=(NAMES, LONG, ALL),
)
async def list_directory(session: Session, given: Given) -> None:
    """List a directory, or the names in it that fit a pattern."""
    listing = await listed(session, given.arguments[0] if given.arguments else Argument(""))
    session.screen.show(shown(session, listing, names=given.has(NAMES.name)))
    if not listing.is_complete:
        raise Complaint(unclear(listing))


@words.add("pwd")
async def show_directory(session: Session, _given: Given) -> None:
    """Show where on the server we are."""
    client = session.client
    session.screen.say(visible(client.directory))


@words.add("cd", "cwd", takes=Takes("[<directory>]", (Side.REMOTE_DIRECTORY,), most=1, whole=True))
async def change_directory(session: Session, given: Given) -> None:
    """Go to another directory of the server; without a name, to the first one."""
    await session.client.change_directory(given.text(0) or session.home)
    session.forget()


@words.add("cdup")
async def go_up(session: Session, _given: Given) -> None:
    """Go to the directory above."""
    await session.client.change_directory("..")
    session.forget()
