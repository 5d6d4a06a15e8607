"""The word that moves whole directories: mirror."""

from __future__ import annotations

from pathlib import Path

from ftpservice_client.console.session.errors import ShellError, ShellUsageError
from ftpservice_client.console.session.mirror import MAX_PARALLEL, run_mirror
from ftpservice_client.console.session.name_expansion import base_name, local_path
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.shell.command_table import (
    ArgumentSpec,
    CommandTable,
    CompletionSource,
)
from ftpservice_client.console.shell.options import Option, ParsedArguments

__all__ = ["commands"]

commands = CommandTable()

UP = Option("u", "up", "from here to the server, instead of from there to here")
DELETE = Option("d", "delete", "delete what the other side does not have")
DRY_RUN = Option("n", "dry-run", "tell what would be done, and do nothing")
INCLUDE = Option("i", "include", "only what fits; may be given again", "pattern")
EXCLUDE = Option("x", "exclude", "nothing that fits; may be given again", "pattern")
PARALLEL = Option("p", "parallel", "transfers at a time", "number")


@commands.add(
    "mirror",
    takes=ArgumentSpec(
        "<from> [<to>]",
        (CompletionSource.REMOTE_DIRECTORY, CompletionSource.LOCAL_DIRECTORY),
        1,
        2,
        swapped_by=UP.name,
    ),
    options=(UP, DELETE, DRY_RUN, INCLUDE, EXCLUDE, PARALLEL),
    changes=True,
)
async def mirror(session: ShellSession, given: ParsedArguments) -> None:
    """Make a directory hold what another does: the one here, or with -u the one there."""
    local, path = _local_and_remote(given)
    wishes = {
        "up": given.has(UP.name),
        "delete": given.has(DELETE.name),
        "dry_run": given.has(DRY_RUN.name),
        "include": given.values(INCLUDE.name),
        "exclude": given.values(EXCLUDE.name),
        "parallel": _parallel_count(given),
    }
    done = await run_mirror(session, local, path, wishes)
    if done.failed:
        raise ShellError(f"{len(done.failed)} could not be done.")


def _local_and_remote(given: ParsedArguments) -> tuple[Path, str]:
    """Return the directory here and that on the server."""
    first, *second = given.arguments
    if given.has(UP.name):
        local = local_path(first)
        return local, second[0].text if second else base_name(first.text)
    to = local_path(second[0]) if second else Path(base_name(first.text))
    return to, first.text


def _parallel_count(given: ParsedArguments) -> int:
    """Return the number of connections; raises `ShellUsageError`."""
    text = (given.values(PARALLEL.name) or ("1",))[-1]
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PARALLEL:
        raise ShellUsageError(f"-p wants a number from 1 to {MAX_PARALLEL}.")
    return int(text)
