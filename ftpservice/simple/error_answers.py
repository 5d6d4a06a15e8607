"""The one place that turns errors into answers of the simple protocol."""

from __future__ import annotations

from ftpservice.accounts.checkers import LoginBusy
from ftpservice.session.error_replies import Refusal
from ftpservice.storage import errors
from ftpservice.stream.errors import Cut, Stalled
from ftpservice.wire import codes
from ftpservice.wire.paths import BadPath
from ftpservice.wire.simple import BadLine, Code

__all__ = ["Refused", "refusal"]


class Refused(Exception):
    """Raised by a command to answer with an error; ``parting``: the session ends with it."""

    def __init__(self, code: Code, text: str, parting: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.parting = parting


REFUSALS: dict[type[BaseException], tuple[Code, str]] = {
    errors.NotFound: (Code.NOTFOUND, "no such file or directory"),
    errors.Exists: (Code.EXISTS, "there is something of that name already"),
    errors.IsDirectory: (Code.ISDIR, "that is a directory"),
    errors.NotDirectory: (Code.NOTDIR, "that is not a directory"),
    errors.IsLink: (Code.NOTDIR, "that is a link, not a directory"),
    errors.NotEmpty: (Code.DENIED, "the directory is not empty"),
    errors.HasUploads: (
        Code.DENIED,
        "the directory is not empty: it has uploads under way, or interrupted ones of others",
    ),
    errors.Denied: (Code.DENIED, "permission denied"),
    errors.Impossible: (Code.DENIED, "the filesystem cannot do that"),
    errors.OtherFilesystem: (Code.DENIED, "it can only be moved there by a copy"),
    errors.MountPoint: (Code.DENIED, "that is a mount point"),
    errors.InvalidName: (Code.SYNTAX, "that name is not allowed"),
    errors.NoSpace: (Code.FULL, "no space left"),
    errors.QuotaExceeded: (Code.QUOTA, "over the quota"),
    errors.Busy: (Code.INTERNAL, "in use; try again later"),
    errors.BeingUploaded: (Code.INTERNAL, "it is being uploaded by another session"),
    errors.Unavailable: (Code.INTERNAL, "the storage failed"),
    errors.BadOffset: (Code.SYNTAX, "the file ends before that offset"),
    errors.Unsupported: (Code.DENIED, "the storage cannot do that"),
    BadPath: (Code.SYNTAX, "a name holds no control characters"),
    Stalled: (Code.TIMEOUT, "nothing moved for too long"),
    Cut: (Code.INTERNAL, "the transfer was cut"),
    LoginBusy: (Code.BUSY, "too many logins at once; try again later"),
}

OF_REPLIES = {
    codes.NOT_LOGGED_IN: Code.AUTH,
    codes.UNAVAILABLE: Code.BUSY,
    codes.REFUSED: Code.NOTFOUND,
}


def refusal(error: BaseException) -> Refused | None:
    """Return what to answer to ``error``; None for one that nobody expected."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, BadLine):
        return Refused(Code.SYNTAX, str(error))
    if isinstance(error, Refusal):
        code, lines = error.reply
        return Refused(OF_REPLIES.get(code, Code.INTERNAL), lines[0])
    for kind in type(error).__mro__:
        if kind in REFUSALS:
            return Refused(*REFUSALS[kind])
    return None
