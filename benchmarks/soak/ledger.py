"""What the clients of one slot did, and which files there must be now.

For each name there is a set of what may be on the disk. An attempt adds its result before it
begins, and its confirmation removes everything else: so an attempt whose outcome is unknown (the
connection is lost) leaves both, and a part of an upload is never allowed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.soak.content import Content

__all__ = ["FREE_DIRECTORY", "Ledger", "Wrong"]

Allowed = set[Content | None]
FREE_DIRECTORY = "unique"
"""The directory whose files have names that the service chose."""


class Wrong(Exception):
    """The service broke a promise; the text says which."""


class Ledger:
    """The files of a directory, ``folder`` on the disk; ``keeps`` is false if files may expire."""

    def __init__(self, folder: Path, path: str, account: str, keeps: bool) -> None:
        self._folder = folder
        self._path = path
        self._account = account
        self._keeps = keeps
        self._files: dict[str, Allowed] = {}
        self.counts: Counter[str] = Counter()
        self.confirmed: list[tuple[float, str, str, str]] = []
        """Time, account, direction and path of each confirmed transfer."""

    def attempts(self, name: str, content: Content | None) -> None:
        """Note that a file will get a content, or be removed (None)."""
        self._of(name).add(content)

    def has(self, name: str, content: Content | None) -> None:
        """Note that this was confirmed; raises `Wrong` if it is not so."""
        self._files[name] = {content} if self._keeps or content is None else {content, None}
        self._check(name)

    def uploaded(self, name: str, content: Content) -> None:
        """Note a confirmed upload; raises `Wrong` if the file is not there."""
        self._transferred("upload", name)
        self.counts["bytes up"] += content.size
        self.has(name, content)

    def downloaded(self, name: str, data: bytes) -> None:
        """Note a complete download; raises `Wrong` if it is not the file."""
        self._transferred("download", name)
        self.counts["bytes down"] += len(data)
        if not any(one is not None and one.data() == data for one in self._of(name)):
            raise Wrong(f"{self._path}/{name}: the download of {len(data)} bytes is not the file")

    def transferred(self, direction: str, path: str) -> None:
        """Note a complete transfer of a file that does not belong to this ledger."""
        self.counts[f"{direction}s"] += 1
        self.confirmed.append((time.time(), self._account, direction, path))

    def renames(self, old: str, new: str) -> None:
        """Note that a file will be renamed."""
        self._of(new).update(self._of(old))
        self._of(old).add(None)

    def renamed(self, old: str, new: str) -> None:
        """Note a confirmed rename; raises `Wrong` if it is not so."""
        content = self._of(old) - ({None} if self._keeps else set())
        self._files[old], self._files[new] = {None}, content
        self._check(old)
        self._check(new)

    def content(self, name: str) -> Content | None:
        """Return the content of a file if it is known, otherwise None."""
        allowed = self._of(name)
        return next(iter(allowed)) if len(allowed) == 1 else None

    def names(self) -> list[str]:
        """Return the names that must exist with a known content."""
        return [name for name in self._files if self.content(name) is not None]

    def problems(self) -> Iterator[str]:
        """Check all files, and that there are no others."""
        for name in self._files:
            try:
                self._check(name)
            except Wrong as wrong:
                yield str(wrong)
        for path in self._folder.rglob("*"):
            name = str(path.relative_to(self._folder))
            is_own = name in self._files or path.name.startswith(".ftpservice.")
            if path.is_file() and not is_own and FREE_DIRECTORY not in path.parts:
                yield f"{self._path}/{name}: nobody has uploaded that"

    def summary(self) -> dict[str, Any]:
        """Return the counts and the confirmed transfers since the last call."""
        found = {"counts": dict(self.counts), "confirmed": self.confirmed}
        self.counts, self.confirmed = Counter(), []
        return found

    def _of(self, name: str) -> Allowed:
        return self._files.setdefault(name, {None})

    def _transferred(self, direction: str, name: str) -> None:
        self.transferred(direction, f"{self._path}/{name}")

    def _check(self, name: str) -> None:
        allowed, path = self._files[name], self._folder / name
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            if None not in allowed:
                raise Wrong(f"{self._path}/{name}: the file is gone") from None
            return
        if not any(one is not None and one.data() == data for one in allowed):
            sizes = [None if one is None else one.size for one in allowed]
            raise Wrong(f"{self._path}/{name}: {len(data)} wrong bytes, and not {sizes}")
