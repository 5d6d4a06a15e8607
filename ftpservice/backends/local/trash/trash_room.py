"""Room for what is kept: on a full disk the oldest files of the trash are removed for good."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.backends.local.trash.trash_directory import TrashDirectory, items_in
from ftpservice.backends.local.trash.trash_names import ItemName, item_name, trashed_file
from ftpservice.backends.local.trash.trash_order import EVERYBODY, TrashOrders
from ftpservice.storage.errors import NotInTrash, PathNotFound, StorageError, TrashFull
from ftpservice.storage.trash import FreedSpace, TrashedFile
from ftpservice.wire.paths import VirtualPath

__all__ = ["TrashRoom", "discarded", "found_item", "removed_size"]

FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
MAX_FULL_ATTEMPTS = 6
"""Attempts to make room; each removes twice as many files as the one before, 63 in all."""

T = TypeVar("T")


class TrashRoom:
    """Makes room for the trash ``name`` of a tree; what it removes is added to ``freed``."""

    def __init__(
        self, tree: DirectoryTree, name: bytes, orders: TrashOrders | None, freed: FreedSpace
    ) -> None:
        self._tree = tree
        self._name = name
        self._orders = orders
        self._freed = freed

    def make(self, path: VirtualPath, change: Callable[[], T]) -> T:
        """Make a change; while there is no space for it, the oldest files of the trash go.

        A file is moved without a copy, but a new directory needs a block, or an inode. Raises
        `TrashFull`.
        """
        attempt = 0
        while True:
            try:
                return change()
            except OSError as error:
                if error.errno not in FULL_ERRNOS:
                    raise
                if attempt == MAX_FULL_ATTEMPTS or not self._drop_oldest(2**attempt):
                    TrashDirectory(self._tree.root, self._name).prune(path)
                    raise TrashFull(path, errno.errorcode[error.errno]) from error
            attempt += 1

    def _drop_oldest(self, count: int) -> int:
        """Remove the oldest files of the trash of all accounts here; return how many."""
        tree, orders, removed = self._tree, self._orders, 0
        if orders is None:
            return 0
        order, seen = orders.of(tree.root, EVERYBODY), set[str]()
        while removed < count and (one := order.oldest(orders.search(tree, EVERYBODY))):
            if one.id in seen:
                break
            seen.add(one.id)
            directory = TrashDirectory(tree.root, one.path.parts[0].encode())
            try:
                gone = discarded(directory, one._replace(path=VirtualPath(one.path.parts[1:])))
            except (OSError, StorageError):
                break  # the order would give it again
            for file in gone:
                self._freed.add(file.size)
                removed += 1
        return removed

    def note(self, target: tuple[int, bytes], path: VirtualPath) -> None:
        """Add a file that is in the trash now to the orders, if there are any."""
        orders, item = self._orders, item_name(target[1])
        if orders is None or item is None:
            return
        for name, above in ((self._name, ()), (EVERYBODY, (self._name.decode(),))):
            order = orders.known(self._tree.root, name)
            if order is not None:
                with suppress(OSError):
                    facts = os.stat(item.name, dir_fd=target[0], follow_symlinks=False)
                    order.add(trashed_file(item, VirtualPath((*above, *path.parts)), facts))


def discarded(directory: TrashDirectory, trashed: TrashedFile) -> list[TrashedFile]:
    """Remove a file for good; return it, or nothing if it was gone."""
    gone: list[TrashedFile] = []
    with suppress(PathNotFound), directory.versions_of(trashed.path) as opened:
        if removed_size(opened, found_item(opened, trashed)) is not None:
            gone.append(trashed)
    directory.prune(trashed.path)
    return gone


def found_item(opened: int, trashed: TrashedFile) -> ItemName:
    """Return the item of a file in the directory of its versions; raises `NotInTrash`."""
    found = next((one for one in items_in(opened) if one.id == trashed.id), None)
    if found is None:
        raise NotInTrash(trashed.path)
    return found


def removed_size(opened: int, item: ItemName) -> int | None:
    """Remove an item; return its bytes, None if it is gone."""
    try:
        facts = os.stat(item.name, dir_fd=opened, follow_symlinks=False)
        os.unlink(item.name, dir_fd=opened)
    except FileNotFoundError:
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else 0
