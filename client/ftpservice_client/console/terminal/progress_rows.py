"""Rows of the progress display: one for a file, one for a tree."""

from __future__ import annotations

from typing import NamedTuple

from ftpservice_client import Tally

__all__ = ["Count", "Row", "tree_rows"]


class Row(NamedTuple):
    """One bar: what it is of, which no other row has, and how far that has come."""

    key: str
    name: str
    done: int
    total: int | None
    remark: str = ""


class Count:
    """How far one file has come: its `__call__` is the progress callback of a transfer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._done = 0
        self._total: int | None = None

    def __call__(self, done: int, total: int | None = None) -> None:
        """Note that ``done`` bytes are there, of ``total`` if that is known."""
        self._done, self._total = done, total

    def rows(self) -> list[Row]:
        """Return its bar."""
        return [Row("", self._name, self._done, self._total)]


def tree_rows(name: str, tally: Tally) -> list[Row]:
    """Return the bar of a whole tree, and below it those of the files on their way."""
    if not tally.files:
        return [Row("", name, 0, None, ": looking")]
    through = f": {tally.files_ended}/{tally.files} files"
    files = [Row(f"/{one}", f"  {one}", *moved) for one, moved in tally.moving.items()]
    return [Row("", name, tally.moved, tally.size, through), *files]
