"""Commands for remote directories and files: ls, cd, pwd, rm, mkdir, rmdir, mv, hash, stat."""

from __future__ import annotations

from ftpservice_client.console.session import options
from ftpservice_client.console.session.errors import ConsoleError
from ftpservice_client.console.session.line_parser import ShellArgument
from ftpservice_client.console.session.listing import fetch_listing, listing_lines
from ftpservice_client.console.session.name_expansion import expand_remote_files, unparsed_text
from ftpservice_client.console.session.options import Option
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.session.trees import remove_tree
from ftpservice_client.console.shell.arguments import ParsedArguments
from ftpservice_client.console.shell.command import (
    UNLIMITED,
    ArgumentSpec,
    CompletionSource,
    ShellCommandTable,
)
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import plain_lines

__all__ = ["commands"]

commands = ShellCommandTable()

LONG = Option("l", "long", "sizes and times (the default)")
ALL = Option("a", "all", "all entries (the default)")
ONE_NAME = ArgumentSpec("<name>", (CompletionSource.REMOTE,), 1, 1, is_rest_of_line=True)
ONE_DIRECTORY = ArgumentSpec(
    "<directory>", (CompletionSource.REMOTE_DIRECTORY,), 1, 1, is_rest_of_line=True
)


@commands.add(
    "ls",
    "list",
    "dir",
    arguments=ArgumentSpec(
        "[<directory or pattern>]", (CompletionSource.REMOTE_DIRECTORY,), max_count=1
    ),
    options=(options.NAMES, LONG, ALL),
)
async def list_directory(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """List a directory, or the names in it that match a pattern."""
    argument = arguments.positional[0] if arguments.positional else ShellArgument("")
    listing = await fetch_listing(session, argument)
    names = arguments.has(options.NAMES)
    session.screen.print_lines(listing_lines(session, listing, names=names))
    if not listing.is_complete:
        raise ConsoleError(unparsed_text(listing))


@commands.add("pwd")
async def show_directory(session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Show the remote directory."""
    session.screen.print_line(escape_unprintable(session.client.directory))


@commands.add(
    "cd",
    "cwd",
    arguments=ArgumentSpec(
        "[<directory>]", (CompletionSource.REMOTE_DIRECTORY,), max_count=1, is_rest_of_line=True
    ),
    invalidates_listings=True,
)
async def change_directory(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Change the remote directory; without a name, return to the first one."""
    await session.client.change_directory(arguments.text(0) or session.home)


@commands.add("cdup", invalidates_listings=True)
async def change_to_parent(session: ConsoleSession, _arguments: ParsedArguments) -> None:
    """Change to the parent directory."""
    await session.client.change_directory("..")


@commands.add(
    "rm",
    arguments=ArgumentSpec("<name>...", (CompletionSource.REMOTE,), 1, UNLIMITED),
    options=(options.RECURSIVE,),
    invalidates_listings=True,
)
async def remove(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Delete files by name or pattern."""
    failed = 0
    for name in await expand_remote_files(session, arguments.positional):
        if arguments.has(options.RECURSIVE):
            failed += len((await remove_tree(session, name)).failed)
            continue
        await session.client.delete(name)
        session.screen.print_status(f"Deleted file: {name}")
    if failed:
        raise ConsoleError(f"Failed steps: {failed}")


@commands.add("delf", "dele", "delete", arguments=ONE_NAME, invalidates_listings=True)
async def delete(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Delete one file; its name may hold spaces."""
    await session.client.delete(arguments.text(0))
    session.screen.print_status(f"Deleted file: {arguments.text(0)}")


@commands.add("mkdir", "mkd", arguments=ONE_DIRECTORY, invalidates_listings=True)
async def make_directory(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Create a directory."""
    await session.client.make_directory(arguments.text(0))
    session.print_shell_status(f"Created directory: {arguments.text(0)}")


@commands.add("rmdir", "rmd", arguments=ONE_DIRECTORY, invalidates_listings=True)
async def remove_directory(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Remove an empty directory."""
    await session.client.remove_directory(arguments.text(0))
    session.print_shell_status(f"Removed directory: {arguments.text(0)}")


@commands.add(
    "mv",
    "rename",
    arguments=ArgumentSpec("<old> <new>", (CompletionSource.REMOTE,), 2, 2),
    invalidates_listings=True,
)
async def move(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Rename or move a file or directory."""
    old, new = arguments.texts
    await session.client.rename(old, new)
    session.print_shell_status(f"Renamed: {old} to {new}")


@commands.add(
    "hash",
    arguments=ArgumentSpec(
        "<name> [<algorithm>]", (CompletionSource.REMOTE, CompletionSource.NONE), 1, 2
    ),
)
async def digest(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Show a digest that the server computes (SHA-256 by default)."""
    name = arguments.text(0)
    algorithm = arguments.text(1).upper() or options.DEFAULT_HASH_ALGORITHM
    value = await session.client.hash(name, algorithm)
    session.screen.print_line(f"{escape_unprintable(value)}  {escape_unprintable(name)}")


@commands.add("stat", arguments=ONE_NAME)
async def stat(session: ConsoleSession, arguments: ParsedArguments) -> None:
    """Show size and time of one file or directory."""
    entry = await session.client.stat(arguments.text(0))
    session.screen.print_lines(plain_lines([entry], session.screen))
