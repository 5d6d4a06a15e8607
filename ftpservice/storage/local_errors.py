"""What the operating system reports, as the closed set of storage errors."""

from __future__ import annotations

import errno

from ftpservice.storage.errors import (
    Busy,
    Denied,
    Exists,
    InvalidName,
    IsDirectory,
    NoSpace,
    NotDirectory,
    NotEmpty,
    NotFound,
    QuotaExceeded,
    StorageError,
    Unavailable,
    Unsupported,
)
from ftpservice.wire.paths import VirtualPath

__all__ = ["translate"]

KINDS: dict[int, type[StorageError]] = {
    errno.ENOENT: NotFound,
    errno.EEXIST: Exists,
    errno.EISDIR: IsDirectory,
    errno.ENOTDIR: NotDirectory,
    errno.ENOTEMPTY: NotEmpty,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.ELOOP: Denied,
    errno.ENXIO: Denied,
    errno.ENODEV: Denied,
    errno.ENAMETOOLONG: InvalidName,
    errno.EILSEQ: InvalidName,
    errno.EINVAL: InvalidName,
    errno.ENOSPC: NoSpace,
    errno.EMLINK: NoSpace,
    errno.EDQUOT: QuotaExceeded,
    errno.EFBIG: QuotaExceeded,
    errno.EXDEV: Unsupported,
    errno.EOPNOTSUPP: Unsupported,
    errno.ENOSYS: Unsupported,
    errno.EAGAIN: Busy,
    errno.EBUSY: Busy,
    errno.ETXTBSY: Busy,
    errno.EMFILE: Busy,
    errno.ENFILE: Busy,
    errno.ENOMEM: Busy,
}
"""What is not here (``EIO``, ``EROFS``, ``ESTALE`` ...) is `Unavailable`."""


def translate(error: OSError, path: VirtualPath) -> StorageError:
    """Return the storage error that ``error`` means for ``path``."""
    kind = KINDS.get(error.errno or 0, Unavailable)
    return kind(path, f"{error.strerror} ({errno.errorcode.get(error.errno or 0, 'unknown')})")
