"""Mirroring as shell and single commands do it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ftpservice_client import Incomplete, Mirrored, Tally
from ftpservice_client.console.session.exit_status import explain
from ftpservice_client.console.session.session import Session
from ftpservice_client.console.terminal.escape import visible
from ftpservice_client.console.terminal.format import amount
from ftpservice_client.console.terminal.progress import Meter
from ftpservice_client.console.terminal.progress_rows import tree_rows

__all__ = ["MOST_PARALLEL", "mirrored"]

MOST_PARALLEL = 32


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
