"""Rows of the progress display: one for a file, or one for a tree and one for each file in it."""

from __future__ import annotations

from typing import NamedTuple

from ftpservice_client import MirrorProgress

__all__ = ["FileProgress", "ProgressRow", "mirror_rows"]


class ProgressRow(NamedTuple):
    """One bar: a unique key, a name, bytes done and in total, and text after the name."""

    key: str
    name: str
    done: int
    total: int | None
    suffix: str = ""


class FileProgress:
    """The progress of one file; it is the progress callback of the transfer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._done = 0
        self._total: int | None = None

    def __call__(self, done: int, total: int | None = None) -> None:
        """Record that ``done`` bytes of ``total`` (if known) are transferred."""
        self._done, self._total = done, total

    def rows(self) -> list[ProgressRow]:
        """Return the row of the file."""
        return [ProgressRow("", self._name, self._done, self._total)]


def mirror_rows(name: str, progress: MirrorProgress) -> list[ProgressRow]:
    """Return the row of the whole tree, then those of the files being transferred."""
    if not progress.files:
        return [ProgressRow("", name, 0, None, ": listing")]
    count = f": {progress.files_ended}/{progress.files} files"
    files = [ProgressRow(f"/{one}", f"  {one}", *moved) for one, moved in progress.moving.items()]
    return [ProgressRow("", name, progress.moved, progress.size, count), *files]
