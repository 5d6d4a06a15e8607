"""Mirroring and recursive deletion, with a line for each step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ftpservice.wire.units import count_text
from ftpservice_client import MirrorIncomplete, MirrorProgress, MirrorResult, MirrorStep
from ftpservice_client.console.session.exit_status import error_text
from ftpservice_client.console.session.session import ConsoleSession
from ftpservice_client.console.terminal.escape import escape_unprintable
from ftpservice_client.console.terminal.format import format_size
from ftpservice_client.console.terminal.progress import ProgressDisplay
from ftpservice_client.console.terminal.progress_rows import mirror_rows
from ftpservice_client.mirror.local_tree import remote_path

__all__ = ["mirror_tree", "remove_tree"]


async def mirror_tree(
    session: ConsoleSession, local: Path, path: str, options: Mapping[str, Any]
) -> MirrorResult:
    """Call ``Client.mirror`` with ``options``, show its progress and print its steps."""
    progress = MirrorProgress()
    rows = partial(mirror_rows, path or ".", progress)
    with ProgressDisplay(rows, session.screen, session.reactor):
        try:
            result = await session.client.mirror(local, path, mirror_progress=progress, **options)
        except MirrorIncomplete as error:  # every step failed; each failure is printed below
            assert isinstance(error.result, MirrorResult)
            result = error.result
    if options["dry_run"]:
        session.screen.print_lines(map(escape_unprintable, _mirror_lines(result)))
    else:
        for line in _mirror_lines(result):
            session.screen.print_status(line)
    return result


def _mirror_lines(result: MirrorResult) -> list[str]:
    """Return a line for each step that changes something, for each failure, and a summary."""
    moved = [step for step in result.steps if step.action in ("upload", "download")]
    lines = [f"{step.action} {step.name or '.'}" for step in result.steps if step.action != "skip"]
    lines += [_failure_line(step, step.name or ".", error) for step, error in result.failed]
    unchanged = sum(step.action == "skip" for step in result.steps)
    files = count_text(len(moved), "file")
    return [*lines, f"{files}, {format_size(result.size)}; {unchanged} unchanged"]


async def remove_tree(session: ConsoleSession, name: str) -> MirrorResult:
    """Delete a remote directory with its contents, and print a line for each step."""
    result = await session.client.remove_tree(name)
    for step in result.steps:
        verb = "Deleted" if step.action == "delete" else "Kept"
        session.screen.print_status(f"{verb} {remote_path(name, step.name)}")
    for step, error in result.failed:
        session.screen.print_status(_failure_line(step, remote_path(name, step.name), error))
    return result


def _failure_line(step: MirrorStep, path: str, error: Exception) -> str:
    return f"failed: {step.action} {path}: {error_text(error)}"
