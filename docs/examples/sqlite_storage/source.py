"""The storage source ``sqlite:FILE``, for ``--root``."""

from __future__ import annotations

import os
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ftpservice.storage import (
    BlockingPool,
    BlockingRunner,
    IStorage,
    IStorageSource,
    IStorageSourceFactory,
    VirtualPath,
    parse_options,
    parse_size,
    split_fields,
)
from sqlite_storage.calls import Calls
from sqlite_storage.changes import make_directory
from sqlite_storage.storage import SqliteStorage
from sqlite_storage.store import TOP, Store

__all__ = ["SqliteFactory", "SqliteSource"]


@implementer(IStorageSource)
class SqliteSource:
    """All files in the database ``file``; each account sees those below its root."""

    def __init__(
        self,
        file: str,
        reactor: Any,
        capacity: int | None = None,
        pool: BlockingRunner | None = None,
    ) -> None:
        self._file = os.path.abspath(file)
        if not os.access(os.path.dirname(self._file), os.W_OK | os.X_OK):
            raise ValueError(f"cannot write into the directory of {self._file}")
        self._store = Store(self._file, capacity)
        self._runner = BlockingPool(reactor, "sqlite storage", threads=1) if pool is None else pool

    async def storage(self, owner: str, top: VirtualPath) -> IStorage:  # noqa: ARG002
        """Return the storage whose root is ``top``, created if missing."""
        number = await Calls(self._runner)(top, made, self._store, top)
        return SqliteStorage(self._store, self._runner, number)

    def describe(self) -> str:
        """Return the storage string."""
        return f"sqlite:{self._file}"

    async def stop(self) -> None:
        """Close the database and end the thread."""
        await self._runner.finish(self._store.close)
        await self._runner.stop()


def made(store: Store, top: VirtualPath) -> int:
    """Return the number of a directory, created if missing."""
    for depth in range(1, len(top.parts) + 1):
        path = VirtualPath(top.parts[:depth])
        if store.child(*store.place(TOP, path)) is None:
            make_directory(store, TOP, path)
    return store.directory(TOP, top)


@implementer(IPlugin, IStorageSourceFactory)
class SqliteFactory:
    """The scheme: ``sqlite:FILE[:capacity=10G]``."""

    scheme = "sqlite"
    help = "sqlite:FILE[:capacity=10G]  files in a database"

    def build(self, argument: str, reactor: Any) -> IStorageSource:
        """Build a source; the database is opened at the first login."""
        file_name, *rest = split_fields(argument)
        if not file_name:
            raise ValueError("the database is missing: sqlite:files.db")
        given: dict[str, Any] = parse_options(rest, {"capacity": parse_size})
        return SqliteSource(file_name, reactor, **given)
