"""The one place that turns errors into answers of the simple protocol."""

from __future__ import annotations

from ftpservice.accounts.checkers import LoginBusy
from ftpservice.session.error_replies import ReplyError
from ftpservice.storage import errors
from ftpservice.stream.errors import TransferAborted, TransferStalled
from ftpservice.wire import codes
from ftpservice.wire.paths import BadPath
from ftpservice.wire.simple import ErrorCode, MalformedCommand

__all__ = ["AnswerError", "answer_for"]


class AnswerError(Exception):
    """Raised by a command to answer with an error; ``parting``: the session ends with it."""

    def __init__(self, code: ErrorCode, text: str, parting: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.parting = parting


ERROR_ANSWERS: dict[type[BaseException], tuple[ErrorCode, str]] = {
    errors.PathNotFound: (ErrorCode.NOTFOUND, "no such file or directory"),
    errors.Exists: (ErrorCode.EXISTS, "there is something of that name already"),
    errors.IsDirectory: (ErrorCode.ISDIR, "that is a directory"),
    errors.NotDirectory: (ErrorCode.NOTDIR, "that is not a directory"),
    errors.IsLink: (ErrorCode.NOTDIR, "that is a link, not a directory"),
    errors.NotEmpty: (ErrorCode.DENIED, "the directory is not empty"),
    errors.HasUploads: (
        ErrorCode.DENIED,
        "the directory is not empty: it has uploads under way, or interrupted ones of others",
    ),
    errors.Denied: (ErrorCode.DENIED, "permission denied"),
    errors.FilesystemUnsupported: (ErrorCode.DENIED, "the filesystem cannot do that"),
    errors.OtherFilesystem: (ErrorCode.DENIED, "it can only be moved there by a copy"),
    errors.MountPoint: (ErrorCode.DENIED, "that is a mount point"),
    errors.InvalidName: (ErrorCode.SYNTAX, "that name is not allowed"),
    errors.NoSpace: (ErrorCode.FULL, "no space left"),
    errors.QuotaExceeded: (ErrorCode.QUOTA, "over the quota"),
    errors.Busy: (ErrorCode.INTERNAL, "in use; try again later"),
    errors.BeingUploaded: (ErrorCode.INTERNAL, "it is being uploaded by another session"),
    errors.Unavailable: (ErrorCode.INTERNAL, "the storage failed"),
    errors.BadOffset: (ErrorCode.SYNTAX, "the file ends before that offset"),
    errors.NotSupported: (ErrorCode.DENIED, "the storage cannot do that"),
    BadPath: (ErrorCode.SYNTAX, "a name holds no control characters"),
    TransferStalled: (ErrorCode.TIMEOUT, "nothing moved for too long"),
    TransferAborted: (ErrorCode.INTERNAL, "the transfer was cut"),
    LoginBusy: (ErrorCode.BUSY, "too many logins at once; try again later"),
}

REPLY_CODE_ERRORS = {
    codes.NOT_LOGGED_IN: ErrorCode.AUTH,
    codes.SERVICE_UNAVAILABLE: ErrorCode.BUSY,
    codes.FILE_UNAVAILABLE: ErrorCode.NOTFOUND,
}


def answer_for(error: BaseException) -> AnswerError | None:
    """Return what to answer to ``error``; None for one that nobody expected."""
    if isinstance(error, AnswerError):
        return error
    if isinstance(error, MalformedCommand):
        return AnswerError(ErrorCode.SYNTAX, str(error))
    if isinstance(error, ReplyError):
        code, lines = error.reply
        return AnswerError(REPLY_CODE_ERRORS.get(code, ErrorCode.INTERNAL), lines[0])
    for kind in type(error).__mro__:
        if kind in ERROR_ANSWERS:
            return AnswerError(*ERROR_ANSWERS[kind])
    return None
