"""Optional capabilities of storages whose directories are like those of a filesystem."""

from __future__ import annotations

from collections.abc import Awaitable

from zope.interface import Interface

from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["IAccess", "IEnter", "ILinks"]


class IAccess(Interface):
    """A storage that files themselves may be closed to, whatever an account's rights."""

    def access(path: VirtualPath, follow: bool) -> Awaitable[int]:
        """Return what can be done with ``path``, as `Entry.access`; raises `NotFound`.

        ``follow``: of what a link leads to.
        """


class IEnter(Interface):
    """A storage that knows whether a directory may be entered."""

    def enter(path: VirtualPath) -> Awaitable[None]:
        """Return for a directory whose entries can be named.

        Raises `NotFound`, `NotDirectory`, `Denied`.
        """


class ILinks(Interface):
    """A storage with symbolic links.

    Its listings tell links as `Kind.LINK`; ``stat`` follows those that lead to something inside.
    """

    def lstat(path: VirtualPath) -> Awaitable[Entry]:
        """Return the facts of ``path``, those of the link itself for a link; raises `NotFound`."""
