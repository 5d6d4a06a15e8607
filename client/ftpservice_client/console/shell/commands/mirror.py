"""The word that moves whole directories: mirror."""

from __future__ import annotations

from pathlib import Path

from ftpservice_client.console.session.errors import Complaint, Usage
from ftpservice_client.console.session.mirror import MOST_PARALLEL, mirrored
from ftpservice_client.console.session.name_expansion import last_part, local_path
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.shell.command_table import Side, Takes, WordTable
from ftpservice_client.console.shell.options import Given, Option

__all__ = ["words"]

words = WordTable()

UP = Option("u", "up", "from here to the server, instead of from there to here")
DELETE = Option("d", "delete", "delete what the other side does not have")
DRY_RUN = Option("n", "dry-run", "tell what would be done, and do nothing")
INCLUDE = Option("i", "include", "only what fits; may be given again", "pattern")
EXCLUDE = Option("x", "exclude", "nothing that fits; may be given again", "pattern")
PARALLEL = Option("p", "parallel", "transfers at a time", "number")


@words.add(
    "mirror",
    takes=Takes(
        "<from> [<to>]", (Side.REMOTE_DIRECTORY, Side.LOCAL_DIRECTORY), 1, 2, turned_by=UP.name
    ),
    options=(UP, DELETE, DRY_RUN, INCLUDE, EXCLUDE, PARALLEL),
    changes=True,
)
async def mirror(session: Session, given: Given) -> None:
    """Make a directory hold what another does: the one here, or with -u the one there."""
    local, path = _both_ends(given)
    wishes = {
        "up": given.has(UP.name),
        "delete": given.has(DELETE.name),
        "dry_run": given.has(DRY_RUN.name),
        "include": given.values(INCLUDE.name),
        "exclude": given.values(EXCLUDE.name),
        "parallel": _number(given),
    }
    done = await mirrored(session, local, path, wishes)
    if done.failed:
        raise Complaint(f"{len(done.failed)} could not be done.")


def _both_ends(given: Given) -> tuple[Path, str]:
    """Return the directory here and that on the server."""
    first, *second = given.arguments
    if given.has(UP.name):
        local = local_path(first)
        return local, second[0].text if second else last_part(first.text)
    to = local_path(second[0]) if second else Path(last_part(first.text))
    return to, first.text


def _number(given: Given) -> int:
    """Return the number of connections; raises `Usage`."""
    text = (given.values(PARALLEL.name) or ("1",))[-1]
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PARALLEL:
        raise Usage(f"-p wants a number from 1 to {MOST_PARALLEL}.")
    return int(text)
