"""Errors as replies: the one place that maps them to codes, and the log of unexpected ones."""

from __future__ import annotations

from twisted.logger import Logger

from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable
from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.storage import errors
from ftpservice.stream.connection import TransferAborted
from ftpservice.wire import codes
from ftpservice.wire.addresses import BadAddress, UnknownFamily
from ftpservice.wire.paths import BadPath
from ftpservice.wire.replies import Reply, reply

__all__ = [
    "ReplyError",
    "log",
    "log_detail",
    "refused_by",
    "reply_for",
    "undisclosed_detail",
    "unexpected_error_text",
]


log = Logger("ftpservice")


class ReplyError(Exception):
    """Raised by a command to end it with this reply."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = reply(code, text)


ERROR_REPLIES: dict[type[BaseException], tuple[int, str]] = {
    errors.PathNotFound: (codes.FILE_UNAVAILABLE, "No such file or directory."),
    errors.NotInTrash: (codes.FILE_UNAVAILABLE, "The trash has no such file."),
    errors.Exists: (codes.FILE_UNAVAILABLE, "A file or directory of that name exists."),
    errors.IsDirectory: (codes.FILE_UNAVAILABLE, "That is a directory."),
    errors.NotDirectory: (codes.FILE_UNAVAILABLE, "That is not a directory."),
    errors.IsLink: (codes.FILE_UNAVAILABLE, "That is a link, not a directory; DELE removes it."),
    errors.NotEmpty: (codes.FILE_UNAVAILABLE, "The directory is not empty."),
    errors.HasTrash: (
        codes.FILE_UNAVAILABLE,
        "The directory is not empty: it has deleted files of an account, which can be restored.",
    ),
    errors.HasUploads: (
        codes.FILE_UNAVAILABLE,
        "The directory is not empty: it has uploads under way, or partial uploads of others.",
    ),
    errors.Denied: (codes.FILE_UNAVAILABLE, "Permission denied."),
    errors.FilesystemUnsupported: (
        codes.FILE_UNAVAILABLE,
        "The file system does not support that.",
    ),
    errors.OtherFilesystem: (
        codes.FILE_UNAVAILABLE,
        "A rename cannot move it to another file system; copy it, then delete the original.",
    ),
    errors.MountPoint: (
        codes.FILE_UNAVAILABLE,
        "It is a mount point, or holds one; it cannot be renamed, removed or replaced.",
    ),
    errors.InvalidName: (codes.BAD_NAME, "That name is not allowed."),
    errors.IntoItself: (codes.BAD_NAME, "It cannot be moved into itself."),
    errors.NameRefused: (codes.BAD_NAME, "That name is not allowed."),
    errors.NoSpace: (codes.NO_SPACE, "No space left."),
    errors.TrashFull: (
        codes.NO_SPACE,
        "No space left to keep the file in the trash; nothing was deleted or replaced.",
    ),
    errors.QuotaExceeded: (codes.OVER_QUOTA, "Quota exceeded."),
    errors.QuotaUnknown: (
        codes.NO_SPACE,
        "The quota cannot be checked at the moment; try again later.",
    ),
    errors.Busy: (codes.FILE_BUSY, "In use; try again later."),
    errors.OutOfResources: (codes.LOCAL_ERROR, "Out of resources; try again later."),
    errors.BeingUploaded: (codes.FILE_BUSY, "It is being uploaded by another session."),
    errors.Unavailable: (codes.LOCAL_ERROR, "The storage failed."),
    errors.BadOffset: (codes.BAD_OFFSET, "The file ends before that offset."),
    errors.NotSupported: (
        codes.BAD_PARAMETER,
        "The storage of this directory does not support that.",
    ),
    BadPath: (codes.BAD_NAME, "A name may not contain NUL, CR or LF."),
    UnknownFamily: (codes.BAD_FAMILY, "Network protocol not supported, use (1,2)."),
    BadAddress: (codes.BAD_ARGUMENT, "That is not an address and port."),
    CannotOpenDataConnection: (codes.CANNOT_CONNECT, "Cannot open the data connection."),
    TransferAborted: (
        codes.TRANSFER_ABORTED,
        "The data connection was aborted; the transfer is incomplete.",
    ),
    LoginBusy: (codes.SERVICE_UNAVAILABLE, "Too many logins at once; try again later."),
    LoginUnavailable: (
        codes.SERVICE_UNAVAILABLE,
        "Accounts cannot be checked at the moment; try again later.",
    ),
}


def reply_for(error: BaseException) -> Reply | None:
    """Return the reply for ``error``; ``None`` for an unexpected one."""
    if isinstance(error, ReplyError):
        return error.reply
    if isinstance(error, errors.NameRefused) and error.pattern:
        return reply(codes.BAD_NAME, f"Names such as {error.pattern} are not allowed.")
    if isinstance(error, errors.RefusedByGate):
        return reply(codes.FILE_UNAVAILABLE, error.text)
    for kind in type(error).__mro__:
        if kind in ERROR_REPLIES:
            code, text = ERROR_REPLIES[kind]
            return reply(code, text)
    return None


def refused_by(error: BaseException | None) -> str:
    """Return what refused a command, for its event; empty for the storage and its rules."""
    return error.refused_by if isinstance(error, errors.StorageError) else ""


def log_detail(error: BaseException) -> str:
    """Return the text of an error for the log, without its path."""
    return error.reason if isinstance(error, errors.StorageError) else str(error)


def unexpected_error_text(error: BaseException) -> str:
    """Return the text of an unexpected error, for the log."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def undisclosed_detail(error: BaseException | None, reply_text: str) -> str:
    """Return what an error says beyond the text of its reply: for the log, never for the peer."""
    if isinstance(error, errors.StorageError):
        detail = error.detail
    else:
        detail = (
            error.reason if isinstance(error, CannotOpenDataConnection | TransferAborted) else ""
        )
    return "" if detail.rstrip(".").casefold() == reply_text.rstrip(".").casefold() else detail
