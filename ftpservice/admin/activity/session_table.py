"""The sessions of a running service as a table: progress and rates, within a width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftpservice.activity.text_table import duration_text, printable_text, rate_text, short_size

__all__ = ["session_lines", "transfer_text"]

HEADINGS = ("SESSION", "USER", "ADDRESS", "PROTOCOL", "SINCE", "TRANSFER")
USER_WIDTH, ADDRESS_WIDTH = 16, 39


def session_lines(
    sessions: Sequence[Mapping[str, Any]], now: float, width: int | None = None
) -> list[str]:
    """Return a heading and a line a session; a line is cut at ``width``."""
    rows = [row for session in sessions for row in _rows(session, now, width is not None)]
    cells = [HEADINGS, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS) - 1)]
    lines = [
        "  ".join([*(cell.ljust(size) for cell, size in zip(row, widths, strict=False)), row[-1]])
        for row in cells
    ]
    return [_cut(line.rstrip(), width) for line in lines]


def _rows(session: Mapping[str, Any], now: float, is_narrow: bool) -> list[tuple[str, ...]]:
    """Return the rows of a session: one for each of its transfers, the facts in the first."""
    user = USER_WIDTH if is_narrow else 40
    facts = (
        f"{session['node']}:{session['session']}" if "node" in session else str(session["session"]),
        printable_text(session["user"] or "-", user),
        printable_text(session["address"], ADDRESS_WIDTH),
        session["protocol"],
        duration_text(now - session["since"]),
    )
    first, *others = map(transfer_text, session["transfers"] or [None])
    return [(*facts, first), *(("",) * len(facts) + (one,) for one in others)]


def transfer_text(transfer: Mapping[str, Any] | None) -> str:
    """Return a running transfer: its progress first, then the file."""
    if transfer is None:
        return ""
    arrow = "up" if transfer["upload"] else "down"
    moved, size = transfer.get("moved", 0), transfer.get("size")
    part = f"{100 * moved // size:3} %" if size else short_size(moved)
    return f"{arrow} {part} {rate_text(transfer.get('rate', 0.0))} {_file(transfer['path'])}"


def _file(path: str) -> str:
    return printable_text(path, 200)


def _cut(line: str, width: int | None) -> str:
    if width is None or len(line) <= width:
        return line
    return line[: max(0, width - 1)] + "\N{HORIZONTAL ELLIPSIS}"
