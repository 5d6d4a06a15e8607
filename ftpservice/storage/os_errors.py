"""Errors of the operating system as storage errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.storage.errors import (
    Busy,
    Denied,
    Exists,
    FilesystemUnsupported,
    InvalidName,
    IsDirectory,
    NoSpace,
    NotDirectory,
    NotEmpty,
    OtherFilesystem,
    OutOfResources,
    PathNotFound,
    QuotaExceeded,
    StorageError,
    Unavailable,
)
from ftpservice.wire.paths import VirtualPath

__all__ = ["translate", "translating_unsupported"]

ERRNO_ERRORS: dict[int, type[StorageError]] = {
    errno.ENOENT: PathNotFound,
    errno.EEXIST: Exists,
    errno.EISDIR: IsDirectory,
    errno.ENOTDIR: NotDirectory,
    errno.ENOTEMPTY: NotEmpty,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.ELOOP: Denied,
    errno.ENXIO: Denied,
    errno.ENODEV: Denied,
    errno.EROFS: Denied,
    errno.ENAMETOOLONG: InvalidName,
    errno.EILSEQ: InvalidName,
    errno.EINVAL: InvalidName,
    errno.ENOSPC: NoSpace,
    errno.EMLINK: NoSpace,
    errno.EDQUOT: QuotaExceeded,
    errno.EFBIG: QuotaExceeded,
    errno.EXDEV: OtherFilesystem,
    errno.EOPNOTSUPP: FilesystemUnsupported,
    errno.ENOSYS: FilesystemUnsupported,
    errno.EAGAIN: Busy,
    errno.EBUSY: Busy,
    errno.ETXTBSY: Busy,
    errno.EMFILE: OutOfResources,
    errno.ENFILE: OutOfResources,
    errno.ENOMEM: OutOfResources,
}
"""Any other number (``EIO``, ``ESTALE`` ...) means `Unavailable`."""
SELF_EXPLANATORY_ERRNOS = {
    errno.ENOENT,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EACCES,
    errno.EPERM,
    errno.ENOSPC,
    errno.EDQUOT,
}
"""Numbers whose text adds nothing to the error class; their name is detail enough."""


@contextmanager
def translating_unsupported(path: VirtualPath) -> Iterator[None]:
    """Raise `FilesystemUnsupported` for the errors with which filesystems report a missing call."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNSUPPORTED_ERRNOS or error.errno == errno.EPERM:
            raise
        raise FilesystemUnsupported(path, _detail(error)) from error


def translate(error: OSError, path: VirtualPath) -> StorageError:
    """Return the storage error that ``error`` means for ``path``."""
    kind = ERRNO_ERRORS.get(error.errno or 0, Unavailable)
    return kind(path, _detail(error))


def _detail(error: OSError) -> str:
    name = errno.errorcode.get(error.errno or 0, "unknown")
    return name if error.errno in SELF_EXPLANATORY_ERRNOS else f"{error.strerror} ({name})"
