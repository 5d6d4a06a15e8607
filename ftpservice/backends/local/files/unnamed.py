"""Uploads over a file whose directory takes no partial: what arrives has no name anywhere.

The process may write to the file, but make nothing beside it (a file bind-mounted into a read-only
container, for example). What arrives grows without a name in the account's root or, failing that,
in the directory for temporary files, and is copied over the file when it is whole. A cut upload
cannot be resumed.
"""

from __future__ import annotations

import errno
import os
import tempfile

from ftpservice.backends.local.partials.partial_file import PartialFile
from ftpservice.backends.local.paths.tree import DirectoryEntry, DirectoryTree

__all__ = ["NO_PARTIAL_ERRNOS", "open_unnamed_partial"]

NO_PARTIAL_ERRNOS = (errno.EACCES, errno.EPERM, errno.EROFS)


class UnnamedPartial(PartialFile):
    """A partial that only its descriptor leads to."""

    def is_there(self) -> bool:
        """There is no name that somebody could take away."""
        return True

    def publish(self, target: bytes, exclusive: bool) -> None:  # noqa: ARG002
        """Refuse as a rename in that directory would; the file is written in place then."""
        raise PermissionError(errno.EACCES, "nothing can be made in that directory")

    def keep(self) -> None:
        """There is no name to find it by."""

    def mark(self, owner: str, name: bytes) -> None:
        """It is not left behind."""

    def discard(self) -> None:
        """It goes with its descriptor."""


def open_unnamed_partial(tree: DirectoryTree, place: DirectoryEntry) -> PartialFile:
    """Make a partial without a name for an upload over the file at ``place``."""
    with _temporary(tree) as file:
        opened = os.dup(file.fileno())
    try:
        return UnnamedPartial(os.dup(place.directory), opened, place.name, place.name)
    except BaseException:
        os.close(opened)
        raise


def _temporary(tree: DirectoryTree) -> tempfile._TemporaryFileWrapper[bytes]:
    try:
        return tempfile.TemporaryFile(dir=f"/proc/self/fd/{tree.root}")  # type: ignore[return-value]
    except OSError:
        return tempfile.TemporaryFile()  # type: ignore[return-value]
