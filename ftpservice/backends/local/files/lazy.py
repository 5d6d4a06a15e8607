"""Uploads that have not begun: a small one is made, filled and published in one pool call."""

from __future__ import annotations

import os
import stat

from ftpservice.backends.local.files.opening import begin_upload
from ftpservice.backends.local.files.request import Order, Upload
from ftpservice.backends.local.metadata.access import is_writable
from ftpservice.backends.local.metadata.stat import O_PATH, require_file
from ftpservice.backends.local.paths.names import encoded, new_name
from ftpservice.backends.local.paths.path_walk import DIRECTORY
from ftpservice.backends.local.paths.tree import Place
from ftpservice.linux import AT_ONCE, open_beneath
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import How

__all__ = ["Promise", "promised"]

WRITABLE = os.W_OK | os.X_OK


class Promise:
    """An upload that can be made as far as memory tells; takes over its place."""

    offset = 0
    descriptor = -1

    def __init__(self, order: Order, place: Place) -> None:
        self.path = order.path
        self._order = order
        self._place: Place | None = place
        order.promises.add(self)

    def is_in(self, directory: os.stat_result) -> bool:
        """Tell whether the file is to be in a directory, which then is not empty."""
        place = self._place
        if place is None:
            return False
        try:
            return os.path.samestat(os.fstat(place.directory), directory)
        except OSError:
            return False  # it ends just now

    def begin(self) -> Upload:
        """Make it, in a thread; raises `OSError` and what `IStorage.open_writing` does."""
        place, self._place = self._place, None
        if place is None:
            raise Unavailable(self.path, "the transaction is over")
        try:
            with place:
                return begin_upload(self._order, place)
        finally:
            self._order.promises.discard(self)

    def close(self) -> None:
        """Let go of the place, if nothing came of it."""
        self._order.promises.discard(self)
        place, self._place = self._place, None
        if place is not None:
            place.close()


def promised(order: Order) -> Promise | None:
    """Promise a new file, or one in place of a plain one, if that needs no disk; else None.

    Raises `InvalidName`, `IsDirectory` and others that are certain.
    """
    if order.request.how is not How.REPLACE or order.request.offset or order.path.is_root:
        return None
    new_name(order.path)
    name = encoded(order.path.name, order.path)
    try:
        directory = order.tree.open_at_once(order.path.parent, DIRECTORY)
    except OSError:
        return None
    if directory is None:
        return None
    place = Place(directory, name)
    try:
        if _is_writable(place, order):
            return Promise(order, place)
    except BaseException:
        place.close()
        raise
    place.close()
    return None


def _is_writable(place: Place, order: Order) -> bool:
    """Tell whether a plain file can come there; what is not known by now shows later."""
    if not os.access(b".", WRITABLE, dir_fd=place.directory, effective_ids=True):
        return False
    try:
        opened = open_beneath(place.directory, place.name, O_PATH | os.O_NOFOLLOW, AT_ONCE)
    except OSError:
        return True
    try:
        facts = os.fstat(opened)
    finally:
        os.close(opened)
    if stat.S_ISLNK(facts.st_mode):
        return False
    require_file(facts, order.path)
    return is_writable(place, facts)
