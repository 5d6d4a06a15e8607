"""Whether an error comes from a file system without space."""

from __future__ import annotations

import errno

__all__ = ["NO_SPACE_ERRNOS", "is_out_of_space"]

NO_SPACE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SQLITE_FULL = 13
POSTGRESQL_DISK_FULL = "53100"


def is_out_of_space(error: BaseException | None) -> bool:
    """Return whether an error, or one that it was raised from, says that there is no space left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_SPACE_ERRNOS:
            return True
        if getattr(error, "sqlite_errorcode", None) == SQLITE_FULL:
            return True
        if getattr(error, "sqlstate", None) == POSTGRESQL_DISK_FULL:
            return True
        error = error.__cause__
    return False
