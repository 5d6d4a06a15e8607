"""The hidden directory in the root of an account: opening and creating it, and what is in it.

Only directories of this process's user that nobody else may write to are used, and no link is
followed: what somebody else has put in the way is an error, and the file stays where it is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ftpservice.backends.local.paths.names import TRASH_NAME, components
from ftpservice.backends.local.trash.trash_names import ItemName, item_name
from ftpservice.storage.errors import NotInTrash, Unavailable
from ftpservice.wire.paths import VirtualPath

__all__ = ["TrashDirectory", "items_in"]

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY_MODE = 0o700
OTHERS_MAY_WRITE = 0o022
MAX_ATTEMPTS = 20
"""Times that a new directory may be removed by a sweep before anything is in it."""


class TrashDirectory:
    """The trash with this name (`owner_name`) below the open directory ``root``; calls block."""

    def __init__(self, root: int, name: bytes) -> None:
        self._root = root
        self._name = name

    @contextmanager
    def versions_of(self, path: VirtualPath, create: bool = False) -> Iterator[int]:
        """Open the directory of the versions of a path; raises `NotInTrash` without one.

        It may have been removed if it has no items.
        """
        opened = self.open(path) if create else _opened(self._root, self._names(path), path)
        try:
            yield opened
        finally:
            os.close(opened)

    def open(self, path: VirtualPath) -> int:
        """Open the directory of the versions of a path, which is created if it is missing."""
        return _created(self._root, self._names(path), path)

    def _names(self, path: VirtualPath) -> list[bytes]:
        return [TRASH_NAME.encode(), self._name, *components(path)]

    def prune(self, path: VirtualPath) -> None:
        """Remove the directory of the versions of a path, and those above, if they are empty."""
        names = self._names(path)
        while names:
            try:
                os.rmdir(b"/".join(names), dir_fd=self._root)
            except OSError:
                return
            names.pop()


def items_in(opened: int) -> list[ItemName]:
    """Return the items of an open directory, the latest first."""
    again = os.open(b".", FLAGS, dir_fd=opened)
    try:
        found = [item_name(os.fsencode(name)) for name in os.listdir(again)]
    finally:
        os.close(again)
    return sorted((one for one in found if one is not None), key=lambda one: one.id, reverse=True)


def _opened(root: int, names: Sequence[bytes], path: VirtualPath) -> int:
    try:
        return _walked(root, names, path, create=False)
    except FileNotFoundError:
        raise NotInTrash(path) from None


def _created(root: int, names: Sequence[bytes], path: VirtualPath) -> int:
    for _ in range(MAX_ATTEMPTS):
        with suppress(FileNotFoundError):
            return _walked(root, names, path, create=True)
    raise Unavailable(path, "the directory of the trash comes and goes")


def _walked(root: int, names: Sequence[bytes], path: VirtualPath, create: bool) -> int:
    here = os.dup(root)
    try:
        for name in names:
            below = _entered(here, name, create)
            os.close(here)
            here = below
            facts = os.fstat(here)
            if facts.st_uid != os.geteuid() or facts.st_mode & OTHERS_MAY_WRITE:
                raise Unavailable(path, f"others may write to a directory of {TRASH_NAME}")
    except BaseException as error:
        os.close(here)
        if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Unavailable(path, f"something else has a name of {TRASH_NAME}") from None
        raise
    return here


def _entered(here: int, name: bytes, create: bool) -> int:
    try:
        return os.open(name, FLAGS, dir_fd=here)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, DIRECTORY_MODE, dir_fd=here)
    return os.open(name, FLAGS, dir_fd=here)
