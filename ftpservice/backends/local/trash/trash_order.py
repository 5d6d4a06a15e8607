"""The oldest files of the trash of an account, found without a walk through all of it.

An order is read from the disk when it is needed and nothing is left of it, and follows in memory
what is added after that. So it needs no record on the disk, and nothing is wrong after a kill. It
is a hint: a file in it may be gone, and another process may have added files that it lacks; these
are found when it is read again.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.storage.trash import TrashedFile

__all__ = ["EVERYBODY", "MAX_ORDERED", "OldestFiles", "TrashOrder", "TrashOrders"]

EVERYBODY = b""
"""In place of the name of a trash: those of all accounts with a root. Each path begins with one."""

MAX_ORDERED = 2048
"""Files in an order, so that a walk through a large trash is rare, and takes little memory."""
MAX_ORDERS = 64


class OldestFiles(Protocol):
    """A walk that finds the oldest files of a trash, in turns."""

    found: list[TrashedFile]

    def turn(self) -> bool:
        """Walk a part; return whether there is more."""


class TrashOrder:
    """The oldest files of one trash; used by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._files: deque[TrashedFile] = deque()
        self._is_complete = False
        """Whether all files of the trash are in it, as far as is known."""
        self._added: list[TrashedFile] | None = None
        """What was added since a walk began; None without one."""

    def add(self, file: TrashedFile) -> None:
        """Add a file that is in the trash now, and so is the latest."""
        with self._lock:
            if self._added is not None:
                self._added.append(file)
            elif self._is_complete and len(self._files) < MAX_ORDERED:
                self._files.append(file)
            else:
                self._is_complete = False

    def take(self, size: int, files: int) -> list[TrashedFile]:
        """Take the oldest files, up to so many bytes and files; none if it has to be read."""
        taken: list[TrashedFile] = []
        with self._lock:
            while self._files and (size > 0 or files > 0):
                one = self._files.popleft()
                taken.append(one)
                size, files = size - one.size, files - 1
        return taken

    def begin(self) -> None:
        """Note that a walk begins."""
        with self._lock:
            self._added = []

    def fill(self, found: Sequence[TrashedFile]) -> None:
        """Use what a walk has found."""
        with self._lock:
            by_id = {one.id: one for one in (*found, *(self._added or ()))}
            oldest = sorted(by_id.values(), key=lambda one: one.id)
            self._files = deque(oldest[:MAX_ORDERED])
            self._is_complete = len(found) < MAX_ORDERED and len(oldest) <= MAX_ORDERED
            self._added = None

    def oldest(self, search: OldestFiles) -> TrashedFile | None:
        """Take the oldest file, after a walk if it has to be read (blocks)."""
        taken = self.take(0, 1)
        if not taken:
            self.begin()
            while search.turn():
                pass
            self.fill(search.found)
            taken = self.take(0, 1)
        return taken[0] if taken else None


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
