"""The closed set of errors that a storage raises; anything else is a defect of that storage."""

from __future__ import annotations

from ftpservice.wire.paths import VirtualPath

__all__ = [
    "BadOffset",
    "BeingUploaded",
    "Busy",
    "Denied",
    "Exists",
    "FilesystemUnsupported",
    "HasUploads",
    "InvalidName",
    "IsDirectory",
    "IsLink",
    "MountPoint",
    "NoSpace",
    "NotDirectory",
    "NotEmpty",
    "NotSupported",
    "OtherFilesystem",
    "PathNotFound",
    "QuotaExceeded",
    "StorageError",
    "Unavailable",
]


class StorageError(Exception):
    """Something asked of a storage did not happen; ``path`` says to what."""

    words = "the storage failed"
    """What is wrong, in general."""

    def __init__(self, path: VirtualPath, detail: str = "") -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail
        """For the log, never for the peer."""

    @property
    def reason(self) -> str:
        """What is wrong, with its detail, for the log; the path is left out."""
        return f"{self.words} ({self.detail})" if self.detail else self.words

    def __str__(self) -> str:
        """Say what did not happen, and to what, in one line for the log."""
        return f"{self.path}: {self.reason}"


class PathNotFound(StorageError):
    """There is nothing of that name."""

    words = "no such file or directory"


class Exists(StorageError):
    """There is something of that name already."""

    words = "there is something of that name already"


class IsDirectory(StorageError):
    """A file is wanted, that is a directory."""

    words = "that is a directory"


class NotDirectory(StorageError):
    """A directory is wanted, that is something else."""

    words = "that is not a directory"


class IsLink(StorageError):
    """A directory is wanted, that is a link; it is removed as a file is."""

    words = "that is a link, not a directory"


class NotEmpty(StorageError):
    """The directory still has entries."""

    words = "the directory is not empty"


class Denied(StorageError):
    """Not permitted: to this account, to this process, or to anybody (a device, a way out)."""

    words = "permission denied"


class FilesystemUnsupported(StorageError):
    """What the filesystem beneath cannot do, for anybody."""

    words = "the filesystem cannot do that"


class OtherFilesystem(StorageError):
    """A rename that would have to copy: between filesystems, or of a directory on some."""

    words = "it can only be moved there by a copy"


class MountPoint(StorageError):
    """Something is mounted there, so it cannot be renamed, removed or replaced."""

    words = "that is a mount point"


class InvalidName(StorageError):
    """The storage cannot have a file of that name."""

    words = "that name is not allowed"


class NoSpace(StorageError):
    """The storage is full."""

    words = "no space left"


class QuotaExceeded(StorageError):
    """More than the account may keep, or a file larger than it may be."""

    words = "over the quota"


class Busy(StorageError):
    """Somebody else holds it just now; the same call may work later."""

    words = "in use"


class BeingUploaded(StorageError):
    """Another session of the same owner is uploading a file of that name."""

    words = "being uploaded by another session"


class HasUploads(StorageError):
    """The directory holds uploads under way, or interrupted uploads of other owners."""

    words = "not empty: it has uploads under way, or interrupted ones of others"


class Unavailable(StorageError):
    """The storage failed beneath us (I/O error, gone)."""

    words = "the storage failed"


class BadOffset(StorageError):
    """There is nothing to go on from at that offset."""

    words = "nothing to resume from at that offset"


class NotSupported(StorageError):
    """This storage cannot do that at all."""

    words = "the storage cannot do that"
