"""Words that look around on the server: ls, cd, pwd."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from ftpservice_client import Listing
from ftpservice_client.console.complaints import Complaint
from ftpservice_client.console.line import Argument
from ftpservice_client.console.names import is_pattern, matching, unclear
from ftpservice_client.console.options import Given, Option
from ftpservice_client.console.render import plain_listing, simple_listing
from ftpservice_client.console.session import Session
from ftpservice_client.console.visible import visible
from ftpservice_client.console.words import Side, Takes, WordTable

__all__ = ["listed", "shown", "words"]

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


async def listed(session: Session, argument: Argument) -> Listing:
    """Return what a directory holds, or what of it fits a pattern, by name."""
    path, pattern = argument.text, ""
    if is_pattern(argument):
        head, slash, pattern = path.rpartition("/")
        path = head + slash
    listing = await session.client.list(path)
    found = matching(listing.entries, pattern) if pattern else listing.entries
    return replace(listing, entries=tuple(sorted(found, key=attrgetter("name"))))


def shown(session: Session, listing: Listing, *, names: bool = False) -> Iterator[str]:
    """Return the lines of a listing, as users of the protocol know them."""
    if names:
        return (visible(entry.name) for entry in listing.entries)
    if session.place is not None and session.place.scheme.is_simple:
        return simple_listing(listing.entries, listing.total, session.screen)
    return plain_listing(listing.entries, session.screen)


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
