"""The closed set of errors that a storage raises; anything else is a defect of that storage."""

from __future__ import annotations

from ftpservice.wire.paths import VirtualPath

__all__ = [
    "BadOffset",
    "Busy",
    "Denied",
    "Exists",
    "InvalidName",
    "IsDirectory",
    "IsLink",
    "NoSpace",
    "NotDirectory",
    "NotEmpty",
    "NotFound",
    "QuotaExceeded",
    "StorageError",
    "Unavailable",
    "Unsupported",
]


class StorageError(Exception):
    """Something asked of a storage did not happen; ``path`` says to what."""

    def __init__(self, path: VirtualPath, detail: str = "") -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail
        """For the log, never for the peer."""


class NotFound(StorageError):
    """There is nothing of that name."""


class Exists(StorageError):
    """There is something of that name already."""


class IsDirectory(StorageError):
    """A file is wanted, that is a directory."""


class NotDirectory(StorageError):
    """A directory is wanted, that is something else."""


class IsLink(StorageError):
    """A directory is wanted, that is a link; it is removed as a file is."""


class NotEmpty(StorageError):
    """The directory still has entries."""


class Denied(StorageError):
    """Not permitted: to this account, to this process, or to anybody (a device, a way out)."""


class InvalidName(StorageError):
    """The storage cannot have a file of that name."""


class NoSpace(StorageError):
    """The storage is full."""


class QuotaExceeded(StorageError):
    """More than the account may keep, or a file larger than it may be."""


class Busy(StorageError):
    """Somebody else holds it just now; the same call may work later."""


class Unavailable(StorageError):
    """The storage failed beneath us (I/O error, read-only, gone)."""


class BadOffset(StorageError):
    """There is nothing to go on from at that offset."""


class Unsupported(StorageError):
    """This storage cannot do that at all."""
