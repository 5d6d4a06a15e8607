"""Mount points inside a served tree, which can be neither removed, renamed nor replaced."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from ftpservice.backends.local.metadata.stat import O_PATH
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.storage.errors import MountPoint, StorageError
from ftpservice.wire.paths import VirtualPath

__all__ = ["reports_mount_points"]

P = ParamSpec("P")
T = TypeVar("T")


def reports_mount_points(
    change: Callable[Concatenate[DirectoryTree, VirtualPath, P], T],
) -> Callable[Concatenate[DirectoryTree, VirtualPath, P], T]:
    """Make a change raise `MountPoint` for an EBUSY that is caused by a mount."""

    @wraps(change)
    def changed(tree: DirectoryTree, path: VirtualPath, /, *args: P.args, **more: P.kwargs) -> T:
        try:
            return change(tree, path, *args, **more)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            for each in (path, *args):
                if isinstance(each, VirtualPath) and _is_mounted(tree, each):
                    raise MountPoint(each) from None
            raise

    return changed


def _is_mounted(tree: DirectoryTree, path: VirtualPath) -> bool:
    try:
        with tree.parent(path) as place:
            opened = os.open(place.name, O_PATH | os.O_NOFOLLOW, dir_fd=place.directory)
            try:
                return _mount(opened) != _mount(place.directory)
            finally:
                os.close(opened)
    except (OSError, StorageError):
        return False


def _mount(opened: int) -> bytes:
    """Return the id of the mount that an open file is on (proc(5), Linux 3.15)."""
    with open(f"/proc/self/fdinfo/{opened}", "rb") as file:
        return next((line for line in file if line.startswith(b"mnt_id:")), b"")
