"""What a storage is: a small core that every backend offers, and optional interfaces beside it.

A method that may take time returns an awaitable (a coroutine or a Deferred) and raises only the
errors of `ftpservice.storage.errors`. Paths are `VirtualPath`, from the root of the storage.

Rules that callers and wrappers rely on:

- An optional interface is asked for by adapting: ``IHashes(storage, None)``. A wrapper forwards one
  only explicitly (``__conform__``), so no call bypasses it.
- The caller that opens a listing, a reading or a writing ends it: by ``close``, or by ``commit`` or
  ``abandon``.
- A cancelled call leaves nothing open: the storage closes a result that arrives too late.
- Calls on one opened object do not overlap, except ``close`` and ``abandon``, which may come at any
  time (a transfer is aborted): they wait for the call in progress by themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeVar

from zope.interface import Attribute, Interface

from ftpservice.storage.errors import BadOffset
from ftpservice.stream.forward import ForwardSource
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath
from ftpservice.wire.units import bytes_text

__all__ = [
    "IAccess",
    "IBatchCommit",
    "IDescriptor",
    "IEnter",
    "IFreeSpace",
    "IHashes",
    "ILinks",
    "IListing",
    "IPartials",
    "IPiecewiseReading",
    "IReading",
    "IRetractableWriting",
    "ISendfileSource",
    "ISetMode",
    "ISetTimes",
    "ISpliceTarget",
    "IStorage",
    "IStorageSource",
    "IUnnamedSource",
    "IWithoutLinks",
    "IWriting",
    "MaskedMode",
    "PartialUpload",
    "WriteMode",
    "WriteRequest",
]

T = TypeVar("T")


class MaskedMode(int):
    """Permission bits from which a umask has been taken; ``requested`` are the bits before that.

    A storage in which directories decide instead of the umask (a default ACL, acl(5)) uses
    ``requested``. Any other one uses the number.
    """

    requested: int

    @classmethod
    def of(cls, requested: int, umask: int) -> MaskedMode:
        """Take ``umask`` from the bits ``requested``."""
        mode = cls(requested & ~umask)
        mode.requested = requested
        return mode


class WriteMode(Enum):
    """What an upload does to the file that has its name."""

    REPLACE = "replace"
    """Create the file, or replace its content."""
    CREATE = "create"
    """Create the file; `Exists` if there is one, when opening and again when committing."""
    APPEND = "append"
    """Add to the file in place; without one, create it and resume the owner's partial upload."""
    UNIQUE = "unique"
    """Create a file in the same directory under a name that is free, derived from the given one."""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """How a file is to be written."""

    write_mode: WriteMode = WriteMode.REPLACE
    offset: int = 0
    """Bytes to keep of the owner's partial upload or, only if there is none, of the file (REST,
    RFC 3659 §5); with REPLACE and CREATE."""
    announced: int | None = None
    """Bytes that will be written from ``offset`` on, if the peer announced them. A commit after
    another number of bytes raises `BadOffset` and keeps the partial upload."""
    mode: int = 0o644
    """Permission bits of a new file (may be a `MaskedMode`); a replaced file keeps its own."""
    partial_only: bool = False
    """Whether ``offset`` counts only in the owner's partial upload, never in the file."""
    expected: int | None = None
    """Bytes that will probably be written from ``offset`` on; unlike ``announced`` not binding."""
    held: bool = False
    """Whether all of it will be read before the commit (`IHeldUpload`)."""
    note: str = ""
    """What `IInterruptedUploads` keeps with the upload, if anything."""

    def check_announced(self, written: int, path: VirtualPath) -> None:
        """Raise `BadOffset` if another number of bytes was announced than ``written``."""
        if self.announced not in (None, written):
            raise BadOffset(path, f"{written} of {bytes_text(self.announced or 0)} arrived")


class PartialUpload(NamedTuple):
    """What is kept of one interrupted upload, or of one under way."""

    path: VirtualPath
    """The file that it is an upload of, or the hidden file itself if that is not known."""
    owner: str
    """The account; empty if it is not known."""
    size: int
    modified: float
    """When the last of it arrived, in seconds since the epoch."""
    is_active: bool = False
    """Whether the upload is under way."""


class IListing(Interface):
    """A directory being read."""

    def next_batch() -> Awaitable[Sequence[Entry]]:
        """Return some more entries, in no order; an empty sequence means the end."""

    def close() -> None:
        """Close the directory, at once or after a call in progress."""


class IReading(Interface):
    """A plain file being read; its content does not change while it is open."""

    entry = Attribute("The file's `Entry`, as of opening.")

    def read(offset: int, size: int) -> Awaitable[bytes]:
        """Return up to ``size`` bytes from ``offset``; empty at the end."""

    def close() -> None:
        """Close the file, at once or after a call in progress."""


class IWriting(Interface):
    """An upload transaction: nothing is visible under the name before ``commit``.

    The exception is `WriteMode.APPEND` to an existing file, which grows in place.
    """

    path = Attribute("The `VirtualPath` that it will be published under.")
    offset = Attribute("The position in the file of the first byte written.")

    def write(data: bytes) -> Awaitable[None]:
        """Add ``data``."""

    def commit() -> Awaitable[Entry]:
        """Publish the complete file under its name, atomically, and end the transaction.

        Bytes appended to a file that was renamed meanwhile are in the renamed file: the entry's
        name then differs from that of ``path``, and is empty if not known. After an error nothing
        is published, and the transaction has ended as by ``abandon``; after that, this and
        ``write`` raise a `StorageError`.
        """

    def abandon() -> Awaitable[None]:
        """End the transaction without publishing; what arrived is kept as a partial upload.

        Nothing is kept after `NoSpace` or `QuotaExceeded`. After the end it does nothing.
        """


class IStorage(Interface):
    """The files of one account; every backend offers this."""

    def stat(path: VirtualPath) -> Awaitable[Entry]:
        """Return the entry of ``path``; raises `PathNotFound`."""

    def open_listing(path: VirtualPath) -> Awaitable[IListing]:
        """Open a directory for reading; raises `PathNotFound`, `NotDirectory`, `Denied`."""

    def make_directory(path: VirtualPath, mode: int = 0o755) -> Awaitable[None]:
        """Create one directory; raises `Exists`, `PathNotFound` (no parent), `NotDirectory`."""

    def remove_directory(path: VirtualPath) -> Awaitable[None]:
        """Remove an empty directory; raises `PathNotFound`, `NotDirectory`, `NotEmpty`, `IsLink`.

        This owner's partial uploads in it are removed with it. While an upload into it is under
        way, or partial uploads of other owners are kept in it, it is not empty (`HasUploads`).
        """

    def remove_file(path: VirtualPath) -> Awaitable[None]:
        """Remove a file or a link, and the owner's partial upload of it.

        If there is only a partial upload, that is removed; `BeingUploaded` if it is under way.
        Raises `PathNotFound`, `IsDirectory`.
        """

    def rename(source: VirtualPath, target: VirtualPath, replace: bool = True) -> Awaitable[None]:
        """Rename a file or directory; a file at ``target`` is replaced if ``replace``.

        Raises `PathNotFound` (no ``source``, or no parent of ``target``) and `InvalidName` (a
        directory into itself). With something at ``target`` raises `Exists` if not ``replace``,
        `IsDirectory` for a file onto a directory, `NotDirectory` for a directory onto a file, and
        `NotEmpty` or `Exists` for a directory onto one with entries. To the same name is no error.
        """

    def open_reading(path: VirtualPath) -> Awaitable[IReading]:
        """Open a plain file; raises `PathNotFound`, `IsDirectory`, `Denied` (not a plain file)."""

    def open_writing(path: VirtualPath, request: WriteRequest) -> Awaitable[IWriting]:
        """Begin an upload transaction.

        Raises `PathNotFound` (no such directory), `NotDirectory`, `IsDirectory`, `Exists`,
        `BadOffset`, `InvalidName`, `NotSupported` (in that mode).
        """


class IStorageSource(Interface):
    """What a storage string stands for: it opens the storage of each account."""

    def storage(owner: str, top: VirtualPath) -> Awaitable[IStorage]:
        """Return ``owner``'s storage with its root at ``top``, which is created if missing."""

    def describe() -> str:
        """Return what is served, to be read by a person: ``local:/srv/ftp``."""

    def stop() -> Awaitable[None]:
        """End threads and close files; no storage of this source is used afterwards."""


class IUnnamedSource(IStorageSource):
    """A source whose string names nothing outside the process; each account has one of its own."""


class IDescriptor(Interface):
    """A reading or writing that is an operating-system file."""

    def fileno() -> int:
        """Return the descriptor; the storage closes it."""


class ISendfileSource(IDescriptor):
    """A reading of an operating-system file that reports which ranges are in memory."""

    def is_cached(offset: int, size: int) -> bool:
        """Return whether a range of bytes can be read without waiting; never blocks."""

    def cache(offset: int, size: int) -> Awaitable[None]:
        """Read a range of bytes into memory; raises what `IReading.read` does."""

    def with_descriptor(function: Callable[[int], T]) -> Awaitable[T]:
        """Call ``function`` with the open descriptor, in a thread; raises what ``read`` does."""


class IPiecewiseReading(IReading):
    """A reading whose bytes come from elsewhere, into files of the operating system."""

    def piece(offset: int) -> Awaitable[tuple[ISendfileSource, int, int]]:
        """Return a file, open while it is referenced, and the span in it from ``offset`` on."""

    def forwarded(offset: int, end: int) -> Awaitable[tuple[ForwardSource, int] | None]:
        """Return what a socket receives from ``offset`` on, and how much of it to send.

        None where `piece` has it, or is faster. Fewer bytes may come. Those before are dropped.
        """


class ISpliceTarget(Interface):
    """A writing to an operating-system file that can be filled by splice(2)."""

    def with_descriptor(function: Callable[[int], T]) -> Awaitable[T]:
        """Call ``function`` with the descriptor, in a thread; it is not used otherwise meanwhile.

        ``function`` writes at the descriptor's position; its result begins with the number of
        bytes. A wrapper may pass ``most``, the bytes to write. Raises what `IWriting.write` does.
        """


class IRetractableWriting(Interface):
    """A writing that grows a file in place, and can remove what it has added."""

    def retract() -> Awaitable[bool]:
        """Remove what was written; False, and nothing is changed, if others have added since."""


class IBatchCommit(Interface):
    """A writing whose commit is one call in a pool, which several can share (`commit_batch`)."""

    pool = Attribute("The `BlockingRunner` that the call belongs in.")

    def commit_in_thread() -> Entry:
        """Do what ``commit`` does, in this thread; raises `OSError` too."""


class IHashes(Interface):
    """A storage that computes digests (draft-bryan-ftp-hash)."""

    def hash(path: VirtualPath, algorithm: str, start: int, end: int | None) -> Awaitable[str]:
        """Return the hex digest of bytes ``start`` up to ``end`` (``None``: to the end).

        ``algorithm``: ``CRC32 MD5 SHA-1 SHA-256 SHA-512``. Raises `PathNotFound`, `IsDirectory`,
        `Denied`, `BadOffset` (the range is not inside the file).
        """


class ISetTimes(Interface):
    """A storage that sets times."""

    creation = Attribute("Whether the creation time can be set too (bool).")

    def set_times(
        path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> Awaitable[None]:
        """Set times, in seconds since the epoch; raises `PathNotFound`, `NotSupported`."""


class ISetMode(Interface):
    """A storage with permission bits."""

    def set_mode(path: VirtualPath, mode: int) -> Awaitable[None]:
        """Set the lower nine permission bits; raises `PathNotFound`."""


class IAccess(Interface):
    """A storage whose files may be closed to this process, whatever the rights of the account."""

    def access(path: VirtualPath, follow: bool) -> Awaitable[int]:
        """Return what can be done with ``path``, or what it leads to, as `Entry.access`."""


class IEnter(Interface):
    """A storage that reports whether a directory may be entered."""

    def enter(path: VirtualPath) -> Awaitable[None]:
        """Return for a directory one may enter; raises `PathNotFound`, `NotDirectory`, `Denied`."""


class ILinks(Interface):
    """A storage with symbolic links.

    Its listings show links as `Kind.LINK`; ``stat`` follows those that lead to something inside.
    """

    def lstat(path: VirtualPath) -> Awaitable[Entry]:
        """Return the entry of ``path``, for a link that of the link; raises `PathNotFound`."""


class IWithoutLinks(Interface):
    """A storage with symbolic links that can be had without following any.

    Accounts whose rights or names depend on the path need that: a link would lead to a path with
    other rights. Their logins are refused by a storage that has `ILinks` without this.
    """

    def without_links() -> IStorage:
        """Return the same files, with links that lead nowhere.

        Listings, ``stat`` and `ILinks` show a link as `Kind.LINK`. It can be removed and renamed.
        To read, write or list one, and every path that leads through one, raises `Denied`.
        """


class IFreeSpace(Interface):
    """A storage that reports the free space."""

    def free_space(path: VirtualPath) -> Awaitable[int]:
        """Return the bytes that may still be written under ``path``."""


class IPartials(Interface):
    """A storage that keeps partial uploads."""

    def partial(path: VirtualPath) -> Awaitable[Entry]:
        """Return the entry of the owner's partial upload of ``path``; raises `PathNotFound`."""

    def all_partials(everybody: bool = False) -> Awaitable[Sequence[PartialUpload]]:
        """Return the partial uploads below the root: the owner's, or those of all owners."""

    def drop_partials(
        path: VirtualPath | None = None, everybody: bool = False
    ) -> Awaitable[Sequence[PartialUpload]]:
        """Remove partial uploads of ``path``, or all, except those under way; return them.

        Those of other owners only with ``everybody``. With a path, raises `PathNotFound` or
        `BeingUploaded` if there was nothing to remove.
        """
