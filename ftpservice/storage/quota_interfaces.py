"""What storages offer for quotas: counting what they contain, and telling what is used."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple

from zope.interface import Attribute, Interface

from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import IBatchCommit
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["IQuota", "IReplacing", "ISettledCommit", "ITreeUsage", "QuotaState", "TreeUsage"]


class TreeUsage(NamedTuple):
    """What a tree takes up."""

    size: int
    """Bytes of all files and partial uploads, as SIZE counts them."""
    files: int
    """Files, directories, links and partial uploads, without the root of the tree."""
    partials: int = 0
    """The partial uploads among them."""


class QuotaState(NamedTuple):
    """An account's quota, and what of it is used; a limit of None is none."""

    size: int
    """Bytes in use."""
    files: int
    """Files, directories, links and partial uploads."""
    size_limit: int | None
    files_limit: int | None

    @property
    def size_left(self) -> int | None:
        """The bytes that may still be added; None without a limit."""
        return None if self.size_limit is None else max(0, self.size_limit - self.size)


class IReplacing(Interface):
    """A writing that can tell what its commit replaced."""

    replaced_size = Attribute(
        "After the commit, the bytes of the plain file whose name it took; None for no file."
    )


class ISettledCommit(IBatchCommit):
    """A commit in a batch that has something to do before and after, in the reactor thread."""

    def begin() -> bool:
        """Prepare the commit if that takes no waiting; tell whether it does not."""

    def end(outcome: Entry | StorageError) -> Awaitable[None]:
        """End what `begin` prepared, with the result of the commit or its error."""


class ITreeUsage(Interface):
    """A storage that counts by itself what its tree takes up, for quotas."""

    place = Attribute(
        "A tuple: an object that all storages have in common whose trees can overlap, then the "
        "names from there to the root of this one."
    )

    def tree_usage(path: VirtualPath) -> Awaitable[TreeUsage]:
        """Count everything below a directory, hidden files too, but no uploads under way."""


class IQuota(Interface):
    """A storage whose account has a quota."""

    def quota_state() -> Awaitable[QuotaState]:
        """Return the quota and its use; raises `Busy` while the tree is counted for long."""

    def check_size(size: int) -> None:
        """Raise `QuotaExceeded` for a file that would not fit even if there were no others."""
