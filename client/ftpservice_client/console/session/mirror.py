"""Mirroring as shell and single commands do it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ftpservice_client import MirrorIncomplete, MirrorProgress, MirrorResult
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.session import ShellSession
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import format_size
from ftpservice_client.console.terminal.progress import ProgressDisplay
from ftpservice_client.console.terminal.progress_rows import mirror_rows

__all__ = ["MAX_PARALLEL", "run_mirror"]

MAX_PARALLEL = 32


async def run_mirror(
    session: ShellSession, local: Path, path: str, wishes: Mapping[str, Any]
) -> MirrorResult:
    """Do what ``Client.mirror`` does, with a bar, and tell of it."""
    tally = MirrorProgress()
    rows = partial(mirror_rows, path or ".", tally)
    with ProgressDisplay(rows, session.screen, session.reactor):
        done = await _result_despite_failures(
            session.client.mirror(local, path, tally=tally, **wishes)
        )
    if wishes["dry_run"]:
        session.screen.show(map(escape_unprintable, _result_lines(done)))
    else:
        for line in _result_lines(done):
            session.screen.remark(line)
    return done


async def _result_despite_failures(mirror: Awaitable[MirrorResult]) -> MirrorResult:
    """Return the result, of a transfer that failed in every step too: each failure is told."""
    try:
        return await mirror
    except MirrorIncomplete as error:
        assert isinstance(error.result, MirrorResult)
        return error.result


def _result_lines(done: MirrorResult) -> list[str]:
    """Return what a mirror did, a line for each step that changed something, and the sum."""
    moved = [step for step in done.steps if step.action in ("upload", "download")]
    lines = [f"{step.action} {step.name or '.'}" for step in done.steps if step.action != "skip"]
    lines += [
        f"failed: {step.action} {step.name or '.'}: {error_text(why)}" for step, why in done.failed
    ]
    same = sum(step.action == "skip" for step in done.steps)
    files = f"{len(moved)} file{'' if len(moved) == 1 else 's'}"
    return [*lines, f"{files}, {format_size(done.size)}; {same} the same already"]
