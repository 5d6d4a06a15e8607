"""A storage that tells how long its calls took.

It stands around the storage of an account, within gates and permissions, and changes nothing: what
the storage offers besides is offered. An upload stays the storage's own object if that can have
another ``commit``; only that is told.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from zope.interface import directlyProvides, implementer, providedBy

from ftpservice.activity.otel.span_records import StorageCall
from ftpservice.storage.interfaces import IListing, IReading, IStorage, IWriting, WriteRequest
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["TimedStorage"]


class TimedWriting:
    """Stands for an upload whose object cannot have another ``commit``."""

    def __init__(self, inner: IWriting, commit: Callable[[], Awaitable[Any]]) -> None:
        self._inner = inner
        self.commit = commit
        directlyProvides(self, providedBy(inner))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@implementer(IStorage)
class TimedStorage:
    """``inner`` for the session with the id ``session``; ``tell`` gets each call."""

    def __init__(
        self, inner: IStorage, session: str, tell: Callable[[StorageCall], object]
    ) -> None:
        self._inner = inner
        self._session = session
        self._tell = tell
        setattr(self, "stat", inner.stat)  # noqa: B010 - mypy; it is called too often for a span

    def __conform__(self, interface: Any) -> object:
        return interface(self._inner, None)

    async def _timed(self, name: str, path: VirtualPath, call: Awaitable[Any]) -> Any:
        started, error = time.time(), ""
        try:
            return await call
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            seconds = max(0.0, time.time() - started)
            self._tell(StorageCall(self._session, name, str(path), started, seconds, error))

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``."""
        return await self._inner.stat(path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Open a directory for reading."""
        opening = self._inner.open_listing(path)
        listing: IListing = await self._timed("open_listing", path, opening)
        return listing

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a file."""
        opening = self._inner.open_reading(path)
        reading: IReading = await self._timed("open_reading", path, opening)
        return reading

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload."""
        opening = self._inner.open_writing(path, request)
        writing: IWriting = await self._timed("open_writing", path, opening)
        commit = writing.commit

        async def timed_commit() -> Any:
            return await self._timed("commit", writing.path, commit())

        if not hasattr(writing, "__dict__"):  # a class with `__slots__`
            return IWriting(TimedWriting(writing, timed_commit))
        vars(writing)["commit"] = timed_commit
        return writing

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory."""
        await self._timed("make_directory", path, self._inner.make_directory(path, mode))

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory."""
        await self._timed("remove_directory", path, self._inner.remove_directory(path))

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file."""
        await self._timed("remove_file", path, self._inner.remove_file(path))

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename a file or directory."""
        await self._timed("rename", source, self._inner.rename(source, target, replace))
