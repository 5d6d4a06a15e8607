"""What every protocol's session can do for a client; one call at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ftpservice.wire.entry import Entry
from ftpservice.wire.replies import Reply
from ftpservice_client.errors import ClientError, Mismatch
from ftpservice_client.results import Listing
from ftpservice_client.source import Source
from ftpservice_client.target import Target

__all__ = ["Moved", "Place", "Session", "Watch", "WrongStart"]


class WrongStart(Mismatch):
    """What was to begin in the middle of a file does not continue what is there before."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file on the server an upload goes."""

    offset: int = 0
    """Bytes of the source that are there already."""
    append: bool = False
    """Whether it goes behind what is there, whatever that is."""
    former: int | None = 0
    """Bytes that were there before an append; None if that is not known."""


class Moved(Protocol):
    """What counts bytes."""

    @property
    def moved(self) -> int:
        """Bytes so far."""


class Watch(Protocol):
    """Who wants to know how a transfer comes along."""

    def begin(self, counter: Moved, total: int | None) -> None:
        """Learn of what counts from now on, and how many bytes the file has."""

    def note(self, text: str) -> None:
        """Learn of something that the caller should know, and that is no error."""


class Session(Protocol):
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

    async def retrieve(self, name: str, offset: int, target: Target, watch: Watch) -> int | None:
        """Receive a file from ``offset``; returns its whole size, None where that is not known.

        Of a file that grows meanwhile that is what it had when this began. Raises `WrongStart`.
        """

    async def store(self, name: str, source: Source, at: Place, watch: Watch) -> None:
        """Send a file, whole in place when this returns; raises `WrongStart`."""

    async def quit(self) -> None:
        """Say goodbye and close."""

    def abort(self) -> None:
        """Break the connection."""
