"""What storages offer for the retention of files: removing what nobody has touched meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable

from zope.interface import Interface

from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["IConditionalRemoval"]


class IConditionalRemoval(Interface):
    """A storage that can look at a file and remove it in one step, as seen by all others."""

    def remove_unchanged(path: VirtualPath, entry: Entry) -> Awaitable[None]:
        """Remove a plain file, or an empty directory, if it is still what ``entry`` says.

        ``entry`` is that of a listing. Raises `Busy` if the file has been replaced, changed or
        renewed since, is being appended to or, as far as the storage knows, is open; it then stays
        as it is. Partial uploads are not removed; a directory that has some is not empty. Raises
        `PathNotFound`, `NotEmpty`.
        """
