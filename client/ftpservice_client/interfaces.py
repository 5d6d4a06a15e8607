"""Interfaces inside the client: sessions, sources of uploads, targets of downloads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from ftpservice.stream.sendfile import PageCachedFile
from ftpservice.stream.splice import RunWithDescriptor
from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import ClientError, Unsupported, VerificationFailed
from ftpservice_client.results import Listing

__all__ = [
    "OVERLAP_SIZE",
    "ByteCounter",
    "ClientSession",
    "DownloadTarget",
    "OverlapMismatch",
    "TransferObserver",
    "UploadPosition",
    "UploadSource",
]


class OverlapMismatch(VerificationFailed):
    """A resumed transfer does not continue the bytes before its offset."""


@dataclass(frozen=True, slots=True)
class UploadPosition:
    """The position of an upload in the file on the server."""

    offset: int = 0
    """Bytes of the source that the server already has."""
    append: bool = False
    """Whether the source is appended to the existing file, whatever it contains."""
    former: int | None = 0
    """Size of the file before an append; None if unknown."""


class ByteCounter(Protocol):
    """A counter of transferred bytes."""

    @property
    def moved(self) -> int:
        """Bytes so far."""


class TransferObserver(Protocol):
    """An observer of the progress of a transfer."""

    def begin(self, counter: ByteCounter, total: int | None) -> None:
        """Start to observe a counter; ``total`` is the size of the file, if known."""

    def note(self, text: str) -> None:
        """Record a remark for the caller that is not an error."""


class ClientSession(Protocol):
    """A session after the login, one call at a time; once ``lost`` is set, every call raises it."""

    accepts_pipelining: bool
    """Whether the next call may begin before the reply to `set_modified` has arrived."""

    @property
    def directory(self) -> str:
        """The current directory."""

    @property
    def lost(self) -> ClientError | None:
        """Why the session cannot be used any more; None while it can."""

    async def entries(self, path: str) -> Listing:
        """Return the entries of a directory."""

    async def stat(self, name: str) -> Entry:
        """Return the facts of one name."""

    async def size(self, name: str) -> int | None:
        """Return the size of a file; None if it does not exist or the server does not report it."""

    async def modified(self, name: str) -> float | None:
        """Return the modification time of a file; None if the server does not report it."""

    async def set_modified(self, name: str, seconds: float) -> bool:
        """Set the modification time of a file; return whether the server has set it."""

    async def digests(self) -> frozenset[str]:
        """Return the algorithms that `digest` supports."""

    async def digest(self, name: str, algorithm: str) -> str:
        """Return the digest of a file."""

    async def delete(self, name: str) -> None:
        """Delete a file."""

    async def rename(self, old: str, new: str) -> None:
        """Rename a file or a directory."""

    async def make_directory(self, name: str) -> None:
        """Create a directory."""

    async def remove_directory(self, name: str) -> None:
        """Remove an empty directory."""

    async def change_directory(self, path: str) -> str:
        """Change the current directory; return the new one."""

    async def features(self) -> dict[str, str]:
        """Return the features of the server: the parameters of each, by its name."""

    async def send(self, line: str) -> Reply:
        """Send a command unchanged; return its final reply."""

    async def retrieve(
        self, name: str, offset: int, target: DownloadTarget, watch: TransferObserver
    ) -> int | None:
        """Download a file from ``offset``; return its total size, None if unknown.

        For a file that grows meanwhile, that is its size at the beginning. Raises
        `OverlapMismatch`.
        """

    async def store(
        self, name: str, source: UploadSource, at: UploadPosition, watch: TransferObserver
    ) -> None:
        """Upload a file; return when the server has confirmed it. Raises `OverlapMismatch`."""

    async def quit(self) -> None:
        """Send QUIT and close the connection."""

    def abort(self) -> None:
        """Abort the connection."""


class UploadSource(ABC):
    """The bytes of an upload; opened once, read by one transfer, closed by its opener."""

    size: int | None = None
    """Number of bytes; None if it is unknown before the end."""
    is_restartable = True
    """Whether it can be read more than once, from any offset."""
    file: PageCachedFile | None = None
    """The file for sendfile; None if there is none."""

    async def open(self) -> None:
        """Prepare the transfer; raises `LocalFileError`."""
        return

    @abstractmethod
    async def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, none at the end."""

    async def digest(self, algorithm: str) -> str:  # noqa: ARG002 - for subclasses
        """Return the digest of all bytes; raises `Unsupported`."""
        raise Unsupported("a source that cannot be read twice has no digest")

    def close(self) -> None:
        """Close; may be repeated."""
        return


OVERLAP_SIZE = 4096
"""Bytes before the offset of a resumed download that are received again and compared."""


class DownloadTarget(ABC):
    """The destination of received bytes, written in order."""

    written = 0
    """Bytes written so far, including those of the earlier download that this one resumes."""
    is_restartable = False
    """Whether `restart` is supported."""

    modified: float | None = None
    """Modification time of the earlier download that this one resumes; None if there is none."""

    @property
    def with_descriptor(self) -> RunWithDescriptor | None:
        """Calls a function with the descriptor of the file, in a thread; None: there is no file."""
        return None

    async def open(self) -> None:
        """Prepare the transfer; raises `LocalFileError`."""
        return

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Append bytes; raises `LocalFileError`."""

    async def tail(self) -> bytes:
        """Return the last `OVERLAP_SIZE` bytes written, or as many of them as are available."""
        return b""

    async def truncate(self, size: int) -> None:  # noqa: ARG002 - for subclasses
        """Drop the bytes beyond ``size``; raises `Unsupported`."""
        raise Unsupported("bytes that were passed on cannot be dropped")

    async def restart(self) -> None:
        """Drop all bytes; raises `Unsupported`."""
        raise Unsupported("bytes that were passed on cannot be dropped")

    async def digest(self, algorithm: str) -> str:  # noqa: ARG002 - for subclasses
        """Return the digest of the bytes written; raises `Unsupported`."""
        raise Unsupported("bytes that were passed on have no digest")

    async def commit(self) -> bytes | None:
        """Complete the download; return the bytes if they are in memory."""
        return None

    def abandon(self) -> None:
        """Discard an incomplete download; may be repeated."""
        return
