"""What a storage is: a small core that every backend has, and optional capabilities beside it.

Every method that may take time returns an awaitable (a coroutine or a Deferred) and raises only
what `ftpservice.storage.errors` lists. Paths are `VirtualPath`, seen from this storage's root.

Rules that callers and wrappers rely on:

- Ask for an optional capability by adapting: ``IHashes(storage, None)``. A wrapper forwards one
  only on purpose (``__conform__``), so nothing slips past it.
- Whoever opens a listing, a reading or a writing ends it: ``close``, or ``commit``/``abandon``.
- A cancelled call leaves nothing open behind: what arrives too late is closed by the storage.
- Calls on one opened object do not overlap, but for ``close`` and ``abandon``, which may come at
  any time (a cut) and wait for the call in progress by themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from zope.interface import Attribute, Interface

from ftpservice.storage.partial_upload import PartialUpload
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "IBatchCommit",
    "IDescriptor",
    "IFreeSpace",
    "IHashes",
    "IListing",
    "IPartials",
    "IReading",
    "IRetractableWriting",
    "ISendfileSource",
    "ISetMode",
    "ISetTimes",
    "ISpliceTarget",
    "IStorage",
    "IStorageSource",
    "IUnnamedSource",
    "IWriting",
    "WriteMode",
    "WriteRequest",
]


T = TypeVar("T")


class WriteMode(Enum):
    """What an upload does to its name."""

    REPLACE = "replace"
    """Make the file, or swap the new content in for the old."""
    CREATE = "create"
    """Make the file; `Exists` if there is one, when opening and again when committing."""
    APPEND = "append"
    """Add to the file in place; make it if there is none, going on from the owner's partial."""
    UNIQUE = "unique"
    """Make a file in the same directory under a name nobody has, derived from the one given."""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """How a file is to be written."""

    how: WriteMode = WriteMode.REPLACE
    offset: int = 0
    """Bytes to keep of the owner's partial or, only where there is none, of the file (REST; with
    REPLACE and CREATE)."""
    announced: int | None = None
    """Size in bytes of what will be written from ``offset`` on, where the peer said so; a commit
    after another number of bytes is refused with `BadOffset` and keeps the partial."""
    mode: int = 0o644
    """Permission bits of a new file (perhaps a `MaskedMode`); a replaced file's own are kept."""
    partial_only: bool = False
    """Whether ``offset`` counts in the owner's partial: then nothing is kept of the file."""


class IListing(Interface):
    """A directory being read."""

    def next_batch() -> Awaitable[Sequence[Entry]]:
        """Return some more entries, in no order; none at all means the end."""

    def close() -> None:
        """Let go of the directory, at once or as soon as a call in progress is done."""


class IReading(Interface):
    """A plain file being read; what it holds does not change while it is open."""

    entry = Attribute("The file's `Entry`, as of opening.")

    def read(offset: int, size: int) -> Awaitable[bytes]:
        """Return up to ``size`` bytes from ``offset``; empty at the end."""

    def close() -> None:
        """Let go of the file, at once or as soon as a call in progress is done."""


class IWriting(Interface):
    """A write transaction: nobody sees anything under the name before ``commit``.

    The exception is `WriteMode.APPEND` to an existing file, which grows in place.
    """

    path = Attribute("The `VirtualPath` it will be published under.")
    offset = Attribute("Where in the file the first written byte goes, in bytes.")

    def write(data: bytes) -> Awaitable[None]:
        """Add ``data`` behind what was written."""

    def commit() -> Awaitable[Entry]:
        """Publish the whole file under its name, atomically, and end the transaction.

        What was appended to a file that was renamed meanwhile is published there: the entry's
        name differs from that of ``path`` then, and is empty if it is not known.
        When this raises, nothing was published and the transaction is over, as if abandoned.
        """

    def abandon() -> Awaitable[None]:
        """End the transaction without publishing; what arrived is kept as a hidden partial.

        Nothing is kept after `NoSpace` or `QuotaExceeded`: nobody would see what takes the space.
        Does nothing after ``commit`` or a former ``abandon``.
        """


class IStorage(Interface):
    """The files of one account, as every backend can offer them."""

    def stat(path: VirtualPath) -> Awaitable[Entry]:
        """Return the facts of ``path``; raises `NotFound`."""

    def open_listing(path: VirtualPath) -> Awaitable[IListing]:
        """Begin to read a directory; raises `NotFound`, `NotDirectory`, `Denied`."""

    def make_directory(path: VirtualPath, mode: int = 0o755) -> Awaitable[None]:
        """Make one directory; raises `Exists`, `NotFound` (no parent), `NotDirectory`."""

    def remove_directory(path: VirtualPath) -> Awaitable[None]:
        """Remove an empty directory; raises `NotFound`, `NotDirectory`, `NotEmpty`, `IsLink`.

        Interrupted uploads of this owner in it go with it. While an upload into it is under way,
        or interrupted ones of other owners are kept in it, it is not empty (`HasUploads`).
        """

    def remove_file(path: VirtualPath) -> Awaitable[None]:
        """Remove a file or a link, and the owner's partial of it.

        Where there is a partial and no file, the partial is removed; `BeingUploaded` if it still
        arrives. Raises `NotFound`, `IsDirectory`.
        """

    def rename(source: VirtualPath, target: VirtualPath, replace: bool = True) -> Awaitable[None]:
        """Rename a file or directory; a file at ``target`` gives way if ``replace``.

        Raises `NotFound`, `Exists`, `IsDirectory`, `NotDirectory`, `NotEmpty`, `InvalidName`
        (into itself).
        """

    def open_reading(path: VirtualPath) -> Awaitable[IReading]:
        """Open a plain file; raises `NotFound`, `IsDirectory`, `Denied` (not a plain file)."""

    def open_writing(path: VirtualPath, request: WriteRequest) -> Awaitable[IWriting]:
        """Begin a write transaction.

        Raises `NotFound` (no such directory), `NotDirectory`, `IsDirectory`, `Exists`,
        `BadOffset`, `InvalidName`, `Unsupported` (this storage cannot write like that).
        """


class IStorageSource(Interface):
    """What a storage string stands for: it hands out a storage for each account."""

    def storage(owner: str, top: VirtualPath) -> Awaitable[IStorage]:
        """Return ``owner``'s storage, its root at ``top``, made if it is missing."""

    def describe() -> str:
        """Return what is served, for a person: ``local:/srv/ftp``."""

    def stop() -> Awaitable[None]:
        """Let go of threads and handles; no storage of this source is used afterwards."""


class IUnnamedSource(IStorageSource):
    """A source whose string names nothing that exists outside it (``memory:``).

    Two accounts with such a root each get a source of their own.
    """


class IDescriptor(Interface):
    """A reading or writing that is an operating-system file."""

    def fileno() -> int:
        """Return the descriptor; it stays the storage's to close."""


class ISendfileSource(IDescriptor):
    """A reading of an operating-system file that knows what of it is in memory."""

    def is_cached(offset: int, size: int) -> bool:
        """Tell whether a stretch can be read without waiting; never waits itself."""

    def cache(offset: int, size: int) -> Awaitable[None]:
        """Bring a stretch into memory; raises what `IReading.read` does."""

    def exclusively(function: Callable[[int], T]) -> Awaitable[T]:
        """Call ``function`` with the descriptor, in a thread; nobody closes it meanwhile.

        Raises what `IReading.read` does.
        """


class ISpliceTarget(Interface):
    """A writing to an operating-system file that the kernel can fill by itself."""

    def exclusively(function: Callable[[int], T]) -> Awaitable[T]:
        """Call ``function`` with the descriptor, in a thread; nobody else uses it meanwhile.

        What is written counts from where the descriptor stands. Raises what `IWriting.write` does.
        """


class IRetractableWriting(Interface):
    """A writing that grows a file in place, and can take back what it has added."""

    def retract() -> Awaitable[bool]:
        """Take back what was written; False, and nothing changed, if others added to it since."""


class IBatchCommit(Interface):
    """A writing whose commit is one call in a pool, which others can share (`together`)."""

    pool = Attribute("The `BlockingRunner` whose threads the call belongs in.")

    def commit_in_thread() -> Entry:
        """Do in this thread what ``commit`` does; raises `OSError` besides what that raises."""


class IHashes(Interface):
    """A storage that computes digests (draft-bryan-ftp-hash)."""

    def hash(path: VirtualPath, algorithm: str, start: int, end: int | None) -> Awaitable[str]:
        """Return the hex digest of bytes ``start`` up to ``end`` (``None``: to the end).

        ``algorithm`` is one of ``CRC32 MD5 SHA-1 SHA-256 SHA-512``. Raises `NotFound`,
        `IsDirectory`, `Denied`, `BadOffset` (the range is not inside the file).
        """


class ISetTimes(Interface):
    """A storage that sets times."""

    creation = Attribute("Whether the creation time can be set too, a bool.")

    def set_times(
        path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> Awaitable[None]:
        """Set times, in seconds since the epoch; raises `NotFound`, `Unsupported`."""


class ISetMode(Interface):
    """A storage with permission bits."""

    def set_mode(path: VirtualPath, mode: int) -> Awaitable[None]:
        """Set the lower nine permission bits; raises `NotFound`."""


class IFreeSpace(Interface):
    """A storage that knows how much more fits."""

    def free_space(path: VirtualPath) -> Awaitable[int]:
        """Return the bytes that may still be written under ``path``."""


class IPartials(Interface):
    """A storage that keeps the hidden partials of uploads that were cut."""

    def partial(path: VirtualPath) -> Awaitable[Entry]:
        """Return the facts of the owner's partial of ``path``; raises `NotFound`."""

    def all_partials(everybody: bool = False) -> Awaitable[Sequence[PartialUpload]]:
        """Return the partials below the root: the owner's, or those of all owners."""

    def drop_partials(
        path: VirtualPath | None = None, everybody: bool = False
    ) -> Awaitable[Sequence[PartialUpload]]:
        """Remove partials of ``path``, or all, but for those that still arrive; return them.

        Those of other owners only with ``everybody``. With a path, raises `NotFound` and
        `BeingUploaded` where there was nothing to remove.
        """
