"""Words that look around on the server: ls, cd, pwd."""

from __future__ import annotations

from ftpservice_client.console.session.errors import ShellError
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.listing import fetch_listing, listing_lines
from ftpservice_client.console.session.name_expansion import unparsed_text
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    ArgumentSpec,
    CommandTable,
    CompletionSource,
)
from ftpservice_client.console.shell.options import Option, ParsedArguments
from ftpservice_client.console.terminal.escape import escape_unprintable

__all__ = ["commands"]

commands = CommandTable()

NAMES = Option("1", "names", "nothing but names")
LONG = Option("l", "long", "sizes and times, as without it")
ALL = Option("a", "all", "everything that the server tells, as without it")


@commands.add(
    "ls",
    "list",
    "dir",
    takes=ArgumentSpec("[<directory or pattern>]", (CompletionSource.REMOTE_DIRECTORY,), most=1),
    options=(NAMES, LONG, ALL),
)
async def list_directory(session: ShellSession, given: ParsedArguments) -> None:
    """List a directory, or the names in it that fit a pattern."""
    listing = await fetch_listing(
        session, given.arguments[0] if given.arguments else ShellArgument("")
    )
    session.screen.show(listing_lines(session, listing, names=given.has(NAMES.name)))
    if not listing.is_complete:
        raise ShellError(unparsed_text(listing))


@commands.add("pwd")
async def show_directory(session: ShellSession, _given: ParsedArguments) -> None:
    """Show where on the server we are."""
    client = session.client
    session.screen.say(escape_unprintable(client.directory))


@commands.add(
    "cd",
    "cwd",
    takes=ArgumentSpec("[<directory>]", (CompletionSource.REMOTE_DIRECTORY,), most=1, whole=True),
)
async def change_directory(session: ShellSession, given: ParsedArguments) -> None:
    """Go to another directory of the server; without a name, to the first one."""
    await session.client.change_directory(given.text(0) or session.home)
    session.forget_listings()


@commands.add("cdup")
async def go_up(session: ShellSession, _given: ParsedArguments) -> None:
    """Go to the directory above."""
    await session.client.change_directory("..")
    session.forget_listings()
