"""Maps errors to answers of the simple protocol."""

from __future__ import annotations

from ftpservice.accounts.checkers import LoginBusy, LoginUnavailable
from ftpservice.session.error_replies import ReplyError
from ftpservice.storage import errors
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.wire import codes
from ftpservice.wire.paths import BadPath
from ftpservice.wire.simple import ErrorCode, MalformedCommand

__all__ = ["INTERNAL_ERROR", "AnswerError", "answer_for"]


class AnswerError(Exception):
    """Raised by a command to send an ``ERR`` answer, which may be the session's last one."""

    def __init__(self, code: ErrorCode, text: str, ends_session: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.ends_session = ends_session


ERROR_ANSWERS: dict[type[BaseException], tuple[ErrorCode, str]] = {
    errors.PathNotFound: (ErrorCode.NOTFOUND, "no such file or directory"),
    errors.Exists: (ErrorCode.EXISTS, "the name already exists"),
    errors.IsDirectory: (ErrorCode.ISDIR, "is a directory"),
    errors.NotDirectory: (ErrorCode.NOTDIR, "is not a directory"),
    errors.IsLink: (ErrorCode.NOTDIR, "is a link, not a directory"),
    errors.NotEmpty: (ErrorCode.DENIED, "the directory is not empty"),
    errors.HasTrash: (
        ErrorCode.DENIED,
        "the directory is not empty: it has deleted files of an account",
    ),
    errors.HasUploads: (
        ErrorCode.DENIED,
        "the directory is not empty: it has uploads in progress, or partial uploads of others",
    ),
    errors.Denied: (ErrorCode.DENIED, "permission denied"),
    errors.FilesystemUnsupported: (ErrorCode.DENIED, "not supported by the filesystem"),
    errors.OtherFilesystem: (ErrorCode.DENIED, "on another filesystem: copy instead of move"),
    errors.MountPoint: (ErrorCode.DENIED, "is a mount point, or holds one"),
    errors.InvalidName: (ErrorCode.SYNTAX, "the name is not allowed"),
    errors.IntoItself: (ErrorCode.SYNTAX, "it cannot be moved into itself"),
    errors.NameRefused: (ErrorCode.DENIED, "the name is not allowed"),
    errors.NoSpace: (ErrorCode.FULL, "no space left"),
    errors.TrashFull: (
        ErrorCode.FULL,
        "no space left to keep the file in the trash; nothing was deleted or replaced",
    ),
    errors.QuotaExceeded: (ErrorCode.QUOTA, "quota exceeded"),
    errors.Busy: (ErrorCode.INTERNAL, "in use; try again later"),
    errors.OutOfResources: (ErrorCode.INTERNAL, "out of resources; try again later"),
    errors.BeingUploaded: (ErrorCode.INTERNAL, "another session is uploading it"),
    errors.Unavailable: (ErrorCode.INTERNAL, "the storage failed"),
    errors.BadOffset: (ErrorCode.SYNTAX, "the offset is beyond the end of the file"),
    errors.NotSupported: (ErrorCode.DENIED, "not supported by the storage"),
    BadPath: (ErrorCode.SYNTAX, "a name cannot have control characters"),
    TransferStalled: (ErrorCode.TIMEOUT, "no progress for too long"),
    TransferAborted: (ErrorCode.INTERNAL, "the transfer was aborted"),
    LoginBusy: (ErrorCode.BUSY, "too many logins at once; try again later"),
    LoginUnavailable: (
        ErrorCode.BUSY,
        "accounts cannot be checked at the moment; try again later",
    ),
}

INTERNAL_ERROR = AnswerError(ErrorCode.INTERNAL, "local error")
"""The answer to an unexpected error."""
REPLY_CODE_ERRORS = {
    codes.BAD_ARGUMENT: ErrorCode.SYNTAX,
    codes.NOT_LOGGED_IN: ErrorCode.AUTH,
    codes.SERVICE_UNAVAILABLE: ErrorCode.BUSY,
    codes.FILE_UNAVAILABLE: ErrorCode.NOTFOUND,
}


def answer_for(error: BaseException) -> AnswerError | None:
    """Return the answer to an error; None for an unexpected one."""
    if isinstance(error, AnswerError):
        return error
    if isinstance(error, MalformedCommand):
        return AnswerError(ErrorCode.SYNTAX, str(error))
    if isinstance(error, ReplyError):
        code, lines = error.reply
        return AnswerError(REPLY_CODE_ERRORS.get(code, ErrorCode.INTERNAL), lines[0])
    if isinstance(error, errors.NameRefused) and error.pattern:
        return AnswerError(ErrorCode.DENIED, f"names such as {error.pattern} are not allowed")
    if isinstance(error, errors.RefusedByGate):
        return AnswerError(ErrorCode.DENIED, error.text)
    for kind in type(error).__mro__:
        if kind in ERROR_ANSWERS:
            return AnswerError(*ERROR_ANSWERS[kind])
    return None
