"""Calls of an `IFTPShell`: its failures as storage errors, its late results closed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.protocols import ftp
from twisted.python.failure import Failure
from twisted.python.filepath import InsecurePath

from ftpservice.storage.errors import (
    Busy,
    Denied,
    Exists,
    InvalidName,
    IsDirectory,
    NoSpace,
    NotDirectory,
    NotEmpty,
    NotSupported,
    OtherFilesystem,
    PathNotFound,
    QuotaExceeded,
    StorageError,
    Unavailable,
)
from ftpservice.wire.paths import VirtualPath

__all__ = ["call_shell", "segments", "storage_error_for", "unless_cancelled"]

Result = TypeVar("Result")

SHELL_ERRORS: dict[type[Exception], type[StorageError]] = {
    ftp.FileNotFoundError: PathNotFound,
    ftp.FileExistsError: Exists,
    ftp.IsADirectoryError: IsDirectory,
    ftp.IsNotADirectoryError: NotDirectory,
    ftp.PermissionDeniedError: Denied,
    ftp.AnonUserDeniedError: Denied,
    ftp.AuthorizationError: Denied,
    ftp.CmdNotImplementedError: NotSupported,
    ftp.CmdNotImplementedForArgError: NotSupported,
    ftp.CmdSyntaxError: InvalidName,
    ftp.CmdArgSyntaxError: InvalidName,
    InsecurePath: Denied,
    UnicodeError: InvalidName,
    NotImplementedError: NotSupported,
}
ERRNO_ERRORS: dict[int, type[StorageError]] = {
    errno.ENOENT: PathNotFound,
    errno.EEXIST: Exists,
    errno.EISDIR: IsDirectory,
    errno.ENOTDIR: NotDirectory,
    errno.ENOTEMPTY: NotEmpty,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.ELOOP: Denied,
    errno.EINVAL: InvalidName,
    errno.ENAMETOOLONG: InvalidName,
    errno.ENOSPC: NoSpace,
    errno.EFBIG: NoSpace,
    errno.EDQUOT: QuotaExceeded,
    errno.EBUSY: Busy,
    errno.EXDEV: OtherFilesystem,
}

log = Logger()


def segments(path: VirtualPath) -> list[str]:
    """Return a path in the form that an `IFTPShell` takes."""
    return list(path.parts)


def storage_error_for(error: BaseException, path: VirtualPath) -> StorageError:
    """Return the storage error for an exception of a shell.

    An unknown one is logged with its traceback and becomes `Unavailable`.
    """
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno in ERRNO_ERRORS:
        return ERRNO_ERRORS[error.errno](path, detail)
    for kind in type(error).__mro__:
        if kind in SHELL_ERRORS:
            return SHELL_ERRORS[kind](path, detail)
    failure = Failure(error, type(error), error.__traceback__)
    log.failure("a shell failed unexpectedly at {path}", failure, path=str(path))
    return Unavailable(path, detail)


async def call_shell(
    path: VirtualPath,
    method: Callable[..., object],
    *arguments: object,
    late: Callable[[Result], object] | None = None,
) -> Result:
    """Call a shell's method and wait for its result; raises only `StorageError`.

    ``late`` is called with a result that arrives after a cancellation, to close it.
    """
    answer = cast("Deferred[Result]", maybeDeferred(method, *arguments))
    try:
        return await (answer if late is None else unless_cancelled(answer, late))
    except (CancelledError, StorageError):
        raise
    except Exception as error:
        raise storage_error_for(error, path) from error


def unless_cancelled(
    answer: Deferred[Result], late: Callable[[Result], object]
) -> Deferred[Result]:
    """Return a Deferred like ``answer``; if it is cancelled, ``late`` receives the result."""
    waiting: Deferred[Result] = Deferred()

    def deliver(result: Result | Failure) -> None:
        if not waiting.called:
            waiting.callback(result)
        elif not isinstance(result, Failure):
            late(result)

    def log_failure(failure: Failure) -> None:
        log.failure("closing what a shell opened after a cancellation failed", failure=failure)

    answer.addBoth(deliver)
    answer.addErrback(log_failure)
    return waiting
