"""The log of what nobody expected.

The one place that turns errors into replies; no storage knows a code, no command catches one.
"""

from __future__ import annotations

from twisted.logger import Logger

from ftpservice.accounts.checkers import LoginBusy
from ftpservice.data.channel import CannotConnect
from ftpservice.storage import errors
from ftpservice.stream.connection import Cut
from ftpservice.wire import codes
from ftpservice.wire.addresses import BadAddress, UnknownFamily
from ftpservice.wire.paths import BadPath
from ftpservice.wire.replies import Reply, reply

__all__ = ["Refusal", "described", "log", "refusal", "said", "untold"]


log = Logger("ftpservice")


class Refusal(Exception):
    """Raised by a command to answer with a reply other than the one it was on its way to."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = reply(code, text)


REFUSALS: dict[type[BaseException], tuple[int, str]] = {
    errors.NotFound: (codes.REFUSED, "No such file or directory."),
    errors.Exists: (codes.REFUSED, "There is something of that name already."),
    errors.IsDirectory: (codes.REFUSED, "That is a directory."),
    errors.NotDirectory: (codes.REFUSED, "That is not a directory."),
    errors.IsLink: (codes.REFUSED, "That is a link, not a directory; DELE removes it."),
    errors.NotEmpty: (codes.REFUSED, "The directory is not empty."),
    errors.HasUploads: (
        codes.REFUSED,
        "The directory is not empty: it has uploads under way, or interrupted ones of others.",
    ),
    errors.Denied: (codes.REFUSED, "Permission denied."),
    errors.Impossible: (codes.REFUSED, "The filesystem cannot do that."),
    errors.OtherFilesystem: (
        codes.REFUSED,
        "It can only be moved there by a copy; copy it, then delete the original.",
    ),
    errors.MountPoint: (codes.REFUSED, "That is a mount point; it cannot be renamed or removed."),
    errors.InvalidName: (codes.BAD_NAME, "That name is not allowed."),
    errors.NoSpace: (codes.NO_SPACE, "No space left."),
    errors.QuotaExceeded: (codes.OVER_QUOTA, "Over the quota."),
    errors.Busy: (codes.FILE_BUSY, "In use; try again later."),
    errors.BeingUploaded: (codes.FILE_BUSY, "It is being uploaded by another session."),
    errors.Unavailable: (codes.LOCAL_ERROR, "The storage failed."),
    errors.BadOffset: (codes.BAD_OFFSET, "Nothing to go on from at that offset."),
    errors.Unsupported: (codes.BAD_PARAMETER, "The storage behind this directory cannot do that."),
    BadPath: (codes.BAD_NAME, "A name may not hold NUL, CR or LF."),
    UnknownFamily: (codes.BAD_FAMILY, "Network protocol not supported, use (1,2)."),
    BadAddress: (codes.BAD_ARGUMENT, "That is not an address and port."),
    CannotConnect: (codes.CANNOT_CONNECT, "Cannot open the data connection."),
    Cut: (codes.TRANSFER_CUT, "The data connection was cut; the transfer is not complete."),
    LoginBusy: (codes.UNAVAILABLE, "Too many logins at once; try again later."),
}


def refusal(error: BaseException) -> Reply | None:
    """Return the reply for ``error``; ``None`` for one that nobody expected."""
    if isinstance(error, Refusal):
        return error.reply
    for kind in type(error).__mro__:
        if kind in REFUSALS:
            code, text = REFUSALS[kind]
            return reply(code, text)
    return None


def said(error: BaseException) -> str:
    """Return what an error says to the log beside the path that it is about."""
    return error.reason if isinstance(error, errors.StorageError) else str(error)


def described(error: BaseException) -> str:
    """Return an error that nobody expected in words, for the log."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def untold(error: BaseException | None, told: str) -> str:
    """Return what an error knows beyond its reply ``told``: for the log, never for the peer."""
    if isinstance(error, errors.StorageError):
        detail = error.detail
    else:
        detail = error.reason if isinstance(error, CannotConnect | Cut) else ""
    return "" if detail.rstrip(".").casefold() == told.rstrip(".").casefold() else detail
