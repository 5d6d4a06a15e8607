"""Uploads over a file whose directory takes no partial: they grow in a file without a name.

The process may write to the file but create nothing beside it (for example a file that is
bind-mounted into a read-only container). The upload grows in an unnamed temporary file in the
account's root or, if that is not possible either, in the directory for temporary files. When it is
complete it is copied over the file. An interrupted upload cannot be resumed.
"""

from __future__ import annotations

import errno
import os
import tempfile

from ftpservice.backends.local.partials.partial_file import PartialFile
from ftpservice.backends.local.paths.tree import DirectoryEntry, DirectoryTree

__all__ = ["NO_PARTIAL_ERRNOS", "open_unnamed_partial"]

NO_PARTIAL_ERRNOS = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What creating a partial fails with in such a directory."""


class UnnamedPartial(PartialFile):
    """A partial without a name: it vanishes when its descriptor is closed."""

    def has_name(self) -> bool:
        """Return True: there is no name that could be taken away."""
        return True

    def publish(self, name: bytes, exclusive: bool, is_new: bool = False) -> None:  # noqa: ARG002
        """Raise what a rename in that directory would; the file is written in place then."""
        raise PermissionError(errno.EACCES, "nothing can be created in that directory")

    def keep(self) -> None:
        """Do nothing: it could not be found again."""

    def mark(self, owner: str, note: str = "") -> None:
        """Do nothing: a crash leaves nothing behind."""

    def discard(self) -> None:
        """Do nothing: `close` removes it."""


def open_unnamed_partial(tree: DirectoryTree, target: DirectoryEntry) -> PartialFile:
    """Create a file without a name for an upload over the file ``target``, which it takes over."""
    with _temporary(tree) as file:
        opened = os.dup(file.fileno())
    return UnnamedPartial(target, opened, target.name, target.name)


def _temporary(tree: DirectoryTree) -> tempfile._TemporaryFileWrapper[bytes]:
    try:
        return tempfile.TemporaryFile(dir=f"/proc/self/fd/{tree.root}")  # type: ignore[return-value]
    except OSError:
        return tempfile.TemporaryFile()  # type: ignore[return-value]
