"""Errors of storages as problems: the one place that maps them to statuses of HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ftpservice.events import CommandRefused
from ftpservice.session.error_replies import ReplyError, reply_for, undisclosed_detail
from ftpservice.storage import errors
from ftpservice.web.access.account_session import AccountSession
from ftpservice.web.access.portal_access import PLAINTEXT_TEXT
from ftpservice.web.api.routes import ApiCall
from ftpservice.web.http.problems import Problem
from ftpservice.wire.paths import BadPath, VirtualPath

__all__ = ["account_of", "path_of", "problem_for", "refusals", "virtual_path"]

LINK_TEXT = "That is a link, not a directory."
OFFSET_TEXT = "There is nothing to continue at that offset."
STATUSES: dict[type[BaseException], int] = {
    errors.PathNotFound: 404,
    errors.Denied: 403,
    errors.NameRefused: 403,
    errors.RefusedByGate: 403,
    errors.InvalidName: 400,
    BadPath: 400,
    errors.NoSpace: 507,
    errors.QuotaExceeded: 507,
    errors.OutOfResources: 503,
    errors.Unavailable: 503,
    errors.NotSupported: 501,
    errors.FilesystemUnsupported: 501,
    ReplyError: 409,
}
"""Of other errors of storages: 409, which is about the state of the file or directory."""
REASONS: dict[type[BaseException], str] = {
    errors.PathNotFound: "not-found",
    errors.Exists: "exists",
    errors.IsDirectory: "is-directory",
    errors.NotDirectory: "not-directory",
    errors.IsLink: "is-link",
    errors.NotEmpty: "not-empty",
    errors.Denied: "denied",
    errors.NameRefused: "name",
    errors.InvalidName: "name",
    BadPath: "name",
    errors.RefusedByGate: "gate",
    errors.NoSpace: "no-space",
    errors.QuotaExceeded: "quota",
    errors.Busy: "in-use",
    errors.BeingUploaded: "in-use",
    errors.BadOffset: "offset",
    errors.MountPoint: "mount-point",
    errors.OtherFilesystem: "other-filesystem",
    errors.HasTrash: "has-trash",
    errors.HasUploads: "has-uploads",
}
"""Words for programs; of other errors ``storage``."""
TEXTS: dict[type[BaseException], str] = {errors.IsLink: LINK_TEXT, errors.BadOffset: OFFSET_TEXT}
"""Where the text of FTP's reply names its commands."""


def problem_for(error: BaseException) -> Problem | None:
    """Return the problem of an error of a storage; None for another error."""
    reply = reply_for(error)
    if reply is None or not isinstance(error, errors.StorageError | BadPath | ReplyError):
        return None
    kinds = type(error).__mro__
    status = next((STATUSES[kind] for kind in kinds if kind in STATUSES), 409)
    reason = next((REASONS[kind] for kind in kinds if kind in REASONS), "storage")
    return Problem(status, TEXTS.get(type(error), reply.lines[0]), reason=reason)


@contextmanager
def refusals(account: AccountSession, command: str, path: object) -> Iterator[None]:
    """Turn errors of storages into problems, and publish them as refused commands.

    ``command`` is the method and the last word of the address, as the log has them.
    """
    try:
        yield
    except (errors.StorageError, BadPath, ReplyError) as error:
        problem = problem_for(error)
        assert problem is not None
        detail = undisclosed_detail(error, problem.detail)
        facts = (command, str(path), problem.status, problem.detail, detail)
        account.context.events.publish(CommandRefused, *facts)
        raise problem from None


def account_of(call: ApiCall) -> AccountSession:
    """Return the session whose files a call is about; raises `Problem`."""
    account = call.caller.account
    assert account is not None  # by the route
    if not account.may_transfer:
        raise Problem(403, PLAINTEXT_TEXT, reason="denied")
    return account


def virtual_path(text: object) -> VirtualPath:
    """Return a path that a request has given; raises `Problem`."""
    if not isinstance(text, str) or not text.startswith("/"):
        raise Problem(400, "A path begins with '/'.")
    try:
        return VirtualPath.parse(text)
    except BadPath as error:
        raise Problem(400, f"{str(error).capitalize()}.", reason="name") from None


def path_of(call: ApiCall) -> VirtualPath:
    """Return the parameter ``path`` of a call; raises `Problem`."""
    if "path" not in call.query:
        raise Problem(400, "The parameter 'path' is missing.")
    return virtual_path(call.query["path"])
