"""The word that moves whole directories: mirror."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ftpservice_client import Incomplete, Mirrored, Tally
from ftpservice_client.console.complaints import Complaint, Usage
from ftpservice_client.console.explain import explain
from ftpservice_client.console.names import last_part, local_path
from ftpservice_client.console.options import Given, Option
from ftpservice_client.console.progress import Meter, tree_rows
from ftpservice_client.console.render import amount
from ftpservice_client.console.session import Session
from ftpservice_client.console.visible import visible
from ftpservice_client.console.words import Side, Takes, WordTable

__all__ = ["MOST_PARALLEL", "mirrored", "words"]

words = WordTable()

UP = Option("u", "up", "from here to the server, instead of from there to here")
DELETE = Option("d", "delete", "delete what the other side does not have")
DRY_RUN = Option("n", "dry-run", "tell what would be done, and do nothing")
INCLUDE = Option("i", "include", "only what fits; may be given again", "pattern")
EXCLUDE = Option("x", "exclude", "nothing that fits; may be given again", "pattern")
PARALLEL = Option("p", "parallel", "transfers at a time", "number")
MOST_PARALLEL = 32


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


async def mirrored(session: Session, local: Path, path: str, wishes: Mapping[str, Any]) -> Mirrored:
    """Do what ``Client.mirror`` does, with a bar, and tell of it."""
    tally = Tally()
    rows = partial(tree_rows, path or ".", tally)
    with Meter(rows, session.screen, session.reactor):
        done = await _whatever_failed(session.client.mirror(local, path, tally=tally, **wishes))
    if wishes["dry_run"]:
        session.screen.show(map(visible, _told(done)))
    else:
        for line in _told(done):
            session.screen.remark(line)
    return done


async def _whatever_failed(mirror: Awaitable[Mirrored]) -> Mirrored:
    """Return the result, of a transfer that failed in every step too: each failure is told."""
    try:
        return await mirror
    except Incomplete as error:
        assert isinstance(error.result, Mirrored)
        return error.result


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


def _told(done: Mirrored) -> list[str]:
    """Return what a mirror did, a line for each step that changed something, and the sum."""
    moved = [step for step in done.steps if step.action in ("upload", "download")]
    lines = [f"{step.action} {step.name or '.'}" for step in done.steps if step.action != "skip"]
    lines += [
        f"failed: {step.action} {step.name or '.'}: {explain(why)}" for step, why in done.failed
    ]
    same = sum(step.action == "skip" for step in done.steps)
    files = f"{len(moved)} file{'' if len(moved) == 1 else 's'}"
    return [*lines, f"{files}, {amount(done.size)}; {same} the same already"]
