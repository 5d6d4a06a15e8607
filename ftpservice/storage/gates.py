"""Gates, which may refuse an upload before it is published, a deletion, or a login.

A storage whose uploads can be read before they are published offers `IHeldUpload`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass

from zope.interface import Attribute, Interface

__all__ = [
    "GateAnswer",
    "GateRequest",
    "IDeleteGate",
    "IHeldFile",
    "IHeldUpload",
    "ILoginGate",
    "IPreparedWriting",
    "IUploadGate",
]


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What a gate is asked about."""

    action: str
    """``upload``, ``delete`` or ``login``."""
    id: str
    """Unique; of this request."""
    when: float
    """Seconds since the epoch."""
    user: str
    groups: tuple[str, ...] = ()
    peer: str = ""
    """The client's IP address; ``local`` for a UNIX socket, empty if it is not known."""
    protocol: str = ""
    """``ftp``, ``simple`` or ``http``."""
    session: str = ""
    """The id of the session, as in its events."""
    path: str = ""
    """The file as the account sees it, absolute; as the gates asked before have changed it."""
    storage_name: str | None = None
    """The storage's own name of that path, such as its path on the disk."""
    size: int | None = None
    """Bytes of an upload."""
    renamed_from: str = ""
    """The file that is renamed to ``path``; empty for an upload."""


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What a gate says."""

    accepts: bool
    text: str = ""
    """Why not: one line, which the client is told."""
    name: str = ""
    """Another name for an upload, relative to its directory or absolute; directories are created.

    Not used for a rename.
    """
    is_unique: bool = False
    """Whether a number is added to ``name`` if that is taken."""


class IHeldFile(Interface):
    """The bytes of an upload that is not published."""

    size = Attribute("The number of bytes.")

    def read(offset: int, size: int) -> Awaitable[bytes]:
        """Return up to ``size`` bytes from ``offset``; empty at the end."""

    def descriptor() -> int | None:
        """Return a descriptor of an operating-system file, open for reading; None without one.

        It is valid until `close`.
        """

    def close() -> None:
        """Close the file, at once or after a call in progress."""


class IHeldUpload(Interface):
    """A writing whose bytes can be read before it is published."""

    def open_held() -> Awaitable[IHeldFile]:
        """Open what was written and kept so far; nothing may be written meanwhile."""

    def keep_nothing() -> None:
        """Make ``abandon`` keep no partial upload."""


class IPreparedWriting(Interface):
    """A writing with something to do before its commit that may take long.

    ``commit`` does it, too, if it has not been done. It can be cancelled, unlike a commit.
    """

    def prepare() -> Awaitable[None]:
        """Do all but publishing; raises what ``commit`` raises, which ends the transaction."""


class IUploadGate(Interface):
    """Decides whether a complete upload is published; other errors than a no are failures."""

    def check_upload(request: GateRequest, upload: IHeldFile) -> Awaitable[GateAnswer]:
        """Answer; called in the reactor's thread, must not block, and is cancelled in time."""


class IDeleteGate(Interface):
    """Decides whether a file may be deleted."""

    def check_delete(request: GateRequest) -> Awaitable[GateAnswer]:
        """Answer; see `IUploadGate.check_upload`."""


class ILoginGate(Interface):
    """Decides whether an account whose password is right may log in."""

    def check_login(request: GateRequest) -> Awaitable[GateAnswer]:
        """Answer; see `IUploadGate.check_upload`. The text is for the log only."""
