"""The closed set of errors that a storage raises; any other error is a defect of the storage."""

from __future__ import annotations

from ftpservice.wire.paths import VirtualPath

__all__ = [
    "BadOffset",
    "BeingUploaded",
    "Busy",
    "Denied",
    "Exists",
    "FilesystemUnsupported",
    "HasTrash",
    "HasUploads",
    "IntoItself",
    "InvalidName",
    "IsDirectory",
    "IsLink",
    "MountPoint",
    "NameRefused",
    "NoSpace",
    "NotDirectory",
    "NotEmpty",
    "NotInTrash",
    "NotSupported",
    "OtherFilesystem",
    "OutOfResources",
    "PathNotFound",
    "QuotaExceeded",
    "QuotaUnknown",
    "RefusedByGate",
    "StorageError",
    "TrashFull",
    "Unavailable",
]


class StorageError(Exception):
    """A storage did not do what was requested; ``path`` is what it was requested for."""

    words = "the storage failed"
    """What is wrong, in general: one phrase per class."""
    refused_by = ""
    """What refused it, if not the storage itself; for events."""

    def __init__(self, path: VirtualPath, detail: str = "") -> None:
        super().__init__(path, detail)
        self.path = path
        self.detail = detail
        """More about it, for the log; never sent to the peer."""

    @property
    def reason(self) -> str:
        """What is wrong, with the detail, for the log; without the path."""
        return f"{self.words} ({self.detail})" if self.detail else self.words

    def __str__(self) -> str:
        """Return path and reason in one line, for the log."""
        return f"{self.path}: {self.reason}"


class PathNotFound(StorageError):
    """No file or directory has that name."""

    words = "no such file or directory"


class NotInTrash(PathNotFound):
    """No deleted or overwritten file has that name or id."""

    words = "not in the trash"


class Exists(StorageError):
    """A file or directory has that name already."""

    words = "there is something of that name already"


class IsDirectory(StorageError):
    """A file is needed, but it is a directory."""

    words = "that is a directory"


class NotDirectory(StorageError):
    """A directory is needed, but it is something else."""

    words = "that is not a directory"


class IsLink(StorageError):
    """A directory is needed, but it is a symbolic link, which is removed like a file."""

    words = "that is a link, not a directory"


class NotEmpty(StorageError):
    """The directory has entries."""

    words = "the directory is not empty"


class Denied(StorageError):
    """Not permitted: for this account, this process, or anyone (a device, a link out)."""

    words = "permission denied"


class FilesystemUnsupported(StorageError):
    """The filesystem cannot do that, for any account."""

    words = "the filesystem cannot do that"


class OtherFilesystem(StorageError):
    """A rename that would have to copy: between filesystems or, on some, of a directory."""

    words = "it can only be moved there by a copy"


class MountPoint(StorageError):
    """A filesystem is mounted there, so it cannot be renamed, removed or replaced."""

    words = "that is a mount point"


class InvalidName(StorageError):
    """The storage cannot have a file with that name."""

    words = "that name is not allowed"


class IntoItself(InvalidName):
    """The new name is below the old one."""

    words = "it cannot be moved into itself"


class NameRefused(StorageError):
    """The account may not create a name like that; ``pattern``, which the peer is told, has it."""

    words = "the account may not create such names"

    def __init__(self, path: VirtualPath, detail: str = "", pattern: str = "") -> None:
        super().__init__(path, detail)
        self.pattern = pattern


class RefusedByGate(StorageError):
    """A gate has refused it; the peer is told ``text``."""

    words = "refused by a gate"

    def __init__(self, path: VirtualPath, text: str, gate: str = "") -> None:
        super().__init__(path, f"{gate}: {text}" if gate else text)
        self.text = text
        self.refused_by = gate


class NoSpace(StorageError):
    """The storage is full."""

    words = "no space left"


class TrashFull(NoSpace):
    """There is no space to keep a file in the trash, so it was neither deleted nor replaced."""

    words = "no space left to keep it in the trash"


class QuotaExceeded(StorageError):
    """More than the account may store, or a file larger than permitted."""

    words = "over the quota"


class Busy(StorageError):
    """It is in use by another session or program; the same call may succeed later."""

    words = "in use"


class QuotaUnknown(Busy):
    """Whether the quota has room for it is not known at the moment."""

    words = "the quota cannot be checked"


class OutOfResources(StorageError):
    """The process has no descriptor, thread or memory for it; it may succeed later."""

    words = "out of resources"


class BeingUploaded(StorageError):
    """Another session of the same owner is uploading a file with that name."""

    words = "being uploaded by another session"


class HasTrash(StorageError):
    """The trash of an account is in the directory, and has files that can be restored."""

    words = "not empty: it has deleted files that can be restored"


class HasUploads(StorageError):
    """The directory has uploads under way, or partial uploads of other owners."""

    words = "not empty: it has uploads under way, or interrupted ones of others"


class Unavailable(StorageError):
    """The storage failed: an I/O error, or it is gone."""

    words = "the storage failed"


class BadOffset(StorageError):
    """There is nothing to resume at that offset."""

    words = "nothing to resume from at that offset"


class NotSupported(StorageError):
    """This storage does not support that."""

    words = "the storage cannot do that"
