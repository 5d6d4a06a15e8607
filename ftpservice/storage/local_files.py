"""The core of the ``local:`` storage: the files of one account, below one directory."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from zope.interface import implementer

from ftpservice.flow.blocking import Runner
from ftpservice.storage.descent import Tree
from ftpservice.storage.interfaces import IListing, IReading, IStorage, IWriting, WriteRequest
from ftpservice.storage.local_calls import called
from ftpservice.storage.local_changes import make_directory, remove_directory, remove_file, rename
from ftpservice.storage.local_errors import translate
from ftpservice.storage.local_facts import O_PATH, entry_of, names_are_known
from ftpservice.storage.local_links import entry_itself
from ftpservice.storage.local_listing import LocalListing, OpenDirectory
from ftpservice.storage.local_partials import Leavings
from ftpservice.storage.local_reading import LocalReading, OpenFile
from ftpservice.storage.local_upload import Order
from ftpservice.storage.local_writing import open_writing
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["WEEK", "LocalFiles", "Setting", "entry_at_once"]

WEEK = 7 * 86_400.0


@dataclass(frozen=True)
class Setting:
    """What the storages of one source share: whether uploads are synced, and the pools."""

    runner: Runner
    durable: bool = False
    brief: Runner | None = None
    """For calls that hardly ever wait for anything, if they have a pool of their own."""
    partial_age: float = WEEK
    """Seconds that partials are kept."""
    promises: set[object] = field(default_factory=set)
    """Uploads under way that have no partial yet."""


@implementer(IStorage)
class LocalFiles:
    """``owner``'s files in ``tree``; each call is one call in the pool, there and back."""

    def __init__(self, tree: Tree, owner: str, setting: Setting) -> None:
        self._tree = tree
        self._owner = owner
        self._setting = setting
        self._runner = setting.runner

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the facts of ``path``; a link that may not be followed is told as such."""
        entry = entry_at_once(self._tree, path, O_PATH)
        if entry is not None:
            return entry
        return await called(self._runner, path, _entry_at, self._tree, path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Begin to read a directory."""
        directory = await called(
            self._runner, path, OpenDirectory, self._tree, path, dispose=OpenDirectory.close
        )
        return LocalListing(self._runner, path, directory)

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Make one directory."""
        await called(self._runner, path, make_directory, self._tree, path, mode)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove a directory that has no entries but hidden partials of this owner."""
        setting = self._setting
        leavings = Leavings(self._owner, setting.partial_age, setting.promises)
        await called(self._runner, path, remove_directory, self._tree, path, leavings)

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file or link and the owner's partial of it, or the latter alone."""
        await called(self._runner, path, remove_file, self._tree, path, self._owner)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename in one step."""
        await called(self._runner, source, rename, self._tree, source, target, replace)

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a plain file."""
        try:
            file = OpenFile.at_once(self._tree, path)
        except OSError as error:
            raise translate(error, path) from error
        if file is None:
            file = await called(
                self._runner, path, OpenFile.at, self._tree, path, dispose=OpenFile.close
            )
        return LocalReading(self._runner, file)

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin a write transaction."""
        setting = self._setting
        order = Order(self._tree, self._owner, path, request, setting.durable, setting.promises)
        return await open_writing(self._runner, order, setting.brief)


def entry_at_once(tree: Tree, path: VirtualPath, flags: int) -> Entry | None:
    """Return the facts of what is there, if that needs neither disk nor directory service."""
    try:
        opened = tree.open_at_once(path, flags)
    except OSError:
        return None  # perhaps a link that leads nowhere: its own facts are wanted
    if opened is None:
        return None
    try:
        facts = os.fstat(opened)
        return entry_of(path.name, facts) if names_are_known(facts) else None
    finally:
        os.close(opened)


def _entry_at(tree: Tree, path: VirtualPath) -> Entry:
    """Return the facts of what is there; those of the link itself for one that leads nowhere."""
    try:
        opened = tree.open(path, O_PATH)
    except OSError:
        entry = entry_itself(tree, path)
        if entry.kind is not Kind.LINK:
            raise
        return entry
    try:
        return entry_of(path.name, os.fstat(opened))
    finally:
        os.close(opened)
