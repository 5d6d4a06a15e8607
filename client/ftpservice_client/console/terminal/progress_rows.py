"""Rows of the progress display: one for a file, one for a tree."""

from __future__ import annotations

from typing import NamedTuple

from ftpservice_client import MirrorProgress

__all__ = ["FileProgress", "ProgressRow", "mirror_rows"]


class ProgressRow(NamedTuple):
    """One bar: what it is of, which no other row has, and how far that has come."""

    key: str
    name: str
    done: int
    total: int | None
    remark: str = ""


class FileProgress:
    """How far one file has come: its `__call__` is the progress callback of a transfer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._done = 0
        self._total: int | None = None

    def __call__(self, done: int, total: int | None = None) -> None:
        """Note that ``done`` bytes are there, of ``total`` if that is known."""
        self._done, self._total = done, total

    def rows(self) -> list[ProgressRow]:
        """Return its bar."""
        return [ProgressRow("", self._name, self._done, self._total)]


def mirror_rows(name: str, tally: MirrorProgress) -> list[ProgressRow]:
    """Return the bar of a whole tree, and below it those of the files on their way."""
    if not tally.files:
        return [ProgressRow("", name, 0, None, ": looking")]
    through = f": {tally.files_ended}/{tally.files} files"
    files = [ProgressRow(f"/{one}", f"  {one}", *moved) for one, moved in tally.moving.items()]
    return [ProgressRow("", name, tally.moved, tally.size, through), *files]
