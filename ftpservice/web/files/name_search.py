"""The search for names in a directory and what is below it, within limits."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.web.files.directory_batches import OpenDirectory, has_address
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.glob import glob_expression
from ftpservice.wire.paths import VirtualPath

__all__ = ["NameSearch"]

MAX_RESULTS = 1000
MAX_SECONDS = 30.0
MAX_DEPTH = 64
MAX_WAITING = 100_000
"""Directories that are known and not read yet."""
MAX_TEXT_LENGTH = 255
QUOTED = str.maketrans({"[": r"\[", "\\": r"\\"})


class NameSearch:
    """Finds names with ``text`` in them, or that match it as a pattern, in any case.

    Links are not followed. Raises `ValueError` for a text that is no pattern.
    """

    def __init__(self, storage: IStorage, clock: IReactorTime, text: str) -> None:
        if len(text) > MAX_TEXT_LENGTH:
            raise ValueError("the text is too long")
        self._storage = storage
        self._clock = clock
        self._matches = _matcher(text.casefold())
        self._end = clock.seconds() + MAX_SECONDS
        self._waiting: deque[VirtualPath] = deque()
        self._opened: tuple[VirtualPath, OpenDirectory] | None = None
        self._top_depth = 0
        self._found = 0
        self.is_complete = True
        """Whether all names were looked at, but for those in unreadable directories."""
        self.unreadable = 0
        """Directories that could not be read."""

    async def begin(self, top: VirtualPath) -> None:
        """Open the first directory; raises `StorageError`."""
        self._opened = top, await OpenDirectory.of(self._storage, top)
        self._top_depth = len(top.parts)

    async def run(self) -> AsyncGenerator[list[tuple[VirtualPath, Entry]], None]:
        """Yield what is found, with its path, the nearest first."""
        while self._opened is not None:
            directory, opened = self._opened
            async with aclosing(opened.batches()) as batches:
                while batch := await self._next(batches):
                    yield self._look(directory, batch)
            await self._open_next()

    async def _next(self, batches: AsyncGenerator[Sequence[Entry], None]) -> Sequence[Entry]:
        """Return more entries; none at the end, and if a limit is reached."""
        await deferLater(self._clock, 0)  # other requests take their turns
        if self._found >= MAX_RESULTS or self._clock.seconds() >= self._end:
            self.is_complete = False
            self._waiting.clear()
            return ()
        try:
            return await anext(batches)
        except StopAsyncIteration:
            return ()
        except StorageError:
            self.unreadable += 1
            return ()

    def _look(
        self, directory: VirtualPath, batch: Sequence[Entry]
    ) -> list[tuple[VirtualPath, Entry]]:
        """Return what a batch has of the names, and remember the directories in it."""
        known = [entry for entry in batch if has_address(entry)]
        found = [(directory.child(entry.name), entry) for entry in known if self._fits(entry)]
        del found[MAX_RESULTS - self._found :]
        self._found += len(found)
        below = [directory.child(entry.name) for entry in known if entry.kind is Kind.DIRECTORY]
        is_deep = len(directory.parts) - self._top_depth >= MAX_DEPTH
        room = 0 if is_deep else MAX_WAITING - len(self._waiting)
        self.is_complete &= len(below) <= room
        self._waiting += below[:room]
        return found

    def _fits(self, entry: Entry) -> bool:
        return self._matches(entry.name.casefold())

    async def _open_next(self) -> None:
        self._opened = None
        while self._waiting and self._opened is None:
            path = self._waiting.popleft()
            try:
                self._opened = path, await OpenDirectory.of(self._storage, path)
            except StorageError:
                self.unreadable += 1


def _matcher(text: str) -> Callable[[str], bool]:
    if "*" not in text and "?" not in text:
        return lambda name: text in name
    matches = re.compile(glob_expression(text.translate(QUOTED))).match
    return lambda name: matches(name) is not None
