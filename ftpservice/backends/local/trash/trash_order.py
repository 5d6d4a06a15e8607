"""The orders (`TrashOrder`) of the trash on the disk that were needed lately."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.storage.trash import OldestFiles, TrashOrder

__all__ = ["EVERYBODY", "TrashOrders"]

EVERYBODY = b""
"""In place of the name of a trash: those of all accounts with a root. Each path begins with one."""
MAX_ORDERS = 64


class TrashOrders:
    """The orders that were needed lately, by the root of the account and the name of its trash.

    ``search`` returns a walk through the trash of a name below the root of a tree.
    """

    def __init__(self, search: Callable[[DirectoryTree, bytes], OldestFiles]) -> None:
        self.search = search
        self._lock = Lock()
        self._orders: OrderedDict[tuple[int, int, bytes], TrashOrder] = OrderedDict()

    def known(self, root: int, name: bytes) -> TrashOrder | None:
        """Return the order of a trash below the open directory ``root``; None without one."""
        return self._orders.get(_key(root, name)) if self._orders else None

    def of(self, root: int, name: bytes) -> TrashOrder:
        """Return the order of a trash, which is made if it is missing."""
        key = _key(root, name)
        with self._lock:
            order = self._orders.setdefault(key, TrashOrder())
            self._orders.move_to_end(key)
            if len(self._orders) > MAX_ORDERS:
                self._orders.popitem(last=False)
        return order


def _key(root: int, name: bytes) -> tuple[int, int, bytes]:
    facts = os.fstat(root)
    return facts.st_dev, facts.st_ino, name
