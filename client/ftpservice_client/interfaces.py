"""What every protocol's session can do for a client; one call at a time.

What an upload reads from.

What a download writes to.
"""

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
    """What was to begin in the middle of a file does not continue what is there before."""


@dataclass(frozen=True, slots=True)
class UploadPosition:
    """Where in a file on the server an upload goes."""

    offset: int = 0
    """Bytes of the source that are there already."""
    append: bool = False
    """Whether it is appended to the existing file, whatever that is."""
    former: int | None = 0
    """Bytes that were there before an append; None if that is not known."""


class ByteCounter(Protocol):
    """What counts bytes."""

    @property
    def moved(self) -> int:
        """Bytes so far."""


class TransferObserver(Protocol):
    """An observer of the progress of a transfer."""

    def begin(self, counter: ByteCounter, total: int | None) -> None:
        """Learn of what counts from now on, and how many bytes the file has."""

    def note(self, text: str) -> None:
        """Learn of something that the caller should know, and that is no error."""


class ClientSession(Protocol):
    """A connection, after the login; once ``lost`` is set every call raises it."""

    @property
    def directory(self) -> str:
        """Where relative names are looked for."""

    @property
    def lost(self) -> ClientError | None:
        """Why it is of no more use."""

    async def entries(self, path: str) -> Listing:
        """Return what a directory holds."""

    async def stat(self, name: str) -> Entry:
        """Return what is known of a name."""

    async def size(self, name: str) -> int | None:
        """Return the size of a file, None where there is none or the server doesn't tell."""

    async def modified(self, name: str) -> float | None:
        """Return when a file was changed, None where the server doesn't tell."""

    async def set_modified(self, name: str, seconds: float) -> bool:
        """Set when a file was changed; tell whether the server has done it."""

    async def digests(self) -> frozenset[str]:
        """Return the algorithms that `digest` knows."""

    async def digest(self, name: str, algorithm: str) -> str:
        """Return the digest of a file."""

    async def delete(self, name: str) -> None:
        """Remove a file."""

    async def rename(self, old: str, new: str) -> None:
        """Give a new name."""

    async def make_directory(self, name: str) -> None:
        """Make a directory."""

    async def remove_directory(self, name: str) -> None:
        """Remove an empty directory."""

    async def change_directory(self, path: str) -> str:
        """Go there; returns where that is."""

    async def features(self) -> dict[str, str]:
        """Return what the server can do."""

    async def send(self, line: str) -> Reply:
        """Send a command as it is."""

    async def retrieve(
        self, name: str, offset: int, target: DownloadTarget, watch: TransferObserver
    ) -> int | None:
        """Download a file from ``offset``; return its total size, None if unknown.

        Of a file that grows meanwhile that is what it had when this began. Raises
        `OverlapMismatch`.
        """

    async def store(
        self, name: str, source: UploadSource, at: UploadPosition, watch: TransferObserver
    ) -> None:
        """Upload a file, complete when this returns; raises `OverlapMismatch`."""

    async def quit(self) -> None:
        """Say goodbye and close."""

    def abort(self) -> None:
        """Break the connection."""


class UploadSource(ABC):
    """Bytes to be sent; opened once, read by one, closed by who opened it."""

    size: int | None = None
    """Bytes in all; None where only the end will tell."""
    is_restartable = True
    """Whether it can be read again from anywhere."""
    file: PageCachedFile | None = None
    """Set where the kernel can send it by itself."""

    async def open(self) -> None:
        """Begin; raises `LocalFileError`."""
        return

    @abstractmethod
    async def read(self, offset: int, size: int) -> bytes:
        """Return at most ``size`` bytes from ``offset`` on, none at the end."""

    async def digest(self, algorithm: str) -> str:  # noqa: ARG002 - for those who can
        """Return the digest of it all; raises `Unsupported`."""
        raise Unsupported("what cannot be read again has no digest")

    def close(self) -> None:
        """Close; may be repeated."""
        return


OVERLAP_SIZE = 4096
"""Bytes before the offset of a resumed download that are compared with the received ones."""


class DownloadTarget(ABC):
    """The destination of received bytes, written in order."""

    written = 0
    """Bytes that are there, those of an earlier download that is gone on with included."""
    is_restartable = False
    """Whether it can begin again."""

    modified: float | None = None
    """When what is gone on with was last written to; None for what begins."""

    @property
    def with_descriptor(self) -> RunWithDescriptor | None:
        """What threads may receive into a file with by themselves, where they may."""
        return None

    async def open(self) -> None:
        """Begin; raises `LocalFileError`."""
        return

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Add a piece; raises `LocalFileError`."""

    async def tail(self) -> bytes:
        """Return the last `OVERLAP_SIZE` bytes that are there, or as many of them as are known."""
        return b""

    async def truncate(self, size: int) -> None:  # noqa: ARG002 - for those who can
        """Forget what is there beyond ``size`` bytes; raises `Unsupported`."""
        raise Unsupported("what was passed on cannot be taken back")

    async def restart(self) -> None:
        """Forget what is there."""
        raise Unsupported("what was passed on cannot be taken back")

    async def digest(self, algorithm: str) -> str:  # noqa: ARG002 - for those who can
        """Return the digest of what is there; raises `Unsupported`."""
        raise Unsupported("what was passed on has no digest")

    async def commit(self) -> bytes | None:
        """Complete the download; return the bytes if they are in memory."""
        return None

    def abandon(self) -> None:
        """Discard an incomplete download; may be repeated."""
        return
